#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <string_view>
#include <variant>

#include "apps/xet/command_line.h"
#include "apps/xet/commands.h"
#include "apps/xet/exit_code.h"
#include "apps/xet/fd_io.h"
#include "apps/xet/signals.h"

namespace {

using namespace xet;
using namespace xet::cli;

/// Whether errors of the command line itself go out as JSON, too: it could not be understood, so this looks
/// at the words.
bool asks_for_json(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view word(argv[i]);
    if (word == "--") return false;
    if (word == "--json") return true;
  }
  return false;
}

/// Commands that leave files behind, or requests unanswered, get time to do it properly; the others have
/// nothing to put in order.
std::chrono::milliseconds grace_of(const Command& command) {
  // A server gives its requests ten seconds, and has something to do before and after.
  if (std::holds_alternative<ServeArgs>(command)) return std::chrono::milliseconds(15'000);
  const bool writes =
      std::holds_alternative<UploadArgs>(command) || std::holds_alternative<DownloadArgs>(command);
  return writes ? std::chrono::milliseconds(10'000) : std::chrono::milliseconds(400);
}

}  // namespace

int main(int argc, char** argv) {
  Output out;
  SignalWatcher signals([&] {
    if (::isatty(STDERR_FILENO) == 1) out.note("stopping; press Ctrl-C again to end at once");
  });

  out.set_json(asks_for_json(argc, argv));
  const auto parsed = parse_command_line(argc, argv);
  if (!parsed) {
    out.error(parsed.error());
    return exit_code::kUsage;
  }
  if (const auto* info = std::get_if<InfoText>(&*parsed)) {
    return write_fully(STDOUT_FILENO, as_byte_span(info->text)) == 0 ? exit_code::kDone : exit_code::kLocalIo;
  }
  const auto& invocation = std::get<Invocation>(*parsed);
  out.set_json(invocation.common.json);
  out.set_quiet(invocation.common.quiet);
  signals.set_grace(grace_of(invocation.command));

  Context context(invocation.common, out, signals);
  std::visit([&](const auto& args) { run(context, args); }, invocation.command);
  return context.finish();
}

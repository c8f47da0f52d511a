#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "apps/xet/commands.h"
#include "apps/xet/exit_code.h"
#include "apps/xet/fd_io.h"
#include "apps/xet/progress.h"
#include "apps/xet/stdout_content.h"
#include "xet/download.h"

namespace xet::cli {

std::optional<uint64_t> write_content(Context& context, const ContentSource& deliver) {
  auto& out = context.out();
  ProgressPrinter progress(out, context.options(), "reading", /*bar_allowed=*/::isatty(STDOUT_FILENO) == 0);
  int write_error = 0;
  const auto sink = [&](std::span<const std::byte> bytes) -> Status {
    write_error = write_fully_or_stop(STDOUT_FILENO, bytes, context.signals().wake_fd());
    if (write_error == 0) return {};
    if (write_error == ECANCELED) return fail(ErrorCode::kCancelled, "interrupted");
    return fail(ErrorCode::kIo, fmt::format("cannot write to stdout: {}", std::strerror(write_error)));
  };
  const auto delivered = deliver(sink, context.session_options(&progress));
  progress.finish();
  if (write_error == EPIPE) {
    context.set_broken_pipe();
    return std::nullopt;
  }
  if (!delivered) {
    context.fail(delivered.error());
    return std::nullopt;
  }
  out.summary_event({.files = 1,
                     .logical_bytes = *delivered,
                     .wire_bytes = progress.last().transfer_bytes,
                     .seconds = context.seconds()});
  return *delivered;
}

void run(Context& context, const CatArgs& args) {
  context.out().set_events_fd(STDERR_FILENO);  // stdout is the content
  const auto client = context.open_store(StoreUse::kRead);
  if (!client) return context.fail(client.error());
  const auto delivered = write_content(context, [&](const ContentSink& sink, const SessionOptions& session) {
    return stream_file(*client, args.file, args.range, sink, session);
  });
  if (delivered == 0 && args.range && !args.file.is_zero()) note_range_past_end(context, **client, args.file);
}

}  // namespace xet::cli

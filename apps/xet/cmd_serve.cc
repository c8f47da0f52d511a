#include <fmt/format.h>
#include <poll.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <optional>

#include "apps/xet/commands.h"
#include "apps/xet/json_line.h"
#include "base/try.h"
#include "io/file.h"
#include "server/core/embedded_store.h"
#include "server/http/server.h"
#include "server/hub/accounts.h"

namespace xet::cli {

namespace {

// How long requests under way may take to end once a signal has come.
constexpr std::chrono::seconds kDrain{10};

http::ServerOptions options_of(const ServeArgs& args, const core::EmbeddedStore& store, Output& out) {
  http::ServerOptions options;
  options.hub = store.hub.get();
  options.lfs_directory = store.root / "lfs";
  options.listen = args.listen;
  if (!args.admin_listen.empty()) options.admin_listen = args.admin_listen;
  options.public_url = args.public_url;
  options.tls_certificate = args.tls_certificate;
  options.tls_key = args.tls_key;
  options.auth = args.auth;
  if (args.access_log) options.access_log = [&out](std::string_view line) { out.log_line(line); };
  options.event_log = [&out](std::string_view line) { out.note(fmt::format("note: {}", line)); };
  return options;
}

/// The first start leaves a token for everything where only the owner of the directory can read it.
Result<std::optional<std::filesystem::path>> leave_admin_token(const core::EmbeddedStore& store) {
  const auto token = hub::Accounts(*store.hub, system_clock()).first_admin_token();
  if (!token) return fail(token.error().store, "making the first token");
  if (!*token) return std::nullopt;
  auto path = store.root / "admin-token";
  XET_TRY_STATUS(io::remove_file(path));  // of a store that was here before
  XET_TRY(auto file, io::File::create_new(path, 0600));
  XET_TRY_STATUS(file.write_at(0, as_byte_span(**token + "\n")));
  XET_TRY_STATUS(file.sync());
  XET_TRY_STATUS(file.close());
  return path;
}

void wait_for_stop(const SignalWatcher& signals) {
  pollfd wake{.fd = signals.wake_fd(), .events = POLLIN, .revents = 0};
  while (::poll(&wake, 1, -1) < 0 && errno == EINTR) {
  }
}

}  // namespace

void run(Context& context, const ServeArgs& args) {
  auto& out = context.out();
  const auto store = core::open_embedded_store(args.data);
  if (!store) return context.fail(store.error());
  const auto server = http::Server::start(*store->service, options_of(args, *store, out));
  if (!server) return context.fail(server.error());
  if (args.auth) {
    const auto left = leave_admin_token(*store);
    if (!left) return context.fail(left.error());
    if (*left) out.note(fmt::format("note: a token for everything is in {}", (*left)->string()));
  }
  if (!args.auth) out.note("note: --auth=off: whoever reaches this address can read and write everything");

  out.line(fmt::format("listening on {}", (*server)->url()));
  JsonLine event("listening");
  event.add("url", (*server)->url()).add("port", (*server)->port());
  if (const auto port = (*server)->admin_port()) event.add("admin_port", *port);
  out.event(event);
  out.flush();

  wait_for_stop(context.signals());
  if (!(*server)->drain(kDrain)) out.note("note: requests that had not ended after 10 seconds were cut off");
}

}  // namespace xet::cli

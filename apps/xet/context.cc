#include "apps/xet/context.h"

#include <fmt/format.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <mutex>

#include "apps/xet/exit_code.h"
#include "apps/xet/names.h"
#include "apps/xet/progress.h"
#include "base/try.h"
#include "xet/endpoint.h"
#include "xet/version.h"

namespace xet::cli {

namespace {

constexpr std::string_view kEndpointForms =
    "local:DIR (a store in a directory; works without a server), http(s)://HOST (a Xet server) or "
    "hf:TYPE/NAMESPACE/NAME (a repository on a Hub)";

/// The directory of a local: endpoint; nullopt for other forms, which open_endpoint() judges.
std::optional<std::filesystem::path> local_directory(std::string_view endpoint) {
  constexpr std::string_view kScheme = "local:";
  if (!endpoint.starts_with(kScheme)) return std::nullopt;
  endpoint.remove_prefix(kScheme.size());
  if (endpoint.starts_with("//")) endpoint.remove_prefix(2);
  if (endpoint.empty()) return std::nullopt;
  return std::filesystem::path(endpoint);
}

/// Missing, or an empty directory: opening it would make a store there.
bool has_nothing(const std::filesystem::path& directory) {
  std::error_code error;
  const auto type = std::filesystem::status(directory, error).type();
  if (type == std::filesystem::file_type::not_found) return true;
  return type == std::filesystem::file_type::directory && std::filesystem::is_empty(directory, error) &&
         !error;
}

}  // namespace

Context::Context(const CommonOptions& options, Output& out, SignalWatcher& signals)
    : options_(options),
      out_(out),
      signals_(signals),
      on_signal_(signals.token(), [this] { stop_.request_stop(); }) {
  if (options.timeout) watch_time(*options.timeout);
}

void Context::watch_time(std::chrono::milliseconds limit) {
  timer_ = std::jthread([this, until = start_ + limit](const std::stop_token& end) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    never.wait_until(lock, end, until, [] { return false; });
    if (end.stop_requested()) return;
    time_is_over_ = true;
    stop_.request_stop();
  });
}

void Context::fail(const Error& error, std::optional<std::string_view> path) {
  if (error.code == ErrorCode::kCancelled) {
    // A stop of our own making (nobody reads the output) has its cause reported by finish().
    if (out_.write_error() != 0) return;
    if (time_is_over_ && !signals_.token().stop_requested()) {
      exit_code_ = worse_exit_code(exit_code_, exit_code_of(ErrorCode::kDeadline));
      if (!std::exchange(cancel_shown_, true))
        out_.error({ErrorCode::kDeadline, "the time given with --timeout is over"});
      return;
    }
    exit_code_ = worse_exit_code(exit_code_, exit_code_of(error.code));
    if (std::exchange(cancel_shown_, true)) return;
    // Which call noticed it first says nothing to whoever pressed Ctrl-C.
    out_.error({error.code, "interrupted before the end; run the command again to finish"});
    return;
  }
  exit_code_ = worse_exit_code(exit_code_, exit_code_of(error.code));
  out_.error(error, path);
}

int Context::finish() {
  out_.clear_status_line();
  out_.flush();
  const int error_number = out_.write_error();
  // The reader has what it wanted: as quiet as a program that SIGPIPE ends.
  if (broken_pipe_ || error_number == EPIPE) return exit_code::kBrokenPipe;
  if (error_number != 0) {
    fail(Error{ErrorCode::kIo,
               fmt::format("cannot write the results to stdout: {}", std::strerror(error_number))});
  }
  return exit_code_;
}

Result<std::shared_ptr<Client>> Context::open_store(StoreUse use) const {
  if (options_.endpoint.empty()) {
    if (use == StoreUse::kPlan) return open_without_store();
    return xet::fail(ErrorCode::kInvalidArgument,
                     fmt::format("no endpoint: say where the store is with -e ENDPOINT or XET_ENDPOINT; {}",
                                 kEndpointForms));
  }
  if (is_hub_endpoint(options_.endpoint)) {
    XET_TRY(const auto hub, open_hub());
    return hub->connect(use == StoreUse::kWrite ? Hub::Access::kWrite : Hub::Access::kRead, stop());
  }
  const auto directory = local_store();
  if (directory && use != StoreUse::kWrite) {
    if (has_nothing(*directory)) {
      if (use == StoreUse::kPlan) return open_without_store();
      return xet::fail(ErrorCode::kNotFound,
                       fmt::format("there is no store at {}: check the endpoint", options_.endpoint));
    }
  }
  return open_endpoint(options_.endpoint, client_options());
}

ClientOptions Context::client_options() const {
  ClientOptions client = options_.client;
  client.http.user_agent = fmt::format("xet/{}", kVersion);
  client.http.on_notice = [this](std::string_view text) { out_.note(fmt::format("note: {}", text)); };
  return client;
}

Result<std::shared_ptr<Hub>> Context::open_hub() const {
  XET_TRY(auto address, parse_hub_address(options_.endpoint));
  return Hub::open(std::move(address), options_.hub, client_options());
}

Result<std::shared_ptr<Client>> Context::open_without_store() const {
  return open_offline(options_.client);
}

std::optional<std::filesystem::path> Context::local_store() const {
  return local_directory(options_.endpoint);
}

SessionOptions Context::session_options(ProgressPrinter* progress) const {
  SessionOptions out;
  out.stop = signals_.token();
  if (options_.timeout) out.deadline = start_ + *options_.timeout;
  if (progress != nullptr) out.progress = progress->callback();
  return out;
}

double Context::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

void note_range_past_end(Context& context, uint64_t size_bytes) {
  context.out().note(
      fmt::format("note: the range begins behind the end of the file, which has {} bytes", size_bytes));
}

void note_range_past_end(Context& context, const Client& client, const FileHash& file) {
  const auto size = client.file_size(file, context.signals().token());
  if (size) note_range_past_end(context, *size);  // the note is a courtesy
}

}  // namespace xet::cli

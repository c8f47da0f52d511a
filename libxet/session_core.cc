#include "libxet/session_core.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/clock.h"
#include "base/random.h"
#include "base/try.h"
#include "cas/session_id.h"
#include "libxet/endpoint.h"
#include "libxet/http_endpoint.h"

namespace xet::detail {

namespace {

constexpr size_t kMostMemory = size_t{256} << 20;

std::string new_session_id() {
  return cas::make_session_id(system_clock().wall_now(), random_fraction);
}

/// A connect() under way: the end of the session ends it, and so does the caller.
class Connecting final : public Cancellable {
 public:
  explicit Connecting(const std::stop_token& caller) : on_caller_stop_(caller, [this] { cancel(); }) {}
  void cancel() override { stop_.request_stop(); }
  std::stop_token stop_token() const { return stop_.get_token(); }

 private:
  std::stop_source stop_;
  std::stop_callback<std::function<void()>> on_caller_stop_;
};

}  // namespace

TaskId next_task_id() {
  static std::atomic<TaskId> last{0};  // a counter; pairs with nothing
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

SessionCore::SessionCore(Config config)
    : config_(std::move(config)),
      id_(new_session_id()),
      gate_(std::make_shared<DownloadGate>(config_.count("data.max_concurrent_file_downloads"))) {}

void SessionCore::abort() {
  std::vector<std::weak_ptr<Cancellable>> parts;
  {
    auto shared = shared_.lock();
    aborted_.store(true, std::memory_order_release);
    parts = std::move(shared->parts);
    shared->parts.clear();
  }
  for (const auto& part : parts) {
    if (const auto alive = part.lock()) alive->cancel();
  }
}

void SessionCore::add(const std::weak_ptr<Cancellable>& part) {
  {
    auto shared = shared_.lock();
    std::erase_if(shared->parts, [](const auto& other) { return other.expired(); });
    if (!is_aborted()) {
      shared->parts.push_back(part);
      return;
    }
  }
  if (const auto alive = part.lock()) alive->cancel();
}

SessionOptions SessionCore::options_with(std::stop_token stop) const {
  SessionOptions out;
  out.stop = std::move(stop);
  out.may_wait_for_memory = false;
  out.speed_window = std::chrono::duration_cast<std::chrono::milliseconds>(std::min<std::chrono::nanoseconds>(
      config_.duration("data.progress_update_speed_sampling_window"), std::chrono::hours(24)));
  out.speed_min_samples = config_.count("data.progress_update_speed_min_observations");
  return out;
}

Result<std::shared_ptr<Client>> SessionCore::connect(const ConnectOptions& to, const std::stop_token& stop) {
  const auto connecting = std::make_shared<Connecting>(stop);
  add(connecting);
  const auto refusal = [] { return fail(ErrorCode::kCancelled, "the session was aborted"); };
  if (is_aborted()) return refusal();
  ClientOptions options;
  options.http = to.http;
  options.http.session_id = id_;
  options.config = config_;
  Connections connections;
  {
    auto shared = shared_.lock();
    connections.engine = shared->engine.lock();
    if (connections.engine == nullptr) {
      const auto memory =
          std::min<size_t>({config_.count("reconstruction.download_buffer_limit"),
                            config_.count("reconstruction.download_buffer_size"), kMostMemory});
      connections.engine = std::make_shared<session::Engine>(0, memory, system_clock());
      shared->engine = connections.engine;
    }
    connections.transport = shared->transport.lock();
  }
  std::string endpoint = to.endpoint.value_or("");
  if (!to.endpoint && to.http.refresh_url.empty()) endpoint = config_.text("data.default_cas_endpoint");
  if (connections.transport == nullptr && is_http_endpoint(endpoint, options)) {
    connections.transport = make_transport(config_);
    shared_.lock()->transport = connections.transport;
  }
  auto client = open_endpoint_on(endpoint, options, std::move(connections), connecting->stop_token());
  if (is_aborted()) return refusal();
  return client;
}

}  // namespace xet::detail

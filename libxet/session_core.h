#pragma once

#include <atomic>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/sync.h"
#include "net/transport.h"
#include "session/engine.h"
#include "xet/client.h"
#include "xet/config.h"
#include "xet/session.h"

namespace xet::detail {

/// Something of a session that abort() ends.
class Cancellable {
 public:
  virtual ~Cancellable() = default;
  /// Ends it with kCancelled, and returns at once. Thread-safe.
  virtual void cancel() = 0;
};

TaskId next_task_id();

/// What the groups of a session share and keep alive. Thread-safe.
class SessionCore {
 public:
  explicit SessionCore(Config config);

  const std::string& id() const { return id_; }
  const Config& config() const { return config_; }
  bool is_aborted() const { return aborted_.load(std::memory_order_acquire); }
  void abort();

  /// A client on the session's threads, memory and connections. Blocks when a token has to be asked for.
  Result<std::shared_ptr<Client>> connect(const ConnectOptions& to, const std::stop_token& stop);
  /// Must be told of everything that is to end with the session.
  void add(const std::weak_ptr<Cancellable>& part);

  const std::shared_ptr<DownloadGate>& download_gate() const { return gate_; }
  SessionOptions options_with(std::stop_token stop) const;

 private:
  // Held by clients only, so that their threads end with the last of them.
  struct Shared {
    std::weak_ptr<session::Engine> engine;
    std::weak_ptr<net::Transport> transport;
    std::vector<std::weak_ptr<Cancellable>> parts;
  };

  const Config config_;
  const std::string id_;
  const std::shared_ptr<DownloadGate> gate_;
  std::atomic<bool> aborted_{false};  // pairs with itself: set before parts are cancelled
  Sync<Shared> shared_;
};

}  // namespace xet::detail

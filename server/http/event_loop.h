#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

#include "server/http/address.h"
#include "server/http/stream.h"
#include "xet/result.h"

namespace xet::http {

/// Certificate and key of a server. Cheap to copy; shared by its connections.
class TlsIdentity {
 public:
  /// kIo when a file cannot be read; kInvalidArgument when they are no PEM, or do not belong together.
  static Result<TlsIdentity> load(const std::filesystem::path& certificate, const std::filesystem::path& key);

  struct State;
  const std::shared_ptr<State>& state() const { return state_; }

 private:
  explicit TlsIdentity(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;  // shared with connections, which may outlive their listener
};

/// The threads that all connections run on; all signals are blocked there. Thread-safe. Everything Boost.Asio
/// is behind this header.
class EventLoop {
 public:
  explicit EventLoop(size_t n_threads);
  /// All streams must be gone.
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// Accepts connections until close(). At `max_connections` open ones it leaves the others to wait in the
  /// kernel's queue.
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual uint16_t port() const = 0;
    /// The socket is closed when it returns; open connections stay. From any thread but the loop's.
    virtual void close() = 0;
  };
  struct ListenOptions {
    ListenAddress address;
    std::shared_ptr<TlsIdentity::State> tls;  ///< none: plain
    size_t max_connections = 0;
    /// Called on the new stream's own turn.
    std::function<void(std::shared_ptr<Stream>)> on_connection;
  };
  /// kIo when the address cannot be bound. Must be closed before the loop goes.
  Result<std::shared_ptr<Listener>> listen(ListenOptions options);

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace xet::http

#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <utility>
#include <vector>

#include "base/sync.h"
#include "base/unique_function.h"
#include "net/transport.h"

namespace xet::net {

struct Submission {
  Request request;
  std::stop_token stop;
  UniqueFunction<void(Outcome)> done;
};

/// What other threads have to say to the network thread. Shared with the `resume` functions of sinks, which
/// may outlive the transport. Thread-safe.
class CurlInbox {
 public:
  struct Messages {
    std::vector<Submission> submitted;
    std::vector<uint64_t> cancelled;  // by id of the exchange
    std::vector<uint64_t> resumed;
    bool closing = false;
  };
  struct State {
    Messages messages;
    bool has_thread = false;
  };

  CurlInbox();
  ~CurlInbox();
  CurlInbox(const CurlInbox&) = delete;
  CurlInbox& operator=(const CurlInbox&) = delete;

  void cancel(uint64_t id) {
    state.lock()->messages.cancelled.push_back(id);
    wake();
  }
  void resume(uint64_t id) {
    state.lock()->messages.resumed.push_back(id);
    wake();
  }
  /// Makes fd() readable. Not under the lock, which the network thread wants next.
  void wake() const;
  /// All messages so far; `closing` stays.
  Messages take();
  int fd() const { return fd_; }

  Sync<State> state;

 private:
  int fd_;
};

}  // namespace xet::net

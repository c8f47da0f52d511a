#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>

#include "base/sync.h"
#include "cas/cas.h"
#include "exec/in_flight.h"
#include "exec/thread_pool.h"
#include "server/core/cas_service.h"

namespace xet::server {

/// One fetch from the store in this process: reads a range of a stored xorb straight into the receiver's
/// memory. While the receiver has no room it holds no thread, so that waiting receivers cannot keep the pool
/// from other work.
///
/// Owns itself until its callback has run; at any time it is queued, runs on one thread, or is parked.
class FetchTask : public std::enable_shared_from_this<FetchTask> {
 public:
  /// Must outlive the callback.
  struct Environment {
    core::CasService& service;
    exec::ThreadPool& pool;
  };
  static void start(Environment environment, exec::InFlight::Token in_flight, cas::FetchRequest request,
                    std::stop_token stop, cas::Callback<void> done);

  FetchTask(Environment environment, exec::InFlight::Token in_flight, cas::FetchRequest request,
            std::stop_token stop, cas::Callback<void> done)
      : env_(environment),
        in_flight_(std::move(in_flight)),
        request_(std::move(request)),
        stop_(std::move(stop)),
        done_(std::move(done)) {}

 private:
  /// How the thread that runs and whoever wakes it meet.
  struct Park {
    bool resumed = false;  ///< the receiver has called back since it was asked
    bool parked = false;   ///< no thread runs the task; whoever clears this queues it
  };
  enum class Outcome : uint8_t { kDone, kNoRoom };

  void queue();
  void run();
  Status open();
  Result<Outcome> deliver();
  /// False when the task must go on at once.
  bool park();
  void wake(bool by_receiver);
  void finish(Status outcome);

  const Environment env_;
  std::optional<exec::InFlight::Token> in_flight_;
  cas::FetchRequest request_;
  const std::stop_token stop_;
  cas::Callback<void> done_;
  std::optional<core::CasService::OpenXorb> xorb_;
  uint64_t delivered_ = 0;
  Sync<Park> park_;
  struct OnStop {
    std::weak_ptr<FetchTask> task;  // weak: the token may outlive the task by far
    void operator()() const {
      if (const auto self = task.lock()) self->wake(false);
    }
  };
  std::optional<std::stop_callback<OnStop>> on_stop_;
};

}  // namespace xet::server

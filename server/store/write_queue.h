#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <vector>

#include "base/sync.h"
#include "server/store/sqlite.h"
#include "xet/result.h"

namespace xet::store {

/// The one writing connection of a process, shared by all threads with group commit: whoever comes while a
/// transaction is being synced waits and then has his work committed together with everybody else's who
/// waited, with one sync. Thread-safe.
class WriteQueue {
 public:
  /// Reads and writes inside a transaction. An error rolls back what this piece of work did, and nothing
  /// else. Must be repeatable in effect: it is run once, but never told whether the commit succeeded.
  using Work = std::function<Status(sqlite::Connection&)>;

  explicit WriteQueue(std::unique_ptr<sqlite::Connection> connection)
      : state_(State{.connection = std::move(connection)}) {}

  /// Runs `work` on this or another waiting thread. Success: it is committed and durable.
  Status run(const Work& work);

 private:
  struct Request {
    const Work& work;
    Status outcome;
    bool done = false;
  };
  struct State {
    std::unique_ptr<sqlite::Connection> connection;  // used by the one thread that has set `committing`
    std::vector<Request*> waiting;
    bool committing = false;
  };
  static void commit(sqlite::Connection& connection, const std::vector<Request*>& batch);
  static void run_work(sqlite::Connection& connection, Request& request);

  Sync<State> state_;
  std::condition_variable changed_;
};

}  // namespace xet::store

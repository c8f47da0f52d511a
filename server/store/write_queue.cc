#include "server/store/write_queue.h"

#include <utility>

namespace xet::store {

Status WriteQueue::run(const Work& work) {
  Request request{.work = work, .outcome = {}};
  std::vector<Request*> batch;
  sqlite::Connection* connection = nullptr;
  {
    auto state = state_.lock();
    state->waiting.push_back(&request);
    state.wait(changed_, [&] { return request.done || !state->committing; });
    if (request.done) return std::move(request.outcome);
    state->committing = true;
    batch = std::exchange(state->waiting, {});
    connection = state->connection.get();
  }
  commit(*connection, batch);
  {
    auto state = state_.lock();
    for (auto* each : batch) each->done = true;
    state->committing = false;
  }
  changed_.notify_all();
  return std::move(request.outcome);
}

void WriteQueue::commit(sqlite::Connection& connection, const std::vector<Request*>& batch) {
  auto outcome = connection.execute("BEGIN IMMEDIATE");
  for (auto* request : batch) {
    if (!outcome) break;
    run_work(connection, *request);
    // A full disk or a read error may have ended the transaction, and with it what others did in it.
    if (!connection.in_transaction()) outcome = request->outcome;
  }
  if (outcome) outcome = connection.execute("COMMIT");
  if (outcome) return;
  if (connection.in_transaction()) (void)connection.execute("ROLLBACK");
  for (auto* request : batch) {
    if (request->outcome) request->outcome = outcome;
  }
}

void WriteQueue::run_work(sqlite::Connection& connection, Request& request) {
  request.outcome = connection.execute("SAVEPOINT work");
  if (!request.outcome) return;
  request.outcome = request.work(connection);
  if (!connection.in_transaction()) {
    if (request.outcome)
      request.outcome = fail(ErrorCode::kInternal, "a transaction ended inside a piece of work");
    return;
  }
  if (!request.outcome) (void)connection.execute("ROLLBACK TO work");
  auto released = connection.execute("RELEASE work");
  if (request.outcome) request.outcome = std::move(released);
}

}  // namespace xet::store

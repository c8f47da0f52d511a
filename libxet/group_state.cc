#include "libxet/group_state.h"

#include <system_error>
#include <utility>

#include "base/clock.h"
#include "base/try.h"
#include "libxet/limit.h"

namespace xet::detail {

Status GroupState::refusal(const Current& current) {
  switch (current.state) {
    case TaskState::kRunning:
      return {};
    case TaskState::kFinalizing:
    case TaskState::kCompleted:
      return xet::fail(ErrorCode::kAlreadyDone, "already finished");
    case TaskState::kCancelled:
      return xet::fail(ErrorCode::kCancelled, "aborted before");
    case TaskState::kFailed:
      break;
  }
  return xet::fail(*current.error, "failed before");
}

Status GroupState::check_running() const {
  return refusal(*status_.lock());
}

Status GroupState::begin(std::function<Status()> work) {
  auto status = status_.lock();
  XET_TRY_STATUS(refusal(*status));
  auto started = start([this, work = std::move(work)] {
    auto result = work();
    result ? end(TaskState::kCompleted, {}) : end(TaskState::kFailed, std::move(result).error());
  });
  if (started) status->state = TaskState::kFinalizing;
  return started;
}

/// With the status held, and running: there is no thread yet that somebody could be waiting for with
/// `worker_` held.
Status GroupState::start(std::function<void()> work) {
  try {
    *worker_.lock() = std::thread(std::move(work));
  } catch (const std::system_error& error) {
    return xet::fail(ErrorCode::kIo, std::string("no thread to finish with: ") + error.what());
  }
  return {};
}

Status GroupState::outcome() const {
  auto status = status_.lock();
  if (status->error) return tl::unexpected(*status->error);
  if (!is_over(*status)) return xet::fail(ErrorCode::kInternal, "not finished yet");
  return {};
}

bool GroupState::end(TaskState state, std::optional<Error> error) {
  auto status = status_.lock();
  if (is_over(*status)) return false;
  status->state = state;
  status->error = std::move(error);
  changed_.notify_all();
  return true;
}

bool GroupState::fail(Error error, std::function<void()> rest) {
  auto status = status_.lock();
  if (status->state != TaskState::kRunning) return false;
  (void)start(std::move(rest));  // without a thread it waits until the group goes
  status->state = TaskState::kFailed;
  status->error = std::move(error);
  changed_.notify_all();
  return true;
}

bool GroupState::cancel() {
  return end(TaskState::kCancelled, Error{ErrorCode::kCancelled, "aborted"});
}

bool GroupState::wait_for(std::chrono::milliseconds limit) const {
  auto status = status_.lock();
  return status.wait_until(system_clock(), changed_, end_of(limit), [&] { return is_over(*status); });
}

void GroupState::join() {
  auto worker = worker_.lock();
  if (worker->joinable()) worker->join();
}

}  // namespace xet::detail

#include "libxet/group_state.h"

#include <utility>

#include "base/clock.h"
#include "base/try.h"

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
  auto worker = worker_.lock();
  {
    auto status = status_.lock();
    XET_TRY_STATUS(refusal(*status));
    status->state = TaskState::kFinalizing;
  }
  *worker = std::thread([this, work = std::move(work)] {
    auto result = work();
    result ? end(TaskState::kCompleted, {}) : end(TaskState::kFailed, std::move(result).error());
  });
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

bool GroupState::fail(Error error) {
  return end(TaskState::kFailed, std::move(error));
}

bool GroupState::cancel() {
  return end(TaskState::kCancelled, Error{ErrorCode::kCancelled, "aborted"});
}

bool GroupState::wait_for(std::chrono::milliseconds limit) const {
  auto status = status_.lock();
  return status.wait_until(system_clock(), changed_, system_clock().now() + limit,
                           [&] { return is_over(*status); });
}

void GroupState::join() {
  auto worker = worker_.lock();
  if (worker->joinable()) worker->join();
}

}  // namespace xet::detail

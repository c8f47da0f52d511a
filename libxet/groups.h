#pragma once

#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include "libxet/session_core.h"
#include "xet/session.h"

namespace xet::detail {

/// What a group's Poller calls.
template <class Group>
std::function<bool()> poll(ProgressReports& reports, Group& group) {
  if (!reports.report) return {};
  return [report = std::move(reports.report), &group] {
    const auto state = group.state().state();
    if (state != TaskState::kRunning && state != TaskState::kFinalizing) return false;
    return report(group.progress(), group.items());
  };
}

/// A group that is aborted when nobody has it any more.
template <class Impl, class... Args>
std::shared_ptr<Impl> make_group(Args&&... args) {
  return {new Impl(std::forward<Args>(args)...), [](Impl* group) {
            if (!group->is_own_thread()) {
              delete group;
              return;
            }
            // Its report dropped it. The thread that reports cannot wait for itself.
            std::thread([group] { delete group; }).detach();
          }};
}

}  // namespace xet::detail

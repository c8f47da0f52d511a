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
    if (group.state().is_over()) return false;
    const bool go_on = report(group.progress(), group.items());
    if (group.state().state() == TaskState::kCancelled) group.let_go();  // it may have been the report
    return go_on;
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
            // Its report dropped it. The thread that reports cannot wait for itself, but there is nothing
            // more to report.
            group->cancel();
            std::thread([group] { delete group; }).detach();
          }};
}

}  // namespace xet::detail

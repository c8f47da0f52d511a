#include "base/clock.h"

#include <algorithm>

namespace xet {

namespace {
class SystemClock final : public Clock {
 public:
  std::chrono::steady_clock::time_point now() const override { return std::chrono::steady_clock::now(); }
  std::chrono::system_clock::time_point wall_now() const override { return std::chrono::system_clock::now(); }
  void wait_until(std::condition_variable& changed, std::unique_lock<std::mutex>& lock,
                  std::chrono::steady_clock::time_point until) const override {
    changed.wait_until(lock, until);
  }
};
}  // namespace

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

uint64_t unix_seconds(std::chrono::system_clock::time_point time) {
  const auto since_1970 = std::chrono::floor<std::chrono::seconds>(time.time_since_epoch());
  return static_cast<uint64_t>(std::max<int64_t>(since_1970.count(), 0));
}

int64_t unix_milliseconds(std::chrono::system_clock::time_point time) {
  return std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

}  // namespace xet

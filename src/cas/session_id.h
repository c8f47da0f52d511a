#pragma once

#include <chrono>
#include <functional>
#include <string>

namespace xet::cas {

/// A UUID of version 7: sorts by time, the rest is from `random` (uniform in [0, 1)).
std::string make_session_id(std::chrono::system_clock::time_point now, const std::function<double()>& random);

}  // namespace xet::cas

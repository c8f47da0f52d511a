#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace xet::http {

/// Ends peers that move a body one byte a minute: until when the next bytes are due. Every `window`, at least
/// `min_bytes` must move, and all of it before `last`. Pure; times are the caller's.
class Pace {
 public:
  using Time = std::chrono::steady_clock::time_point;

  Pace(std::chrono::milliseconds window, size_t min_bytes, Time now, Time last)
      : window_(window), min_bytes_(min_bytes), window_end_(now + window), last_(last) {}

  Time deadline() const { return std::min(window_end_, last_); }
  void moved(size_t n_bytes, Time now) {
    moved_ += n_bytes;
    if (moved_ < min_bytes_) return;
    moved_ = 0;
    window_end_ = now + window_;
  }

 private:
  std::chrono::milliseconds window_;
  size_t min_bytes_;
  size_t moved_ = 0;  // in this window
  Time window_end_;
  Time last_;
};

}  // namespace xet::http

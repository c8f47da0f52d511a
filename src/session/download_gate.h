#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

#include "base/sync.h"
#include "base/unique_function.h"
#include "xet/download.h"

namespace xet {

/// Hands out places, and tells one of those who found none when there is one again.
class DownloadGate::Impl {
 public:
  explicit Impl(size_t max_files);

  /// Takes a place, or, when there is none, keeps `freed` to call it once: then there may be one. A second
  /// call of the same `who` replaces the first. `freed` must be short; it is called without a lock held.
  bool enter(const void* who, UniqueFunction<void()> freed);
  void leave();
  /// For who was told of a place and did not take it: tells the next one.
  void pass_on();
  /// Forgets `who`; its function goes uncalled.
  void forget(const void* who);

 private:
  struct State {
    size_t n_free;
    uint64_t n_arrived = 0;
    std::map<uint64_t, std::pair<const void*, UniqueFunction<void()>>> waiting;  // by arrival
  };
  Sync<State> state_;
};

}  // namespace xet

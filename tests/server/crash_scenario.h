#pragma once

#include <vector>

#include "server/sample_store.h"
#include "support/generators.h"

namespace xet::testing {

/// What the crash test's helper program stores, and what the test then looks for: two xorbs, a small file
/// over both, and a file of so many terms that its manifest is an object.
struct CrashScenario {
  SampleXorb a = make_xorb(40, 1, 20, 200);
  SampleXorb b = make_xorb(5, 2);
  std::vector<ChunkRun> small_runs = {{&a, 3, 9}, {&b, 0, 5}};
  std::vector<ChunkRun> large_runs = fragmented();
  ByteVector shard = make_shard({make_file(small_runs), make_file(large_runs)}, {&a, &b});

 private:
  std::vector<ChunkRun> fragmented() const {
    std::vector<ChunkRun> out;
    for (uint32_t i = 0; i < 2500; ++i) out.push_back({&a, (i * 7) % 40, (i * 7) % 40 + 1});
    return out;
  }
};

/// The xorbs that the helper's writers share, each of another size.
inline std::vector<SampleXorb> shared_xorbs() {
  std::vector<SampleXorb> out;
  for (uint64_t i = 0; i < 8; ++i) out.push_back(make_xorb(3 + i, 1000 + i));
  return out;
}

/// Exit codes of the helper program.
inline constexpr int kHelperCrashed = 77;     ///< stopped where it was told to
inline constexpr int kHelperWrongError = 78;  ///< a fault led to an error of the wrong kind

}  // namespace xet::testing

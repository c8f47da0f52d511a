#pragma once

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include "server/core/embedded_store.h"
#include "server/sample_store.h"
#include "support/fake_clock.h"

namespace xet::testing {

/// A store as the HTTP front has it, and a clock for it. A failure to open fails the test by an exception.
class Service {
 public:
  explicit Service(const std::filesystem::path& directory) {
    auto opened = core::open_embedded_store(directory, {.clock = &clock_});
    if (!opened) throw std::runtime_error(opened.error().message);
    store_ = *std::move(opened);
  }
  core::CasService& operator*() { return *store_.service; }
  core::CasService* operator->() { return store_.service.get(); }
  FakeClock& clock() { return clock_; }

  /// On behalf of a repository, made when it is missing.
  core::Principal of(std::string_view repository) {
    return {.repository = store_.service->repository(repository, true).value()};
  }
  Result<bool> put_xorb(const core::Principal& who, const SampleXorb& xorb) {
    const ByteSpan body(xorb.body);
    return store_.service->put_xorb(who, xorb.hash, std::span(&body, 1), {});
  }
  Result<core::PutShardOutcome> put_shard(const core::Principal& who, const ByteVector& shard) {
    return store_.service->put_shard(who, shard, {}, {});
  }
  /// A whole upload of one file over whole xorbs.
  FileHash put_file(const core::Principal& who, const std::vector<const SampleXorb*>& xorbs) {
    std::vector<ChunkRun> runs;
    for (const auto* xorb : xorbs) {
      if (!put_xorb(who, *xorb)) throw std::runtime_error("put_xorb");
      runs.push_back({xorb, 0, static_cast<uint32_t>(xorb->chunks.size())});
    }
    const auto file = make_file(runs);
    if (!put_shard(who, make_shard({file}, xorbs))) throw std::runtime_error("put_shard");
    return file.hash;
  }

 private:
  FakeClock clock_;
  core::EmbeddedStore store_;
};

/// For repository 0, which every store has, as the local client is.
inline constexpr core::Principal kOwner{.repository = store::kLocalRepository, .reads_every_file = true};

}  // namespace xet::testing

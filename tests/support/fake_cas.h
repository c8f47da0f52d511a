#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/sync.h"
#include "cas/cas.h"
#include "exec/in_flight.h"
#include "exec/thread_pool.h"
#include "format/shard.h"
#include "format/xorb_footer.h"

namespace xet::testing {

/// How FakeCas delivers one fetch.
struct FetchScript {
  size_t piece_bytes = SIZE_MAX;           ///< most bytes per filled()
  uint64_t stop_after_bytes = UINT64_MAX;  ///< then `outcome`, though more was asked for
  Status outcome;                          ///< at the end
};

/// A store in memory that verifies what it is given and misbehaves on request. A test scripts it before or
/// while the pipeline under test runs; every script function is called from the store's threads. Thread-safe.
class FakeCas final : public cas::Cas {
 public:
  enum class Op : uint8_t { kFileSize, kReconstruct, kFetch, kQueryDedup, kXorbExists, kPutXorb, kPutShard };
  static constexpr size_t kOps = 7;
  enum class Dedup : uint8_t { kNothing, kPlain, kKeyed };

  struct Options {
    size_t threads = 2;              ///< that callbacks come on; 0: on the caller's, before the call returns
    bool tells_chunk_hashes = true;  ///< false: as over HTTP
    bool trims_terms = true;         ///< ranged answers leave out chunks that lie outside
    bool joins_ranges = true;        ///< false: ranges to fetch that only touch stay apart
    Dedup dedup = Dedup::kNothing;
    std::filesystem::path shard_places;  ///< where the client keeps shards; empty: nowhere
  };
  FakeCas();
  explicit FakeCas(Options options);
  ~FakeCas() override;

  // --- Scripts

  /// Calls of this kind wait until release() or their stop token.
  void hold(Op op);
  void release(Op op);
  size_t n_held(Op op) const;
  /// Blocks until `n` calls are held; false when that takes more than half a minute.
  bool wait_for_held(Op op, size_t n);
  /// Asked for each call with its number, from 0; an error is the call's outcome.
  void fail(Op op, std::function<Status(size_t nth)> script);
  void script_fetch(std::function<FetchScript(size_t nth, const cas::FetchRequest&)> script);
  /// Changes answers; must not call the store.
  void edit_reconstructions(std::function<void(cas::Reconstruction&)> edit);
  /// Runs after a call of this kind took effect and before its callback.
  void after(Op op, std::function<void()> action);

  // --- What the store saw

  size_t calls(Op op) const;
  size_t most_at_once(Op op) const;
  uint64_t fetched_bytes() const;
  /// Names in the order in which the store acknowledged them first.
  std::vector<XorbHash> xorbs() const;
  uint64_t stored_bytes() const;  ///< of all xorbs, packed
  std::optional<format::FileRecord> file(const FileHash& file) const;
  size_t n_files() const;
  /// Whether a shard has told which chunks the xorb holds.
  bool describes(const XorbHash& xorb) const;
  std::vector<ChunkHash> queries() const;
  /// A file's bytes, decoded without any help of the pipelines. Throws when it cannot be.
  ByteVector content(const FileHash& file) const;

  /// The packed bytes of a xorb, to be damaged by a test before anybody fetches them.
  MutableByteSpan packed(const XorbHash& xorb);
  /// Where each chunk begins in the packed bytes, and one more: where the last ends.
  std::vector<uint64_t> chunk_begins(const XorbHash& xorb) const;
  /// Puts a xorb of these chunks and a file of them in, as they are cut here.
  FileHash add_file(const std::vector<ByteVector>& chunks);

  // --- cas::Cas

  const std::string& name() const override { return name_; }
  cas::ShardPlaces shard_places() const override;
  void file_size(const FileHash& file, std::stop_token stop, cas::Callback<uint64_t> done) override;
  void reconstruct(const FileHash& file, std::optional<cas::ByteRange> range, std::stop_token stop,
                   cas::Callback<cas::Reconstruction> done) override;
  void fetch(cas::FetchRequest request, std::stop_token stop, cas::Callback<void> done) override;
  void query_dedup(const ChunkHash& chunk, std::stop_token stop,
                   cas::Callback<std::optional<ByteVector>> done) override;
  void xorb_exists(const XorbHash& xorb, std::stop_token stop, cas::Callback<bool> done) override;
  void put_xorb(cas::XorbBody body, std::stop_token stop, cas::Callback<cas::PutXorbOutcome> done) override;
  void put_shard(ByteVector shard, std::stop_token stop, cas::Callback<void> done) override;

 private:
  struct StoredXorb {
    ByteVector packed;
    format::XorbFooter footer;
  };
  struct HeldCall;
  struct FetchRun;
  struct PerOp {
    size_t calls = 0;
    size_t running = 0;
    size_t most_at_once = 0;
    bool holding = false;
    std::vector<std::shared_ptr<HeldCall>> held;
    std::function<Status(size_t)> fail;
    std::function<void()> after;
  };
  struct State {
    std::array<PerOp, kOps> ops;
    std::map<XorbHash, StoredXorb> xorbs;
    std::vector<XorbHash> xorb_order;
    std::map<FileHash, format::FileRecord> files;
    std::set<XorbHash> described;
    std::vector<ChunkHash> queries;
    uint64_t fetched_bytes = 0;
    std::function<FetchScript(size_t, const cas::FetchRequest&)> script_fetch;
    std::function<void(cas::Reconstruction&)> edit;
  };

  PerOp& at(State& state, Op op) const { return state.ops[static_cast<size_t>(op)]; }
  /// Runs `work` on a thread of the store when the call may go on. `work` gets the scripted error, if any.
  void start(Op op, const std::stop_token& stop, UniqueFunction<void(Status, size_t nth)> work);
  void submit(exec::Task task);
  template <class T, class Answer>
  void run(Op op, const std::stop_token& stop, cas::Callback<T> done, Answer answer);
  void ended(Op op);

  Result<cas::Reconstruction> plan(const FileHash& file, const std::optional<cas::ByteRange>& range);
  Result<cas::PutXorbOutcome> store(const cas::XorbBody& body);
  Status take_shard(ByteSpan bytes);
  Status check_file(const State& state, const format::FileRecord& file) const;
  std::optional<ByteVector> dedup_answer(const ChunkHash& chunk);
  static void deliver(const std::shared_ptr<FetchRun>& run);

  const Options options_;
  const std::string name_ = "fake:";
  mutable Sync<State> state_;
  std::condition_variable held_changed_;
  exec::InFlight in_flight_;
  std::unique_ptr<exec::ThreadPool> pool_;
};

}  // namespace xet::testing

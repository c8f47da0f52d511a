#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/sync.h"
#include "cas/cas.h"
#include "codec/codec.h"
#include "dedup/known_xorbs.h"
#include "exec/in_flight.h"
#include "exec/memory.h"
#include "exec/thread_pool.h"
#include "exec/timer.h"
#include "format/shard_set.h"
#include "session/client_impl.h"
#include "session/file_assembly.h"
#include "session/ingest.h"
#include "session/monitor.h"
#include "session/open_xorb.h"
#include "session/staging.h"
#include "xet/upload.h"

namespace xet::session {

/// The back half of an upload: deduplicates chunks, packs new ones into xorbs, stores the xorbs and registers
/// the files.
///
/// One xorb is filled at a time and takes the chunks in the order in which they come, so equal input gives
/// equal xorbs. Everything that decides happens on one strand, in short steps; packing runs on the cpu pool,
/// storing in the Cas. When no xorb buffer is free the strand leaves the batches where they are, their blocks
/// stay taken, and the reader stops.
///
/// A dedup query never holds anything up: the file goes on, and what the answer covers is taken out of the
/// open xorb again when that is closed (which waits for answers under way, but not beyond kLateAnswer).
class Packer final : public BatchSink {
 public:
  static constexpr std::chrono::seconds kLateAnswer{2};

  struct Environment {
    Client::Impl& shared;
    cas::Cas* cas;  ///< null: only what this session sees is deduplicated
    bool dry_run;
    bool all_or_nothing;  ///< a failed file fails the session once all are through
    size_t xorb_bytes;    ///< limit of a xorb, packed and unpacked
    exec::BufferPool& xorb_buffers;
    const exec::InFlight& in_flight;
    exec::Strand strand;
    Monitor& monitor;
  };

  explicit Packer(Environment environment);
  ~Packer() override;

  /// The session's next file; called before anything of it is delivered. Any thread.
  void add_file(size_t index, std::string name, const FileOptions& options);
  /// Nothing of the file will be delivered. Any thread.
  void fail_file(size_t index, Error error);
  /// No more files come: finishes what is there, then stores the shard. Any thread.
  void finish();

  void on_batch(Batch batch) override;
  void on_sha256(size_t source, const Sha256Digest& digest) override;

  /// Waits until nothing is in flight and nothing can start. Not from a task.
  void shut_down();
  /// After shut_down(): the report, or why there is none. Takes it out.
  Result<UploadReport> take_report();
  /// After shut_down(): the session failed because the store does not have xorbs that earlier sessions had
  /// noted. Another one will not rely on them.
  bool relied_on_lost_xorbs() const { return relied_on_lost_xorbs_; }

 private:
  struct File {
    std::string name;
    FileOptions options;
    std::unique_ptr<FileAssembly> assembly;  // from the first chunk until its record is made
    Status status;
    bool settled = false;  // recorded or failed
    uint64_t n_chunks = 0;
    uint64_t next_query_at = 0;  // chunk index from which the next dedup query is allowed
    FileHash hash;
    uint64_t size_bytes = 0;
    std::optional<Sha256Digest> sha256;
    bool last_part_seen = false;
    DeduplicationMetrics metrics;

    FileReport report() const { return {name, hash, size_bytes, sha256, metrics}; }
  };
  /// How far the batch at the front of the backlog has come.
  struct Cursor {
    size_t part = 0;
    size_t chunk = 0;
    size_t stored_again = 0;  // chunks that follow a refused run and are stored without a look-up
  };
  struct PackJob {
    std::vector<uint32_t> entries;
    std::vector<size_t> places;
    std::vector<ByteSpan> chunks;
    size_t bytes = 0;
  };

  void load_known();
  void work();
  bool take_part(const Part& part);
  /// How many chunks from `chunks` on were taken as known; 0: none.
  size_t take_known(File& file, std::span<const Chunk> chunks);
  void take_new(File& file, size_t index, const Chunk& chunk);
  bool has_room_for(size_t chunk_len);
  void send_pack_job();
  void on_packed(const std::shared_ptr<OpenXorb>& xorb, const std::vector<uint32_t>& entries,
                 const std::vector<uint32_t>& packed);

  void maybe_ask(File& file, const ChunkHash& chunk);
  void on_answer(Result<std::optional<ByteVector>> answer);
  bool must_wait_for_answers();

  void close_xorb();
  std::vector<std::optional<dedup::ChunkPlace>> found_elsewhere(const OpenXorb& xorb);
  void use_answers(OpenXorb& xorb);
  void put_when_packed(const std::shared_ptr<OpenXorb>& xorb);
  void on_put(const std::shared_ptr<OpenXorb>& xorb, Result<cas::PutXorbOutcome> outcome);
  void count_new_up_to(OpenXorb& xorb, uint64_t bytes);
  static uint64_t unpacked_bytes(const OpenXorb& xorb);

  void settle_if_through(size_t index);
  void record(size_t index);
  bool must_flush_shard();
  void finish_if_done();
  void put_shard();
  void on_shard_put(Status status, uint64_t sent_bytes);

  Environment env_;
  exec::Timer timer_;
  std::stop_source stop_queries_;

  // What follows belongs to the strand.
  std::deque<File> files_;
  size_t n_settled_ = 0;
  std::deque<Batch> backlog_;
  Cursor cursor_;
  bool waiting_for_buffer_ = false;
  exec::Buffer next_buffer_;

  dedup::KnownXorbs known_;
  std::shared_ptr<OpenXorb> open_;
  std::shared_ptr<Block> job_block_;
  PackJob job_;
  std::vector<size_t> waiting_files_;  // complete, but with terms in the open xorb
  size_t puts_in_flight_ = 0;

  size_t queries_in_flight_ = 0;
  std::chrono::steady_clock::time_point last_query_;
  bool wait_timer_set_ = false;
  bool store_is_silent_ = false;  // an answer did not come in time, and none has come since
  uint64_t n_answers_ = 0;
  uint64_t answers_when_opened_ = 0;
  std::unordered_set<ChunkHash> asked_;

  std::set<uint32_t> used_staged_;  // xorbs of earlier sessions that files refer to, not yet in the shard
  format::ShardBuilder shard_;
  Staging staging_;
  bool finishing_ = false;
  bool putting_shard_ = false;
  bool done_ = false;
  bool relied_on_lost_xorbs_ = false;
  DeduplicationMetrics totals_;  // what belongs to no single file

  Sync<std::vector<std::unique_ptr<codec::Codec>>> codecs_;  // idle ones, for the pack tasks
  std::stop_callback<std::function<void()>> on_stop_;
};

}  // namespace xet::session

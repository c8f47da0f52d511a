#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "cas/cas.h"
#include "exec/in_flight.h"
#include "exec/memory.h"
#include "exec/thread_pool.h"
#include "hash/tree.h"
#include "io/file.h"
#include "session/chunk_decoder.h"
#include "session/client_impl.h"
#include "session/download_plan.h"
#include "session/monitor.h"
#include "session/range_receiver.h"
#include "xet/download.h"

namespace xet::session {

/// What the files of one download session share.
struct DownloadEnvironment {
  Client::Impl& shared;
  cas::Cas& cas;
  const exec::InFlight& in_flight;
  exec::Strand strand;
  Monitor& monitor;
  exec::BufferPool& buffers;
  DecoderPool& decoders;
  std::function<void()> ready;        ///< there may be something to start. On the strand
  std::function<void()> fetch_ended;  ///< one that start_fetch() began. On the strand
  std::function<void(size_t index, Result<DownloadedFile>)> settled;  ///< the file is through. On the strand
};

/// One file on its way: planned page by page, fetched in any order, each chunk decoded and hashed, written to
/// its place in a temporary file, the root compared, then published. Everything belongs to the session's
/// strand, except what runs as a task: decoding and writing (cpu pool), opening and publishing (blocking
/// pool).
class FileDownload {
 public:
  FileDownload(const DownloadEnvironment& env, size_t index, DownloadRequest request);
  const DownloadRequest& request() const { return request_; }

  /// The first step; settled() may come at once.
  void begin();
  /// A planned range waits to be fetched.
  bool can_fetch() const { return !error_ && temp_ != nullptr && !queued_.empty(); }
  /// Fetches the next planned range; fetch_ended() when it is through.
  void start_fetch();
  /// The plan runs out soon and there is more of the file.
  bool needs_page() const {
    return temp_ != nullptr && !error_ && !planned_ && !asking_ && queued_.size() < 2;
  }
  void ask_page();

 private:
  /// A range under way. What tasks use of it does not change after it was started, but for `term_begins`, of
  /// which the receiver sets each element before a task can look at it.
  struct Fetch {
    XorbHash xorb;
    cas::FetchRange range;
    std::vector<PlacedTerm> terms;
    std::vector<uint64_t> term_begins;    // where each term begins among the unpacked bytes of the range
    std::vector<hash::ChunkInfo> hashed;  // by position in the range; made when it is started
    size_t n_decoding = 0;
    bool received = false;
    bool is_through() const { return received && n_decoding == 0; }
  };
  /// A term whose chunk hashes are to go into the file's tree.
  struct Unhashed {
    std::shared_ptr<Fetch> fetch;
    cas::ChunkRange chunks;
  };

  template <class Step>
  void post(Step step) {
    env_.strand.post([token = env_.in_flight.token(), step = std::move(step)]() mutable { step(); });
  }

  void on_page(const cas::ByteRange& page, Result<cas::Reconstruction> answer);
  Status check_size(uint64_t planned_bytes) const;
  void queue_fetches(PagePlan plan);
  void prepare(uint64_t size_so_far);
  void on_prepared(Result<std::unique_ptr<io::AtomicFile>> opened);

  Status place_terms(Fetch& fetch, const FramedBlock& block);
  void decode(const std::shared_ptr<Fetch>& fetch, const FramedBlock& block);
  Status decode_and_write(const Fetch& fetch, const FramedBlock& block, std::vector<hash::ChunkInfo>& hashed);
  Status write(const Fetch& fetch, std::span<const DecodedChunk> chunks);
  void on_decoded(const std::shared_ptr<Fetch>& fetch, uint32_t first_chunk,
                  Result<std::vector<hash::ChunkInfo>> hashed);
  void end_fetch_if_through(const std::shared_ptr<Fetch>& fetch);
  void hash_what_is_through();

  void advance();
  void publish();
  void fail_with(Error error);
  void settle(Result<DownloadedFile> result);

  const DownloadEnvironment& env_;
  const size_t index_;
  const DownloadRequest request_;
  const bool is_whole_;
  const uint64_t output_begin_;  // file offset of the output's first byte
  const uint64_t window_;        // bytes that were asked for; tasks clip to this
  uint64_t output_size_;         // the same, cut at the end of the file once planned
  uint64_t next_page_;           // file offset
  bool planned_ = false;         // nothing more to ask
  bool asking_ = false;
  std::unique_ptr<io::AtomicFile>
      temp_;  // written to by tasks; set before the first begins, taken after the last ended

  std::deque<std::shared_ptr<Fetch>> queued_;
  size_t n_running_ = 0;           // fetches, and opening or publishing
  std::deque<Unhashed> unhashed_;  // in file order; only of whole files
  hash::TreeHasher tree_;
  std::string doubtful_xorbs_;  // see publish()

  std::optional<Error> error_;
  bool begun_ = false;
  bool settled_ = false;
  std::stop_source stop_;
  std::shared_ptr<bool> alive_ =
      std::make_shared<bool>(true);  // for what the caller's token posts, at any time
  std::stop_callback<std::function<void()>> on_session_stop_;
  std::stop_callback<std::function<void()>> on_own_stop_;
};

}  // namespace xet::session

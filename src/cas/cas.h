#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/unique_function.h"
#include "xet/hash.h"
#include "xet/result.h"

namespace xet::cas {

/// Called exactly once with the outcome, on a thread of the implementation or, before the call returns, on
/// the caller's. It must be short, must not block, and is never called with a lock held.
template <class T>
using Callback = UniqueFunction<void(Result<T>)>;

/// Half-open [begin, end).
struct ByteRange {
  uint64_t begin = 0;
  uint64_t end = 0;
  uint64_t size() const { return end - begin; }
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

/// Half-open range of chunk indices inside one xorb.
struct ChunkRange {
  uint32_t begin = 0;
  uint32_t end = 0;
  uint32_t size() const { return end - begin; }
  bool contains(const ChunkRange& inner) const { return begin <= inner.begin && inner.end <= end; }
  friend bool operator==(const ChunkRange&, const ChunkRange&) = default;
};

/// A contiguous run of chunks of one xorb that makes a contiguous part of a file.
struct Term {
  XorbHash xorb;
  ChunkRange chunks;
  uint32_t unpacked_len = 0;  ///< bytes of the whole run, also where the request cut into it
};

/// How an implementation remembers to fetch a range: URLs that end, for example. Immutable, any thread.
struct FetchTicket {
  virtual ~FetchTicket() = default;
};

/// One contiguous run of packed chunks that can be fetched.
struct FetchRange {
  ChunkRange chunks;
  ByteRange bytes;  ///< position in the packed xorb, chunk headers included, never the footer
  /// The store's own; null when it needs none. A range may only be fetched from the store that gave it.
  std::shared_ptr<const FetchTicket> ticket;
  /// Hash of each chunk, where the store tells (the HTTP protocol does not); empty otherwise.
  std::vector<ChunkHash> chunk_hashes;
};

/// How to rebuild a file, or a byte range of it, from xorbs.
struct Reconstruction {
  /// Bytes of the first term that lie before the range that was asked for.
  uint64_t offset_into_first_term = 0;
  std::vector<Term> terms;
  /// For each xorb the ranges that hold its terms: sorted by chunk, not overlapping. Every term lies inside
  /// exactly one of them (ranges that touch are merged, none is split); a range may serve many terms.
  std::unordered_map<XorbHash, std::vector<FetchRange>> fetches;
};

/// Receives the bytes of one fetch, in order, at its own pace: memory stays with the receiver, however long
/// the range. The sender calls it from one thread at a time and keeps it alive until the fetch's callback.
class FetchSink {
 public:
  virtual ~FetchSink() = default;
  /// Where the next bytes go: at least one byte long, valid until filled(). Empty when there is no memory
  /// now; then `resume` is called exactly once, later and from any thread, and the sender asks again.
  /// `resume` must be short.
  virtual MutableByteSpan room(UniqueFunction<void()> resume) = 0;
  /// The first `n_bytes` (at least 1) of the last room() hold data.
  virtual void filled(size_t n_bytes) = 0;
};

struct FetchRequest {
  XorbHash xorb;
  FetchRange
      range;  ///< as the reconstruction gave it; exactly range.bytes.size() bytes are delivered on success
  std::shared_ptr<FetchSink> sink;
  /// The sink may have no room for as long as its reader likes, and the reader may wait for other fetches
  /// meanwhile: they must not have to wait for this one.
  bool lets_others_pass = false;
};

/// A xorb ready to be stored: its packed chunks, without footer.
struct XorbBody {
  XorbHash hash;
  std::vector<ByteSpan> pieces;  ///< in order; each must stay valid until the callback
  uint64_t size_bytes = 0;       ///< sum of the pieces
  /// Told how many bytes of the body have left, where the store is far; begins anew with each attempt, and is
  /// gone before the callback. From one thread at a time; short. Empty: nobody wants to know.
  std::function<void(uint64_t)> on_sent = {};
};

struct PutXorbOutcome {
  bool was_inserted = false;  ///< false: the store had it already
  uint64_t sent_bytes = 0;    ///< what travelled: 0 when the store said so before the body was sent
};

/// Where a client keeps shards of this store: its own uploads and answers of dedup queries.
struct ShardPlaces {
  std::filesystem::path cache;    ///< shards of finished sessions and of dedup answers
  std::filesystem::path staging;  ///< shards of xorbs acknowledged by sessions that are not finished
};

/// A content-addressed store as the pipelines see it. Everything is asynchronous: a call returns at once and
/// its callback gets the outcome. A fired stop token ends the call soon with kCancelled. Thread-safe.
///
/// Implementations: LocalCas (server/local, `local:DIR`), HttpCas (src/cas, `http://…`).
/// Destroying a Cas waits for calls under way.
class Cas {
 public:
  virtual ~Cas() = default;

  /// The endpoint as a user would type it, for messages.
  virtual const std::string& name() const = 0;
  virtual ShardPlaces shard_places() const = 0;

  /// Logical size of a file. kNotFound when the store does not know it.
  virtual void file_size(const FileHash& file, std::stop_token stop, Callback<uint64_t> done) = 0;

  /// Terms that cover `range` (or the whole file). A range is cut at the end of the file; one that begins at
  /// or past the end, or is empty, gives no terms. kNotFound for an unknown file. The zero hash is the empty
  /// file.
  virtual void reconstruct(const FileHash& file, std::optional<ByteRange> range, std::stop_token stop,
                           Callback<Reconstruction> done) = 0;

  virtual void fetch(FetchRequest request, std::stop_token stop, Callback<void> done) = 0;
  /// How many fetches a caller should begin at most before the first has ended; more only wait inside.
  virtual size_t max_fetches() const { return 8; }

  /// The store's answer for a key chunk: a shard (docs/format/shard.md, perhaps keyed) that describes xorbs
  /// holding it, or nullopt. Errors are advisory: a dedup query never fails an upload.
  virtual void query_dedup(const ChunkHash& chunk, std::stop_token stop,
                           Callback<std::optional<ByteVector>> done) = 0;

  virtual void xorb_exists(const XorbHash& xorb, std::stop_token stop, Callback<bool> done) = 0;

  /// Done when the xorb is durable. The store verifies everything: kCorruption when the bytes do not make the
  /// hash.
  virtual void put_xorb(XorbBody body, std::stop_token stop, Callback<PutXorbOutcome> done) = 0;

  /// Registers the files of a shard in its upload form. Done when durable. kNotFound when it refers to a xorb
  /// that the store does not have. Registering a file again is no error.
  virtual void put_shard(ByteVector shard, std::stop_token stop, Callback<void> done) = 0;
};

}  // namespace xet::cas

#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "chunk/chunker.h"
#include "exec/in_flight.h"
#include "exec/memory.h"
#include "exec/thread_pool.h"
#include "hash/sha256.h"
#include "io/file.h"
#include "session/block.h"
#include "session/client_impl.h"
#include "xet/hash.h"
#include "xet/result.h"

namespace xet::session {

/// One chunk; the bytes lie in the block of its batch.
struct Chunk {
  ChunkHash hash;
  ByteSpan bytes;
};

/// What one block holds of one source.
struct Part {
  size_t source = 0;  ///< index given to Ingest
  std::vector<Chunk> chunks;
  bool last = false;  ///< nothing follows; always so when `status` is an error
  Status status;
};

/// The chunks that end in one block, of one big source or of several small ones. The block's memory goes back
/// when the last copy of `block` is gone.
struct Batch {
  std::shared_ptr<Block> block;
  std::vector<Part> parts;
};

/// Takes what Ingest makes. Both calls come one at a time, on the strand given to Ingest.
class BatchSink {
 public:
  virtual ~BatchSink() = default;
  /// In the order in which sources were added, and of the bytes within each (streams join when their bytes
  /// come).
  virtual void on_batch(Batch batch) = 0;
  /// Once per source whose SHA-256 is wanted and that did not fail; before or after its last part.
  virtual void on_sha256(size_t source, const Sha256Digest& digest) = 0;
};

/// The front half of every upload, plan and hash: reads sources, cuts them into chunks and hashes them, on
/// all cores even for one big file. A block of input is read and scanned for triggers by any thread in any
/// order; which triggers are cuts is settled per file in order (cheap); the chunks are hashed in any order;
/// and batches are put back in order before they reach the sink. SHA-256 runs beside, block by block.
///
/// Memory: the blocks of `blocks`. They are handed out in the order of the bytes, and a block in the hands of
/// a task needs nothing more to get done, so the pipeline moves with as little as one block.
///
/// All calls from one thread at a time. The destructor expects that `stop` has fired or all sources are
/// through.
class Ingest {
 public:
  struct Environment {
    exec::ThreadPool& cpu;
    exec::BufferPool& blocks;
    const exec::InFlight& in_flight;
    exec::Strand sink_strand;
    BatchSink& sink;
    std::stop_token stop;
  };

  explicit Ingest(Environment environment);
  ~Ingest();
  Ingest(const Ingest&) = delete;
  Ingest& operator=(const Ingest&) = delete;

  /// A regular file whose size was `expected.size_bytes` when it was added. A file that is different when it
  /// is opened or has changed when it was read gives kIo.
  void add_file(size_t source, std::filesystem::path path, const io::FileInfo& expected, bool want_sha256);
  /// Bytes that stay valid until the source is through.
  void add_bytes(size_t source, std::span<const std::byte> bytes, bool want_sha256);

  /// A source whose bytes are pushed.
  class Stream;
  std::shared_ptr<Stream> add_stream(size_t source, bool want_sha256);

 private:
  struct Item;
  struct Piece;
  class Lane;

  void enqueue(Item item);
  void pump();
  void use_block(exec::Buffer buffer);
  void start_group(std::shared_ptr<Block> block);
  void start_piece(std::shared_ptr<Block> block);
  void read_group(uint64_t seq, const std::shared_ptr<Block>& block, const std::vector<Item>& items);
  Part read_small(const Item& item, MutableByteSpan room);
  void deliver(uint64_t seq, Batch batch);

  Environment env_;
  exec::Strand feed_;  // owns queue_, lane_ and waiting_for_block_
  std::deque<Item> queue_;
  std::shared_ptr<Lane> lane_;  // of the big file at the front of the queue, once begun
  bool waiting_for_block_ = false;
  std::atomic<uint64_t> next_seq_{0};  // place of a batch in the total order; a counter, pairs with nothing

  struct Reorder {
    std::map<uint64_t, Batch> early;
    uint64_t next = 0;
  };
  Reorder reorder_;  // touched on the sink's strand only
};

/// Pushed bytes become blocks as they come. write() and finish() from one thread at a time.
class Ingest::Stream {
 public:
  Stream(Ingest& ingest, std::shared_ptr<Lane> lane);
  /// Blocks while memory is full; kCancelled when the session ends.
  Status write(ByteSpan bytes);
  /// The last bytes; with an error status the source fails with it.
  void finish(Status status);
  /// A write() that waits for memory ends with kCancelled, and every later one. From any thread.
  void cancel() { stop_.request_stop(); }

 private:
  Status flush(bool last);

  Ingest& ingest_;
  std::shared_ptr<Lane> lane_;
  std::stop_source stop_;
  ByteVector pending_;  // small writes gather here, so that an idle stream holds no block
};

}  // namespace xet::session

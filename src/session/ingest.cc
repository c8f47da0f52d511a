#include "session/ingest.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <utility>

#include "base/sync.h"
#include "hash/blake3.h"
#include "session/wait.h"

namespace xet::session {

namespace {

// A file up to this size shares a block with others and is worked on by one task; a larger one is spread over
// the cores.
constexpr uint64_t kSmallFileBytes = uint64_t{1} << 20;
constexpr size_t kMaxGroupFiles = 256;
// Hashing is spread in steps of this many bytes: long enough to drown the cost of a task.
constexpr size_t kHashStepBytes = size_t{1} << 20;
// Pushed bytes gather to this before they take a block.
constexpr size_t kStreamGatherBytes = size_t{1} << 20;

tl::unexpected<Error> fail_changed(const std::filesystem::path& path) {
  return fail(ErrorCode::kIo, fmt::format("{} changed while it was read; try again when nothing writes to it",
                                          path.string()));
}

tl::unexpected<Error> fail_cancelled() {
  return fail(ErrorCode::kCancelled, "cancelled");
}

/// The file, if it is still what it was when it was added.
Result<io::File> open_unchanged(const std::filesystem::path& path, const io::FileInfo& expected) {
  XET_TRY(auto file, io::File::open_read(path));
  XET_TRY(const auto info, file.info());
  if (info != expected) return fail_changed(path);
  return file;
}

Status check_unchanged(const io::File& file, const io::FileInfo& expected) {
  XET_TRY(const auto info, file.info());
  if (info != expected) return fail_changed(file.path());
  return {};
}

}  // namespace

/// A source in the queue: a file or bytes in memory.
struct Ingest::Item {
  size_t source = 0;
  bool want_sha256 = false;
  std::filesystem::path path;
  io::FileInfo expected;
  std::optional<ByteSpan> bytes;

  uint64_t size() const { return bytes ? bytes->size() : expected.size_bytes; }
  bool is_small() const { return size() <= kSmallFileBytes; }
};

/// One block of one big source on its way.
struct Ingest::Piece {
  uint64_t index = 0;  // among the source's blocks
  uint64_t seq = 0;    // among all batches
  std::shared_ptr<Block> block;
  bool last = false;
  Status status;
  chunk::Candidates candidates;
};

/// One big source being cut. Its blocks are scanned by anybody in any order; what must be in order (SHA-256,
/// and which triggers are cuts) happens on strands.
class Ingest::Lane : public std::enable_shared_from_this<Ingest::Lane> {
 public:
  Lane(Ingest& ingest, size_t source, bool want_sha256)
      : ingest_(ingest), source_(source), strand_(ingest.env_.cpu), sha_strand_(ingest.env_.cpu) {
    if (want_sha256) sha_.emplace();
  }

  /// `file` is checked for changes when all of it was read.
  void set_file(io::File file, const io::FileInfo& expected) {
    file_ = std::move(file);
    expected_ = expected;
  }

  /// Reads bytes [offset, offset + n) of the file with what lies before them, and hands the block on. Any
  /// thread.
  void read(Piece piece, uint64_t offset, size_t n_bytes) {
    auto& block = *piece.block;
    const size_t context = std::min<uint64_t>(offset, chunk::kMaxContext);
    const auto before = block.before_room(context);
    if (ingest_.env_.stop.stop_requested()) {
      piece.status = fail_cancelled();
    } else {
      const MutableByteSpan into(before.data(), context + n_bytes);
      auto got = file_.read_at(offset - context, into);
      if (!got) {
        piece.status = tl::unexpected(got.error());
      } else if (*got != into.size()) {
        piece.status = fail_changed(file_.path());
      }
    }
    block.set_size(n_bytes);
    block_ready(std::move(piece));
  }

  /// The block holds its bytes, and in front of them the context that the scan needs. Any thread, any order.
  void block_ready(Piece piece) {
    if (sha_ && piece.status) {
      strand_.post([self = shared_from_this(), token = ingest_.env_.in_flight.token(), index = piece.index,
                    last = piece.last, block = piece.block]() mutable {
        self->sha_waiting_.emplace(index, ShaPiece{std::move(block), last});
        self->feed_sha();
      });
    }
    if (piece.status) {
      piece.candidates = chunk::find_candidates(piece.block->with_before(), piece.block->before());
    }
    strand_.post([self = shared_from_this(), token = ingest_.env_.in_flight.token(),
                  piece = std::move(piece)]() mutable {
      self->scanned_.emplace(piece.index, std::move(piece));
      self->resolve_ready();
    });
  }

  // Used by whoever feeds the lane, one at a time.
  uint64_t next_index = 0;
  uint64_t next_offset = 0;
  /// Set on the strand when the source failed, read by the feeder, which then stops early. Nothing hangs on
  /// when it sees it, so relaxed order is enough.
  std::atomic<bool> failed{false};

 private:
  struct ShaPiece {
    std::shared_ptr<Block> block;
    bool last;
  };

  void feed_sha() {
    for (auto it = sha_waiting_.begin(); it != sha_waiting_.end() && it->first == next_sha_;) {
      sha_strand_.post(
          [self = shared_from_this(), token = ingest_.env_.in_flight.token(), piece = std::move(it->second)] {
            if (self->ingest_.env_.stop.stop_requested()) return;
            self->sha_->update(piece.block->data());
            if (!piece.last) return;
            self->ingest_.env_.sink_strand.post(
                [self, token = self->ingest_.env_.in_flight.token(), digest = self->sha_->finish()] {
                  self->ingest_.env_.sink.on_sha256(self->source_, digest);
                });
          });
      it = sha_waiting_.erase(it);
      ++next_sha_;
    }
  }

  void resolve_ready() {
    for (auto it = scanned_.begin(); it != scanned_.end() && it->first == next_resolve_;) {
      Piece piece = std::move(it->second);
      it = scanned_.erase(it);
      ++next_resolve_;
      resolve(std::move(piece));
    }
  }

  void resolve(Piece piece) {
    if (over_) {  // later blocks of a failed source only keep their place in the order
      ingest_.deliver(piece.seq, {});
      return;
    }
    if (piece.status && piece.last && file_.is_open()) piece.status = check_unchanged(file_, expected_);
    if (!piece.status) {
      over_ = true;
      failed.store(true, std::memory_order_relaxed);
      Batch batch;
      batch.parts.push_back({source_, {}, true, std::move(piece.status)});
      ingest_.deliver(piece.seq, std::move(batch));
      return;
    }

    auto& block = *piece.block;
    std::vector<uint32_t> cuts;
    resolver_.resolve(piece.candidates, block.with_before(), block.before(), cuts);
    const size_t size = block.data().size();
    if (piece.last && resolver_.finish() != 0) cuts.push_back(static_cast<uint32_t>(size));

    auto batch = std::make_shared<Batch>();
    batch->block = piece.block;
    auto& part = batch->parts.emplace_back(Part{source_, {}, piece.last, {}});
    block.set_before(tail_);  // the open chunk of the blocks before
    const ByteSpan all = block.with_before();
    size_t begin = 0;
    for (const uint32_t cut : cuts) {
      const size_t end = tail_.size() + cut;
      part.chunks.push_back({{}, all.subspan(begin, end - begin)});
      begin = end;
    }
    ByteVector open(all.begin() + static_cast<ptrdiff_t>(begin), all.end());
    tail_.swap(open);
    hash(piece.seq, batch);
  }

  /// Hashes the chunks in parallel steps; whoever finishes the last step delivers.
  void hash(uint64_t seq, const std::shared_ptr<Batch>& batch) {
    const std::span<Chunk> chunks = batch->parts.front().chunks;
    std::vector<std::span<Chunk>> steps;
    for (size_t begin = 0; begin < chunks.size();) {
      size_t end = begin;
      for (size_t bytes = 0; end < chunks.size() && bytes < kHashStepBytes; ++end)
        bytes += chunks[end].bytes.size();
      steps.push_back(chunks.subspan(begin, end - begin));
      begin = end;
    }
    if (steps.empty()) {
      ingest_.deliver(seq, std::move(*batch));
      return;
    }
    // counts down with acquire-release, so that the last step sees the hashes of all others
    auto left = std::make_shared<std::atomic<size_t>>(steps.size());
    for (const auto step : steps) {
      ingest_.env_.cpu.submit(
          [self = shared_from_this(), token = ingest_.env_.in_flight.token(), step, left, batch, seq] {
            for (auto& chunk : step) chunk.hash = hash::chunk_hash(chunk.bytes);
            if (left->fetch_sub(1, std::memory_order_acq_rel) == 1)
              self->ingest_.deliver(seq, std::move(*batch));
          });
    }
  }

  Ingest& ingest_;
  const size_t source_;
  io::File file_;
  io::FileInfo expected_;

  exec::Strand strand_;  // owns what follows
  std::map<uint64_t, ShaPiece> sha_waiting_;
  uint64_t next_sha_ = 0;
  std::map<uint64_t, Piece> scanned_;
  uint64_t next_resolve_ = 0;
  chunk::CutResolver resolver_;
  ByteVector tail_;  // bytes of the chunk that is open at the end of the last block
  bool over_ = false;

  exec::Strand sha_strand_;  // owns sha_
  std::optional<hash::Sha256> sha_;
};

Ingest::Ingest(Environment environment) : env_(std::move(environment)), feed_(env_.cpu) {}
Ingest::~Ingest() = default;

void Ingest::add_file(size_t source, std::filesystem::path path, const io::FileInfo& expected,
                      bool want_sha256) {
  enqueue({source, want_sha256, std::move(path), expected, std::nullopt});
}

void Ingest::add_bytes(size_t source, std::span<const std::byte> bytes, bool want_sha256) {
  enqueue({source, want_sha256, {}, {}, bytes});
}

void Ingest::enqueue(Item item) {
  feed_.post([this, token = env_.in_flight.token(), item = std::move(item)]() mutable {
    queue_.push_back(std::move(item));
    pump();
  });
}

void Ingest::pump() {
  if (waiting_for_block_ || queue_.empty()) return;
  waiting_for_block_ = true;
  env_.blocks.acquire([this, token = env_.in_flight.token()](exec::Buffer buffer) mutable {
    feed_.post([this, token = std::move(token), buffer = std::move(buffer)]() mutable {
      waiting_for_block_ = false;
      use_block(std::move(buffer));
      pump();
    });
  });
}

void Ingest::use_block(exec::Buffer buffer) {
  if (!buffer) {  // the session ends
    for (const auto& item : queue_) {
      Batch batch;
      batch.parts.push_back({item.source, {}, true, fail_cancelled()});
      deliver(next_seq_++, std::move(batch));
    }
    queue_.clear();
    return;
  }
  auto block = std::make_shared<Block>(std::move(buffer));
  if (lane_ == nullptr && queue_.front().is_small()) {
    start_group(std::move(block));
  } else {
    start_piece(std::move(block));
  }
}

void Ingest::start_group(std::shared_ptr<Block> block) {
  std::vector<Item> items;
  size_t total = 0;
  while (!queue_.empty() && queue_.front().is_small() && items.size() < kMaxGroupFiles &&
         total + queue_.front().size() <= Block::kDataBytes) {
    total += queue_.front().size();
    items.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  env_.cpu.submit([this, token = env_.in_flight.token(), seq = next_seq_++, block = std::move(block),
                   items = std::move(items)] { read_group(seq, block, items); },
                  exec::Priority::kTakesMemory);
}

void Ingest::read_group(uint64_t seq, const std::shared_ptr<Block>& block, const std::vector<Item>& items) {
  Batch batch;
  batch.block = block;
  auto room = block->room();
  for (const auto& item : items) {
    batch.parts.push_back(read_small(item, room.first(item.size())));
    room = room.subspan(item.size());
  }
  deliver(seq, std::move(batch));
}

Part Ingest::read_small(const Item& item, MutableByteSpan room) {
  Part part{item.source, {}, true, {}};
  part.status = [&]() -> Status {
    if (env_.stop.stop_requested()) return fail_cancelled();
    if (item.bytes) {
      if (!room.empty()) std::memcpy(room.data(), item.bytes->data(), room.size());
      return {};
    }
    XET_TRY(const auto file, open_unchanged(item.path, item.expected));
    XET_TRY(const size_t n, file.read_at(0, room));
    if (n != room.size()) return fail_changed(item.path);
    return check_unchanged(file, item.expected);
  }();
  if (!part.status) return part;

  size_t begin = 0;
  for (const uint32_t length : chunk::chunk_lengths(room)) {
    const auto bytes = room.subspan(begin, length);
    part.chunks.push_back({hash::chunk_hash(bytes), bytes});
    begin += length;
  }
  if (item.want_sha256) {
    env_.sink_strand.post([this, token = env_.in_flight.token(), source = item.source,
                           digest = hash::sha256(room)] { env_.sink.on_sha256(source, digest); });
  }
  return part;
}

void Ingest::start_piece(std::shared_ptr<Block> block) {
  Item& item = queue_.front();
  Status status;
  if (lane_ == nullptr) {
    lane_ = std::make_shared<Lane>(*this, item.source, item.want_sha256);
    if (!item.bytes) {
      auto file = open_unchanged(item.path, item.expected);
      if (file) {
        lane_->set_file(std::move(*file), item.expected);
      } else {
        status = tl::unexpected(std::move(file).error());
      }
    }
  }
  const uint64_t offset = lane_->next_offset;
  const size_t n_bytes = std::min<uint64_t>(Block::kDataBytes, item.size() - offset);
  lane_->next_offset += n_bytes;
  const bool give_up = !status || lane_->failed.load(std::memory_order_relaxed);
  const bool last = give_up || lane_->next_offset == item.size();

  Piece piece{lane_->next_index++, next_seq_++, std::move(block), last, std::move(status), {}};
  if (item.bytes) {
    const size_t context = std::min<uint64_t>(offset, chunk::kMaxContext);
    std::memcpy(piece.block->before_room(context).data(), item.bytes->data() + offset - context,
                context + n_bytes);
    piece.block->set_size(n_bytes);
  }
  env_.cpu.submit(
      [token = env_.in_flight.token(), lane = lane_, piece = std::move(piece), offset, n_bytes,
       in_memory = item.bytes.has_value()]() mutable {
        if (in_memory || !piece.status) {
          lane->block_ready(std::move(piece));
        } else {
          lane->read(std::move(piece), offset, n_bytes);
        }
      },
      exec::Priority::kTakesMemory);
  if (last) {
    lane_.reset();
    queue_.pop_front();
  }
}

void Ingest::deliver(uint64_t seq, Batch batch) {
  env_.sink_strand.post([this, token = env_.in_flight.token(), seq, batch = std::move(batch)]() mutable {
    reorder_.early.emplace(seq, std::move(batch));
    for (auto it = reorder_.early.begin(); it != reorder_.early.end() && it->first == reorder_.next;) {
      Batch next = std::move(it->second);
      it = reorder_.early.erase(it);
      ++reorder_.next;
      if (!next.parts.empty()) env_.sink.on_batch(std::move(next));
    }
  });
}

// --- Streams
// --------------------------------------------------------------------------------------------------------

std::shared_ptr<Ingest::Stream> Ingest::add_stream(size_t source, bool want_sha256) {
  return std::make_shared<Stream>(*this, std::make_shared<Lane>(*this, source, want_sha256));
}

Ingest::Stream::Stream(Ingest& ingest, std::shared_ptr<Lane> lane)
    : ingest_(ingest), lane_(std::move(lane)) {}

Status Ingest::Stream::write(ByteSpan bytes) {
  while (!bytes.empty()) {
    const size_t n = std::min(bytes.size(), kStreamGatherBytes + chunk::kMaxContext - pending_.size());
    append_bytes(pending_, bytes.first(n));
    bytes = bytes.subspan(n);
    if (pending_.size() >= kStreamGatherBytes + chunk::kMaxContext) XET_TRY_STATUS(flush(false));
  }
  return {};
}

/// Sends what is gathered. `pending_` begins with the context of up to 63 bytes that was sent before.
Status Ingest::Stream::flush(bool last) {
  Waiter<exec::Buffer> waiter;
  ingest_.env_.blocks.acquire(
      [done = waiter.callback()](exec::Buffer buffer) mutable { done(std::move(buffer)); });
  auto buffer = waiter.wait(stop_.get_token());
  if (!buffer || !**buffer) return fail_cancelled();

  auto block = std::make_shared<Block>(std::move(**buffer));
  const size_t context = std::min<uint64_t>(lane_->next_offset, chunk::kMaxContext);
  const ByteSpan fresh = ByteSpan(pending_).subspan(context);
  block->set_before(ByteSpan(pending_).first(context));
  if (!fresh.empty()) std::memcpy(block->room().data(), fresh.data(), fresh.size());
  block->set_size(fresh.size());
  lane_->next_offset += fresh.size();

  const size_t keep = std::min(pending_.size(), chunk::kMaxContext);
  pending_.erase(pending_.begin(), pending_.end() - static_cast<ptrdiff_t>(keep));
  Piece piece{lane_->next_index++, ingest_.next_seq_++, std::move(block), last, {}, {}};
  ingest_.env_.cpu.submit([token = ingest_.env_.in_flight.token(), lane = lane_,
                           piece = std::move(piece)]() mutable { lane->block_ready(std::move(piece)); });
  return {};
}

void Ingest::Stream::finish(Status status) {
  if (status) status = flush(true);
  if (status) return;
  Piece piece{lane_->next_index++, ingest_.next_seq_++, nullptr, true, std::move(status), {}};
  lane_->block_ready(std::move(piece));
}

}  // namespace xet::session

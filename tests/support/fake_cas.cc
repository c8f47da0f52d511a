#include "support/fake_cas.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <utility>

#include "base/check.h"
#include "codec/codec.h"
#include "format/shard_set.h"
#include "format/xorb_check.h"
#include "hash/blake3.h"
#include "hash/tree.h"

namespace xet::testing {

namespace {

Status cancelled() {
  return fail(ErrorCode::kCancelled, "cancelled");
}

uint64_t packed_begin(const format::XorbBoundaries& ends, size_t chunk) {
  return chunk == 0 ? 0 : ends.packed_ends[chunk - 1];
}

/// Sorts ranges of one xorb and joins those that overlap, and those that touch if wanted.
std::vector<cas::FetchRange> merged(std::vector<cas::FetchRange> ranges, bool join_touching) {
  std::ranges::sort(ranges, {}, [](const auto& range) { return range.chunks.begin; });
  std::vector<cas::FetchRange> out;
  for (auto& range : ranges) {
    if (!out.empty() && range.chunks.begin < out.back().chunks.end + (join_touching ? 1 : 0)) {
      out.back().chunks.end = std::max(out.back().chunks.end, range.chunks.end);
      out.back().bytes.end = std::max(out.back().bytes.end, range.bytes.end);
    } else {
      out.push_back(std::move(range));
    }
  }
  return out;
}

}  // namespace

/// A call that waits for release(). Whoever takes `go` first runs it.
struct FakeCas::HeldCall {
  Sync<UniqueFunction<void(bool stopped)>> go;
  std::optional<std::stop_callback<std::function<void()>>> on_stop;

  void run(bool stopped) {
    UniqueFunction<void(bool)> taken;
    std::swap(*go.lock(), taken);
    if (taken) taken(stopped);
  }
};

FakeCas::FakeCas() : FakeCas(Options()) {}
FakeCas::FakeCas(Options options) : options_(std::move(options)) {
  if (options_.threads > 0) pool_ = std::make_unique<exec::ThreadPool>(options_.threads);
}
FakeCas::~FakeCas() {
  in_flight_.wait();
}

cas::ShardPlaces FakeCas::shard_places() const {
  // below a device nothing can be made, whoever runs the tests
  const std::filesystem::path root =
      options_.shard_places.empty() ? "/dev/null/nowhere" : options_.shard_places;
  return {.cache = root / "cache", .staging = root / "staging"};
}

// --- Scripts

void FakeCas::hold(Op op) {
  at(*state_.lock(), op).holding = true;
}

void FakeCas::release(Op op) {
  std::vector<std::shared_ptr<HeldCall>> held;
  {
    auto state = state_.lock();
    at(*state, op).holding = false;
    held.swap(at(*state, op).held);
  }
  for (const auto& call : held) call->run(false);
}

size_t FakeCas::n_held(Op op) const {
  return at(*state_.lock(), op).held.size();
}

bool FakeCas::wait_for_held(Op op, size_t n) {
  auto state = state_.lock();
  return state.wait_until(system_clock(), held_changed_,
                          std::chrono::steady_clock::now() + std::chrono::seconds(30),
                          [&] { return at(*state, op).held.size() >= n; });
}

void FakeCas::fail(Op op, std::function<Status(size_t)> script) {
  at(*state_.lock(), op).fail = std::move(script);
}

void FakeCas::script_fetch(std::function<FetchScript(size_t, const cas::FetchRequest&)> script) {
  state_.lock()->script_fetch = std::move(script);
}

void FakeCas::edit_reconstructions(std::function<void(cas::Reconstruction&)> edit) {
  state_.lock()->edit = std::move(edit);
}

void FakeCas::after(Op op, std::function<void()> action) {
  at(*state_.lock(), op).after = std::move(action);
}

// --- What the store saw

size_t FakeCas::calls(Op op) const {
  return at(*state_.lock(), op).calls;
}
size_t FakeCas::most_at_once(Op op) const {
  return at(*state_.lock(), op).most_at_once;
}
uint64_t FakeCas::fetched_bytes() const {
  return state_.lock()->fetched_bytes;
}
std::vector<XorbHash> FakeCas::xorbs() const {
  return state_.lock()->xorb_order;
}
uint64_t FakeCas::stored_bytes() const {
  uint64_t out = 0;
  auto state = state_.lock();
  for (const auto& [hash, xorb] : state->xorbs) out += xorb.packed.size();
  return out;
}
std::optional<format::FileRecord> FakeCas::file(const FileHash& file) const {
  auto state = state_.lock();
  const auto found = state->files.find(file);
  if (found == state->files.end()) return std::nullopt;
  return found->second;
}
size_t FakeCas::n_files() const {
  return state_.lock()->files.size();
}
bool FakeCas::describes(const XorbHash& xorb) const {
  return state_.lock()->described.contains(xorb);
}
std::vector<ChunkHash> FakeCas::queries() const {
  return state_.lock()->queries;
}

ByteVector FakeCas::content(const FileHash& file) const {
  auto state = state_.lock();
  ByteVector out;
  codec::Codec codec;
  ByteVector room(format::kMaxChunkBytes);
  for (const auto& term : state->files.at(file).terms) {
    const auto& xorb = state->xorbs.at(term.xorb);
    for (uint32_t i = term.chunk_begin; i < term.chunk_end; ++i) {
      const auto begin = packed_begin(xorb.footer.ends, i);
      const auto encoded =
          ByteSpan(xorb.packed).subspan(begin, packed_begin(xorb.footer.ends, i + 1) - begin);
      constexpr size_t kHeader = format::ChunkHeader::kEncodedSize;
      const auto header = format::ChunkHeader::parse(encoded.first<kHeader>());
      if (!header) throw std::runtime_error(header.error().message);
      const auto chunk = format::decode_chunk(*header, encoded.subspan(kHeader), codec, room);
      if (!chunk) throw std::runtime_error(chunk.error().message);
      append_bytes(out, *chunk);
    }
  }
  return out;
}

MutableByteSpan FakeCas::packed(const XorbHash& xorb) {
  return state_.lock()->xorbs.at(xorb).packed;
}

std::vector<uint64_t> FakeCas::chunk_begins(const XorbHash& xorb) const {
  auto state = state_.lock();
  const auto& ends = state->xorbs.at(xorb).footer.ends.packed_ends;
  std::vector<uint64_t> out{0};
  out.insert(out.end(), ends.begin(), ends.end());
  return out;
}

FileHash FakeCas::add_file(const std::vector<ByteVector>& chunks) {
  codec::Codec codec;
  StoredXorb xorb;
  ByteVector room(format::max_encoded_chunk(format::kMaxChunkBytes));
  std::vector<hash::ChunkInfo> infos;
  std::vector<ChunkHash> hashes;
  uint32_t total = 0;
  for (const auto& chunk : chunks) {
    append_bytes(xorb.packed, ByteSpan(room).first(format::encode_chunk(chunk, codec, room)));
    hashes.push_back(hash::chunk_hash(chunk));
    infos.push_back({hashes.back(), static_cast<uint32_t>(chunk.size())});
    total += infos.back().len_bytes;
  }
  auto footer = format::rebuild_footer(xorb.packed, codec);
  if (!footer) throw std::runtime_error(footer.error().message);
  xorb.footer = std::move(*footer);
  format::FileRecord record;
  record.hash = hash::file_hash(infos);
  record.terms = {{xorb.footer.hash, total, 0, static_cast<uint32_t>(chunks.size())}};
  record.verification = {hash::range_hash(hashes)};
  auto state = state_.lock();
  const auto [at, is_new] = state->xorbs.emplace(xorb.footer.hash, std::move(xorb));
  if (is_new) state->xorb_order.push_back(at->first);
  const auto name = record.hash;
  state->files.insert_or_assign(name, std::move(record));
  return name;
}

// --- Calls

void FakeCas::submit(exec::Task task) {
  if (pool_ == nullptr) return task();
  pool_->submit(std::move(task));
}

void FakeCas::start(Op op, const std::stop_token& stop, UniqueFunction<void(Status, size_t)> work) {
  auto call = std::make_shared<HeldCall>();
  bool hold = false;
  {
    auto state = state_.lock();
    auto& per_op = at(*state, op);
    const size_t nth = per_op.calls++;
    per_op.most_at_once = std::max(per_op.most_at_once, ++per_op.running);
    *call->go.lock() = [this, stop, nth, script = per_op.fail, work = std::move(work),
                        token = in_flight_.token()](bool stopped) mutable {
      submit([stop, nth, stopped, script = std::move(script), work = std::move(work),
              token = std::move(token)]() mutable {
        Status status;
        if (stopped || stop.stop_requested()) {
          status = cancelled();
        } else if (script) {
          status = script(nth);
        }
        work(std::move(status), nth);
      });
    };
    hold = per_op.holding;
    if (hold) per_op.held.push_back(call);
  }
  if (!hold) return call->run(false);
  // weak: the callback lives in the call itself
  call->on_stop.emplace(stop, [weak = std::weak_ptr(call)] {
    if (const auto self = weak.lock()) self->run(true);
  });
  held_changed_.notify_all();
}

void FakeCas::ended(Op op) {
  std::function<void()> action;
  {
    auto state = state_.lock();
    --at(*state, op).running;
    action = at(*state, op).after;
  }
  if (action) action();
}

template <class T, class Answer>
void FakeCas::run(Op op, const std::stop_token& stop, cas::Callback<T> done, Answer answer) {
  start(op, stop,
        [this, op, done = std::move(done), answer = std::move(answer)](Status status, size_t) mutable {
          Result<T> result = status ? answer() : Result<T>(tl::unexpected(std::move(status).error()));
          ended(op);
          done(std::move(result));
        });
}

void FakeCas::file_size(const FileHash& file, std::stop_token stop, cas::Callback<uint64_t> done) {
  run<uint64_t>(Op::kFileSize, stop, std::move(done), [this, file]() -> Result<uint64_t> {
    const auto record = this->file(file);
    if (!record) return xet::fail(ErrorCode::kNotFound, "no such file");
    return record->size_bytes();
  });
}

void FakeCas::reconstruct(const FileHash& file, std::optional<cas::ByteRange> range, std::stop_token stop,
                          cas::Callback<cas::Reconstruction> done) {
  run<cas::Reconstruction>(Op::kReconstruct, stop, std::move(done),
                           [this, file, range] { return plan(file, range); });
}

Result<cas::Reconstruction> FakeCas::plan(const FileHash& file, const std::optional<cas::ByteRange>& range) {
  cas::Reconstruction out;
  auto state = state_.lock();
  const auto found = state->files.find(file);
  if (found == state->files.end()) return xet::fail(ErrorCode::kNotFound, "no such file");
  const uint64_t begin = range ? range->begin : 0;
  const uint64_t end = std::min(range ? range->end : UINT64_MAX, found->second.size_bytes());
  uint64_t at = 0;
  for (const auto& term : found->second.terms) {
    const uint64_t term_end = at + term.unpacked_len;
    if (begin < end && at < end && term_end > begin) {
      const auto& ends = state->xorbs.at(term.xorb).footer.ends;
      cas::ChunkRange chunks{term.chunk_begin, term.chunk_end};
      uint32_t len = term.unpacked_len;
      uint64_t first_byte = at;
      if (options_.trims_terms) {
        for (; first_byte + ends.chunk_len(chunks.begin) <= begin; ++chunks.begin) {
          first_byte += ends.chunk_len(chunks.begin);
          len -= ends.chunk_len(chunks.begin);
        }
        for (; first_byte + len - ends.chunk_len(chunks.end - 1) >= end; --chunks.end) {
          len -= ends.chunk_len(chunks.end - 1);
        }
      }
      if (out.terms.empty()) out.offset_into_first_term = begin - first_byte;
      out.terms.push_back({term.xorb, chunks, len});
      out.fetches[term.xorb].push_back(
          {chunks, {packed_begin(ends, chunks.begin), packed_begin(ends, chunks.end)}, {}, {}});
    }
    at = term_end;
  }
  for (auto& [hash, ranges] : out.fetches) {
    ranges = merged(std::move(ranges), options_.joins_ranges);
    const auto& hashes = state->xorbs.at(hash).footer.chunk_hashes;
    for (auto& fetch : ranges) {
      if (!options_.tells_chunk_hashes) continue;
      fetch.chunk_hashes.assign(hashes.begin() + fetch.chunks.begin, hashes.begin() + fetch.chunks.end);
    }
  }
  if (state->edit) state->edit(out);
  return out;
}

/// One fetch under way. Owns itself through the task or the receiver's `resume` that goes on with it.
struct FakeCas::FetchRun {
  FakeCas& cas;
  cas::FetchRequest request;
  std::stop_token stop;
  cas::Callback<void> done;
  FetchScript script;
  exec::InFlight::Token token;
  ByteVector bytes;
  size_t delivered = 0;
  bool over = false;
  // Parked without room: whoever clears it goes on. Set to 2 by a resume that comes before the park.
  std::atomic<int> parked{0};
  std::optional<std::stop_callback<std::function<void()>>> on_stop;

  static void go_on(const std::shared_ptr<FetchRun>& self, int seen) {
    if (self->parked.exchange(seen) == 1) self->cas.submit([self] { deliver(self); });
  }
};

void FakeCas::fetch(cas::FetchRequest request, std::stop_token stop, cas::Callback<void> done) {
  start(
      Op::kFetch, stop,
      [this, request = std::move(request), stop, done = std::move(done)](Status status, size_t nth) mutable {
        FetchScript script;
        ByteVector bytes;
        {
          auto state = state_.lock();
          if (status && state->script_fetch) script = state->script_fetch(nth, request);
          const auto xorb = state->xorbs.find(request.xorb);
          const auto& range = request.range.bytes;
          if (!status) {
            script = {.stop_after_bytes = 0, .outcome = std::move(status)};
          } else if (xorb == state->xorbs.end()) {
            script = {.stop_after_bytes = 0, .outcome = xet::fail(ErrorCode::kNotFound, "no such xorb")};
          } else if (range.begin > range.end || range.end > xorb->second.packed.size()) {
            script = {.stop_after_bytes = 0,
                      .outcome = xet::fail(ErrorCode::kInvalidArgument, "a range outside the xorb")};
          } else {
            const auto packed = ByteSpan(xorb->second.packed).subspan(range.begin, range.size());
            bytes.assign(packed.begin(), packed.end());
          }
        }
        auto fetch =
            std::shared_ptr<FetchRun>(new FetchRun{*this, std::move(request), stop, std::move(done),
                                                   std::move(script), in_flight_.token(), std::move(bytes)});
        fetch->on_stop.emplace(stop, [weak = std::weak_ptr(fetch)] {
          if (const auto self = weak.lock()) FetchRun::go_on(self, 2);
        });
        deliver(fetch);
      });
}

void FakeCas::deliver(const std::shared_ptr<FetchRun>& run) {
  const auto finish = [&](Status status) {
    run->over = true;
    run->cas.state_.lock()->fetched_bytes += run->delivered;
    run->cas.ended(Op::kFetch);
    run->request.sink.reset();
    auto done = std::move(run->done);
    done(std::move(status));
  };
  const size_t end = std::min<uint64_t>(run->bytes.size(), run->script.stop_after_bytes);
  while (run->delivered < end) {
    run->parked = 0;
    if (run->stop.stop_requested()) return finish(cancelled());
    auto room = run->request.sink->room([run] { FetchRun::go_on(run, 2); });
    if (room.empty()) {
      int expected = 0;
      if (run->parked.compare_exchange_strong(expected, 1)) return;
      continue;
    }
    const size_t n = std::min({room.size(), end - run->delivered, run->script.piece_bytes});
    std::copy_n(run->bytes.begin() + static_cast<ptrdiff_t>(run->delivered), n, room.begin());
    run->delivered += n;
    run->request.sink->filled(n);
  }
  if (run->stop.stop_requested()) return finish(cancelled());
  finish(std::move(run->script.outcome));
}

void FakeCas::query_dedup(const ChunkHash& chunk, std::stop_token stop,
                          cas::Callback<std::optional<ByteVector>> done) {
  state_.lock()->queries.push_back(chunk);
  run<std::optional<ByteVector>>(
      Op::kQueryDedup, stop, std::move(done),
      [this, chunk]() -> Result<std::optional<ByteVector>> { return dedup_answer(chunk); });
}

std::optional<ByteVector> FakeCas::dedup_answer(const ChunkHash& chunk) {
  if (options_.dedup == Dedup::kNothing) return std::nullopt;
  format::Shard shard;
  auto state = state_.lock();
  for (const auto& [hash, xorb] : state->xorbs) {
    if (std::ranges::find(xorb.footer.chunk_hashes, chunk) == xorb.footer.chunk_hashes.end()) continue;
    format::XorbRecord record{hash, {}, 0, 0};
    for (size_t i = 0; i < xorb.footer.chunk_count(); ++i) {
      const auto info = xorb.footer.chunk(i);
      record.chunks.push_back({info.hash, record.unpacked_bytes, info.len_bytes, 0});
      record.unpacked_bytes += info.len_bytes;
    }
    shard.xorbs.push_back(std::move(record));
  }
  if (shard.xorbs.empty()) return std::nullopt;
  const auto key = options_.dedup == Dedup::kKeyed ? HmacKey::from_words(1, 2, 3, 4) : HmacKey();
  auto answer = format::keyed_export(shard, {.key = key, .has_tables = true});
  XET_CHECK(answer.has_value());
  return std::move(*answer);
}

void FakeCas::xorb_exists(const XorbHash& xorb, std::stop_token stop, cas::Callback<bool> done) {
  run<bool>(Op::kXorbExists, stop, std::move(done),
            [this, xorb]() -> Result<bool> { return state_.lock()->xorbs.contains(xorb); });
}

void FakeCas::put_xorb(cas::XorbBody body, std::stop_token stop, cas::Callback<cas::PutXorbOutcome> done) {
  run<cas::PutXorbOutcome>(Op::kPutXorb, stop, std::move(done),
                           [this, body = std::move(body)] { return store(body); });
}

Result<cas::PutXorbOutcome> FakeCas::store(const cas::XorbBody& body) {
  StoredXorb xorb;
  for (const auto& piece : body.pieces) append_bytes(xorb.packed, piece);
  if (xorb.packed.size() != body.size_bytes)
    return xet::fail(ErrorCode::kCorruption, "not the length it says");
  codec::Codec codec;
  XET_TRY(xorb.footer, format::rebuild_footer(xorb.packed, codec));
  if (xorb.footer.hash != body.hash) return xet::fail(ErrorCode::kCorruption, "not the xorb it says");
  auto state = state_.lock();
  if (!state->xorbs.emplace(body.hash, std::move(xorb)).second) return cas::PutXorbOutcome{};
  state->xorb_order.push_back(body.hash);
  return cas::PutXorbOutcome{.was_inserted = true, .sent_bytes = body.size_bytes};
}

void FakeCas::put_shard(ByteVector shard, std::stop_token stop, cas::Callback<void> done) {
  run<void>(Op::kPutShard, stop, std::move(done),
            [this, shard = std::move(shard)] { return take_shard(shard); });
}

Status FakeCas::take_shard(ByteSpan bytes) {
  if (bytes.size() > format::kMaxShardBytes) return xet::fail(ErrorCode::kRefused, "the shard is too large");
  XET_TRY(auto shard, format::Shard::parse(bytes));
  if (shard.footer || !shard.is_sorted()) return xet::fail(ErrorCode::kCorruption, "not an upload form");
  auto state = state_.lock();
  for (const auto& xorb : shard.xorbs) {
    const auto stored = state->xorbs.find(xorb.hash);
    if (stored == state->xorbs.end()) return xet::fail(ErrorCode::kNotFound, "a xorb was not uploaded");
    const auto& hashes = stored->second.footer.chunk_hashes;
    if (!std::ranges::equal(xorb.chunks, hashes, {}, &format::XorbChunk::hash)) {
      return xet::fail(ErrorCode::kCorruption, "a xorb is described wrongly");
    }
  }
  for (const auto& file : shard.files) XET_TRY_STATUS(check_file(*state, file));
  for (const auto& xorb : shard.xorbs) state->described.insert(xorb.hash);
  for (auto& file : shard.files) {
    const auto name = file.hash;
    state->files.insert_or_assign(name, std::move(file));
  }
  return {};
}

/// Everything that can be checked of a file record is.
Status FakeCas::check_file(const State& state, const format::FileRecord& file) const {
  if (!file.has_verification) return xet::fail(ErrorCode::kCorruption, "a file without verification");
  hash::TreeHasher tree;
  for (size_t t = 0; t < file.terms.size(); ++t) {
    const auto& term = file.terms[t];
    const auto found = state.xorbs.find(term.xorb);
    if (found == state.xorbs.end()) return xet::fail(ErrorCode::kNotFound, "a term's xorb is not here");
    const auto& footer = found->second.footer;
    XET_TRY(const auto len, footer.ends.unpacked_len(term.chunk_begin, term.chunk_end));
    if (len != term.unpacked_len) return xet::fail(ErrorCode::kCorruption, "a term has another length");
    const auto hashes =
        std::span(footer.chunk_hashes).subspan(term.chunk_begin, term.chunk_end - term.chunk_begin);
    if (hash::range_hash(hashes) != file.verification[t]) {
      return xet::fail(ErrorCode::kCorruption, "a term has another range hash");
    }
    for (uint32_t i = term.chunk_begin; i < term.chunk_end; ++i) tree.add(footer.chunk(i));
  }
  if (tree.finish_file() != file.hash)
    return xet::fail(ErrorCode::kCorruption, "the terms make another file");
  return {};
}

}  // namespace xet::testing

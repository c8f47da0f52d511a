#include "session/packer.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "hash/tree.h"
#include "io/file.h"

namespace xet::session {

namespace {

// Chunks of about this many bytes are packed by one task.
constexpr size_t kPackStepBytes = size_t{1} << 20;
// A file asks for at most one key chunk in this many, as the genuine client does; its first chunk always.
constexpr uint64_t kQuerySpacing = 256;
constexpr size_t kMaxQueriesInFlight = 16;
// Chunk hashes of which the store was asked are remembered so that it is asked once; not more than this many.
constexpr size_t kMaxAsked = 65536;
// Index entries take up to 23 bytes: a twelfth of the default memory cap, and 64 GB of chunks.
constexpr size_t kMaxIndexedChunks = size_t{1} << 20;

}  // namespace

Packer::Packer(Environment environment)
    : env_(std::move(environment)),
      timer_(env_.shared.clock()),
      known_(kMaxIndexedChunks),
      staging_(env_.cas != nullptr ? std::optional(env_.cas->shard_places()) : std::nullopt),
      on_stop_(env_.monitor.stop_token(), [this] { stop_queries_.request_stop(); }) {
  env_.strand.post([this, token = env_.in_flight.token()] {
    staging_.load(known_, kMaxIndexedChunks, unix_seconds(env_.shared.clock().wall_now()));
  });
}

Packer::~Packer() = default;

void Packer::shut_down() {
  env_.in_flight.wait();
  timer_.stop();  // its last task may have posted once more
  env_.in_flight.wait();
}

// --- Files come and go
// ----------------------------------------------------------------------------------------------

void Packer::add_file(size_t index, std::string name, const FileOptions& options) {
  env_.strand.post([this, token = env_.in_flight.token(), index, name = std::move(name), options]() mutable {
    XET_CHECK(index == files_.size());
    auto& file = files_.emplace_back();
    file.name = std::move(name);
    file.options = options;
  });
}

void Packer::fail_file(size_t index, Error error) {
  env_.strand.post([this, token = env_.in_flight.token(), index, error = std::move(error)]() mutable {
    files_[index].status = tl::unexpected(std::move(error));
    settle_if_through(index);
  });
}

void Packer::finish() {
  env_.strand.post([this, token = env_.in_flight.token()] {
    finishing_ = true;
    finish_if_done();
  });
}

void Packer::on_sha256(size_t source, const Sha256Digest& digest) {
  files_[source].sha256 = digest;
  settle_if_through(source);
}

void Packer::settle_if_through(size_t index) {
  auto& file = files_[index];
  if (file.settled) return;
  if (!file.status) {
    file.settled = true;
    file.assembly.reset();
    if (file.options.on_read) file.options.on_read(tl::unexpected(file.status.error()));
  } else {
    if (!file.last_part_seen || (file.options.sha256 == Sha256Policy::kCompute && !file.sha256)) return;
    file.settled = true;
    if (file.assembly == nullptr) file.assembly = std::make_unique<FileAssembly>();  // an empty file
    file.hash = file.assembly->seal();
    file.size_bytes = file.assembly->size_bytes();
    if (file.options.sha256 == Sha256Policy::kProvided) file.sha256 = file.options.provided_sha256;
    if (file.options.on_read) file.options.on_read(file.report());
    if (open_ != nullptr && file.assembly->refers_to(open_->id())) {
      waiting_files_.push_back(index);
    } else {
      record(index);
    }
  }
  ++n_settled_;
  env_.monitor.done_files.fetch_add(1, std::memory_order_relaxed);
  finish_if_done();
}

void Packer::record(size_t index) {
  auto& file = files_[index];
  auto record = file.assembly->finish(known_);
  record.sha256 = file.sha256;
  file.assembly.reset();
  shard_.add(std::move(record));
}

Result<UploadReport> Packer::take_report() {
  if (!done_) {  // a cancel that came after the store had acknowledged everything came too late
    XET_TRY_STATUS(env_.monitor.status());
    return fail(ErrorCode::kInternal, "the upload came to rest before it was done");
  }
  UploadReport report;
  report.metrics = totals_;
  report.files.reserve(files_.size());
  for (auto& file : files_) {
    report.metrics += file.metrics;
    if (!file.status) {
      report.files.emplace_back(tl::unexpected(std::move(file.status).error()));
      continue;
    }
    report.files.emplace_back(file.report());
  }
  report.metrics.total_bytes_uploaded =
      report.metrics.xorb_bytes_uploaded + report.metrics.shard_bytes_uploaded;
  return report;
}

// --- Deduplication
// --------------------------------------------------------------------------------------------------

void Packer::on_batch(Batch batch) {
  backlog_.push_back(std::move(batch));
  work();
}

void Packer::work() {
  while (!backlog_.empty() && !env_.monitor.stopped()) {
    Batch& batch = backlog_.front();
    job_block_ = batch.block;
    while (cursor_.part < batch.parts.size()) {
      if (must_flush_shard() || !take_part(batch.parts[cursor_.part])) {
        send_pack_job();
        return;  // goes on when there is a buffer, the answers are there, or the shard is stored
      }
      auto& part = batch.parts[cursor_.part];
      cursor_ = {cursor_.part + 1, 0, 0};
      if (!part.last) continue;
      auto& file = files_[part.source];
      file.status = std::move(part.status);
      file.last_part_seen = true;
      settle_if_through(part.source);
    }
    send_pack_job();
    job_block_.reset();
    backlog_.pop_front();
    cursor_ = {};
  }
  if (env_.monitor.stopped()) {
    job_block_.reset();
    backlog_.clear();
  }
  finish_if_done();
}

bool Packer::take_part(const Part& part) {
  auto& file = files_[part.source];
  if (!part.chunks.empty() && file.assembly == nullptr) file.assembly = std::make_unique<FileAssembly>();
  while (cursor_.chunk < part.chunks.size()) {
    const auto rest = std::span(part.chunks).subspan(cursor_.chunk);
    size_t n_taken = 0;
    if (cursor_.stored_again == 0) n_taken = take_known(file, rest);
    if (n_taken == 0) {
      if (!has_room_for(rest.front().bytes.size())) return false;
      take_new(file, part.source, rest.front());
      if (cursor_.stored_again > 0) --cursor_.stored_again;
      n_taken = 1;
    }
    cursor_.chunk += n_taken;
  }
  return true;
}

size_t Packer::take_known(File& file, std::span<const Chunk> chunks) {
  auto& assembly = *file.assembly;
  const auto next = assembly.continuation();
  const bool continues = next && known_.holds(*next, chunks.front().hash);
  const auto place = continues ? next : known_.find(chunks.front().hash);
  if (!place) {
    maybe_ask(file, chunks.front().hash);
    return 0;
  }

  uint32_t n = 1;
  while (n < chunks.size() && known_.holds({place->xorb, place->chunk + n}, chunks[n].hash)) ++n;
  uint64_t bytes = 0;
  for (const auto& chunk : chunks.first(n)) bytes += chunk.bytes.size();
  if (!continues && !assembly.fragmentation.allows(n)) {
    file.metrics.defrag_prevented_dedup_chunks += n;
    file.metrics.defrag_prevented_dedup_bytes += bytes;
    cursor_.stored_again = n;
    return 0;
  }

  for (uint32_t i = 0; i < n; ++i) {
    assembly.add({chunks[i].hash, static_cast<uint32_t>(chunks[i].bytes.size())},
                 {place->xorb, place->chunk + i});
  }
  file.n_chunks += n;
  file.metrics.total_chunks += n;
  file.metrics.total_bytes += bytes;
  file.metrics.deduped_chunks += n;
  file.metrics.deduped_bytes += bytes;
  if (known_.origin(place->xorb) == dedup::Origin::kStaged) used_staged_.insert(place->xorb);
  if (known_.origin(place->xorb) == dedup::Origin::kAnswer) {
    file.metrics.deduped_chunks_by_global_dedup += n;
    file.metrics.deduped_bytes_by_global_dedup += bytes;
  }
  env_.monitor.done_bytes.fetch_add(bytes, std::memory_order_release);
  count_done(file.options.progress, bytes);
  return n;
}

void Packer::take_new(File& file, size_t index, const Chunk& chunk) {
  const hash::ChunkInfo info{chunk.hash, static_cast<uint32_t>(chunk.bytes.size())};
  const uint32_t entry = open_->add(info.hash, info.len_bytes, index, cursor_.stored_again > 0);
  known_.append(open_->id(), info.hash);
  file.assembly->add(info, {open_->id(), entry});
  ++file.n_chunks;
  ++file.metrics.total_chunks;
  file.metrics.total_bytes += info.len_bytes;
  ++file.metrics.new_chunks;
  file.metrics.new_bytes += info.len_bytes;
  env_.monitor.done_bytes.fetch_add(info.len_bytes, std::memory_order_release);
  count_done(file.options.progress, info.len_bytes);

  job_.entries.push_back(entry);
  job_.places.push_back(open_->entries()[entry].place);
  job_.chunks.push_back(chunk.bytes);
  job_.bytes += info.len_bytes;
  if (job_.bytes >= kPackStepBytes) send_pack_job();
}

// --- Asking the store
// -----------------------------------------------------------------------------------------------

void Packer::maybe_ask(File& file, const ChunkHash& chunk) {
  if (env_.cas == nullptr || file.n_chunks < file.next_query_at) return;
  if (file.n_chunks != 0 && !format::is_dedup_key(chunk)) return;
  if (queries_in_flight_ >= kMaxQueriesInFlight || asked_.size() >= kMaxAsked) return;
  file.next_query_at = file.n_chunks + kQuerySpacing;
  if (!asked_.insert(chunk).second) return;
  ++queries_in_flight_;
  last_query_ = env_.shared.clock().now();
  env_.cas->query_dedup(
      chunk, stop_queries_.get_token(),
      [this, token = env_.in_flight.token()](Result<std::optional<ByteVector>> answer) {
        env_.strand.post([this, inner = env_.in_flight.token(), answer = std::move(answer)]() mutable {
          on_answer(std::move(answer));
        });
      });
}

void Packer::on_answer(Result<std::optional<ByteVector>> answer) {
  --queries_in_flight_;
  store_is_silent_ = false;
  if (answer && *answer) {
    const auto kept = env_.dry_run
                          ? Result<std::filesystem::path>(fail(ErrorCode::kInvalidArgument, "dry run"))
                          : staging_.keep_answer(**answer);
    const auto known = kept ? known_.add_shard_file(*kept, dedup::Origin::kAnswer)
                            : known_.add_shard(std::move(**answer), dedup::Origin::kAnswer);
    if (known) {
      ++n_answers_;
    } else if (kept) {  // a broken answer only loses us matches
      (void)io::remove_file(*kept);
    }
  }
  work();
}

bool Packer::must_wait_for_answers() {
  if (queries_in_flight_ == 0 || store_is_silent_) return false;
  const auto late = last_query_ + kLateAnswer;
  if (env_.shared.clock().now() >= late) {
    store_is_silent_ = true;
    return false;
  }
  if (!std::exchange(wait_timer_set_, true)) {
    // without a token: the query under way holds one, and the session ends the timer before it lets go of
    // this
    timer_.at(late, [this] {
      env_.strand.post([this, token = env_.in_flight.token()] {
        wait_timer_set_ = false;
        work();
      });
    });
  }
  return true;
}

// --- Packing
// --------------------------------------------------------------------------------------------------------

bool Packer::has_room_for(size_t chunk_len) {
  if (open_ != nullptr && open_->has_room_for(chunk_len)) return true;
  if (open_ != nullptr) {
    if (must_wait_for_answers()) return false;
    close_xorb();
  }
  if (!next_buffer_) {
    if (!std::exchange(waiting_for_buffer_, true)) {
      env_.xorb_buffers.acquire([this, token = env_.in_flight.token()](exec::Buffer buffer) {
        env_.strand.post([this, inner = env_.in_flight.token(), buffer = std::move(buffer)]() mutable {
          waiting_for_buffer_ = false;
          next_buffer_ = std::move(buffer);
          work();
        });
      });
    }
    return false;
  }
  open_ = std::make_shared<OpenXorb>(known_.open_xorb(), env_.xorb_bytes, std::move(next_buffer_));
  answers_when_opened_ = n_answers_;
  return true;
}

void Packer::send_pack_job() {
  if (job_.entries.empty()) return;
  ++open_->packing;
  env_.shared.cpu().submit([this, token = env_.in_flight.token(), xorb = open_, block = job_block_,
                            job = std::exchange(job_, {})]() mutable {
    std::unique_ptr<codec::Codec> codec;
    {
      auto idle = codecs_.lock();
      if (!idle->empty()) {
        codec = std::move(idle->back());
        idle->pop_back();
      }
    }
    if (codec == nullptr) codec = std::make_unique<codec::Codec>();
    std::vector<uint32_t> packed;
    packed.reserve(job.entries.size());
    for (size_t i = 0; i < job.entries.size(); ++i) {
      const auto room = xorb->place(job.places[i], job.chunks[i].size());
      packed.push_back(static_cast<uint32_t>(format::encode_chunk(job.chunks[i], *codec, room)));
    }
    codecs_.lock()->push_back(std::move(codec));
    block.reset();
    env_.strand.post([this, inner = env_.in_flight.token(), xorb = std::move(xorb),
                      entries = std::move(job.entries),
                      packed = std::move(packed)] { on_packed(xorb, entries, packed); });
  });
}

void Packer::on_packed(const std::shared_ptr<OpenXorb>& xorb, const std::vector<uint32_t>& entries,
                       const std::vector<uint32_t>& packed) {
  for (size_t i = 0; i < entries.size(); ++i) xorb->entries()[entries[i]].packed_len = packed[i];
  --xorb->packing;
  if (xorb->closed) put_when_packed(xorb);
}

// --- Closing and storing a xorb
// -------------------------------------------------------------------------------------

void Packer::close_xorb() {
  send_pack_job();
  const auto xorb = std::exchange(open_, nullptr);
  if (n_answers_ != answers_when_opened_) use_answers(*xorb);
  hash::TreeHasher tree;
  for (const auto& entry : xorb->entries()) {
    if (!entry.dropped) tree.add(hash::ChunkInfo{entry.hash, entry.len_bytes});
  }
  if (tree.size() > 0) known_.close_xorb(xorb->id(), tree.finish_xorb());
  xorb->closed = true;
  ++puts_in_flight_;
  for (const size_t index : std::exchange(waiting_files_, {})) record(index);
  put_when_packed(xorb);
}

/// Where chunks of the open xorb are already, as answers have shown since; nothing for those that stay. The
/// rule against shattering holds here too, for the xorb as it does for a file.
std::vector<std::optional<dedup::ChunkPlace>> Packer::found_elsewhere(const OpenXorb& xorb) {
  const auto& entries = xorb.entries();
  std::vector<std::optional<dedup::ChunkPlace>> out(entries.size());
  dedup::FragmentationGuard fragmentation;
  bool last_stays = false;
  for (size_t i = 0; i < entries.size();) {
    const auto place = entries[i].wanted ? std::nullopt : known_.find_outside(xorb.id(), entries[i].hash);
    uint32_t n = 1;
    if (place) {
      while (i + n < entries.size() && known_.holds({place->xorb, place->chunk + n}, entries[i + n].hash))
        ++n;
    }
    const bool stays = !place || !fragmentation.allows(n);
    if (stays && last_stays) {
      fragmentation.last_segment_extended(n);
    } else {
      fragmentation.segment_added(n);
    }
    last_stays = stays;
    for (uint32_t k = 0; k < n; ++k) {
      if (!stays) {
        out[i + k] = dedup::ChunkPlace{place->xorb, place->chunk + k};
      } else if (place) {
        auto& metrics = files_[entries[i + k].file].metrics;
        ++metrics.defrag_prevented_dedup_chunks;
        metrics.defrag_prevented_dedup_bytes += entries[i + k].len_bytes;
      }
    }
    i += n;
  }
  return out;
}

/// Chunks that an answer has shown to be in the store already are taken out of the xorb, and the files that
/// refer to them are turned to where they are.
void Packer::use_answers(OpenXorb& xorb) {
  auto& entries = xorb.entries();
  const auto elsewhere = found_elsewhere(xorb);
  if (std::none_of(elsewhere.begin(), elsewhere.end(), [](const auto& place) { return place.has_value(); })) {
    return;
  }
  const uint32_t old_id = xorb.id();
  const uint32_t new_id = known_.open_xorb();
  std::vector<dedup::ChunkPlace> new_place(entries.size());
  std::vector<hash::ChunkInfo> chunks(entries.size());
  uint32_t n_kept = 0;
  for (size_t i = 0; i < entries.size(); ++i) {
    auto& entry = entries[i];
    chunks[i] = {entry.hash, entry.len_bytes};
    if (!elsewhere[i]) {
      new_place[i] = {new_id, n_kept++};
      known_.append(new_id, entry.hash);
      continue;
    }
    new_place[i] = *elsewhere[i];
    entry.dropped = true;
    auto& metrics = files_[entry.file].metrics;
    --metrics.new_chunks;
    metrics.new_bytes -= entry.len_bytes;
    ++metrics.deduped_chunks;
    metrics.deduped_bytes += entry.len_bytes;
    if (known_.origin(elsewhere[i]->xorb) != dedup::Origin::kAnswer) continue;
    ++metrics.deduped_chunks_by_global_dedup;
    metrics.deduped_bytes_by_global_dedup += entry.len_bytes;
  }
  known_.drop(old_id);
  xorb.set_id(new_id);
  for (auto& file : files_) {
    if (file.assembly != nullptr) file.assembly->relocate(old_id, new_place, chunks);
  }
}

void Packer::put_when_packed(const std::shared_ptr<OpenXorb>& xorb) {
  if (xorb->packing > 0) return;
  cas::XorbBody body{known_.hash(xorb->id()), xorb->pieces(), 0};
  for (const auto& piece : body.pieces) body.size_bytes += piece.size();
  for (const auto& entry : xorb->entries()) {
    if (!entry.dropped) files_[entry.file].metrics.compressed_bytes += entry.packed_len;
  }
  env_.monitor.total_new_bytes.fetch_add(unpacked_bytes(*xorb), std::memory_order_relaxed);
  if (env_.dry_run || body.pieces.empty() || env_.monitor.stopped()) {
    env_.strand.post([this, token = env_.in_flight.token(), xorb] { on_put(xorb, cas::PutXorbOutcome{}); });
    return;
  }
  // What has left of the body stands for as much of the content; the rest is counted when it is acknowledged.
  body.on_sent = [this, xorb, token = std::make_shared<exec::InFlight::Token>(env_.in_flight.token()),
                  packed = body.size_bytes, unpacked = unpacked_bytes(*xorb)](uint64_t sent) {
    const auto part = static_cast<double>(std::min(sent, packed)) / static_cast<double>(packed);
    count_new_up_to(*xorb, static_cast<uint64_t>(part * static_cast<double>(unpacked)));
  };
  env_.cas->put_xorb(
      std::move(body), env_.monitor.stop_token(),
      [this, token = env_.in_flight.token(), xorb](Result<cas::PutXorbOutcome> outcome) mutable {
        env_.strand.post([this, inner = env_.in_flight.token(), xorb,
                          outcome = std::move(outcome)]() mutable { on_put(xorb, std::move(outcome)); });
      });
}

/// Counts what of the xorb's content is known to have been transferred; repeated attempts count once.
void Packer::count_new_up_to(OpenXorb& xorb, uint64_t bytes) {
  uint64_t before = xorb.counted.load(std::memory_order_relaxed);
  while (before < bytes && !xorb.counted.compare_exchange_weak(before, bytes, std::memory_order_relaxed)) {
  }
  if (before < bytes) env_.monitor.done_new_bytes.fetch_add(bytes - before, std::memory_order_release);
}

uint64_t Packer::unpacked_bytes(const OpenXorb& xorb) {
  uint64_t out = 0;
  for (const auto& entry : xorb.entries()) out += entry.dropped ? 0 : entry.len_bytes;
  return out;
}

void Packer::on_put(const std::shared_ptr<OpenXorb>& xorb, Result<cas::PutXorbOutcome> outcome) {
  if (!outcome) {
    --puts_in_flight_;
    env_.monitor.fail(std::move(outcome).error());
    return;
  }
  totals_.xorb_bytes_uploaded += outcome->sent_bytes;
  count_new_up_to(*xorb, unpacked_bytes(*xorb));
  env_.monitor.transfer_bytes.fetch_add(outcome->sent_bytes, std::memory_order_relaxed);

  format::XorbRecord record{known_.hash(xorb->id()), {}, 0, 0};
  for (const auto& entry : xorb->entries()) {
    if (entry.dropped) continue;
    record.chunks.push_back({entry.hash, record.unpacked_bytes, entry.len_bytes, 0});
    record.unpacked_bytes += entry.len_bytes;
  }
  if (record.chunks.empty() || env_.dry_run) {
    --puts_in_flight_;
    if (!record.chunks.empty()) shard_.add(std::move(record));
    work();
    return;
  }
  env_.shared.blocking().submit(
      [this, token = env_.in_flight.token(), id = xorb->id(), record = std::move(record)]() mutable {
        auto path = staging_.stage(record, unix_seconds(env_.shared.clock().wall_now()));
        env_.strand.post([this, inner = env_.in_flight.token(), id, record = std::move(record),
                          path = std::move(path)]() mutable {
          --puts_in_flight_;
          shard_.add(std::move(record));
          if (path) {
            (void)known_.moved_to_shard(id, *path);  // else its hashes stay in memory
            staging_.staged(std::move(*path));
          }
          work();
        });
      });
}

// --- The end
// --------------------------------------------------------------------------------------------------------

/// Whether nothing must be added to the shard before it is stored. Its records may go only when every xorb
/// that they refer to is acknowledged; no xorb is closed meanwhile.
bool Packer::must_flush_shard() {
  if (!putting_shard_ && shard_.size_bytes() < env_.shared.tuning().shard_flush_bytes) return false;
  if (!putting_shard_ && puts_in_flight_ == 0) put_shard();
  return true;
}

void Packer::finish_if_done() {
  if (!finishing_ || done_ || putting_shard_ || env_.monitor.stopped()) return;
  if (n_settled_ != files_.size() || !backlog_.empty()) return;
  if (open_ != nullptr) {
    if (must_wait_for_answers()) return;
    close_xorb();
    return;  // comes back here when it is stored
  }
  if (puts_in_flight_ > 0) return;
  if (env_.all_or_nothing) {
    const auto failed =
        std::find_if(files_.begin(), files_.end(), [](const File& file) { return !file.status; });
    if (failed != files_.end()) return env_.monitor.fail(failed->status.error());
  }
  if (shard_.empty()) {
    if (!env_.dry_run) staging_.finished();
    done_ = true;
    stop_queries_.request_stop();  // nobody needs the answers any more
    return;
  }
  put_shard();
}

void Packer::put_shard() {
  putting_shard_ = true;
  // Xorbs of a session that died are in the store, but no shard has told it what they hold.
  for (const uint32_t xorb : std::exchange(used_staged_, {})) {
    if (auto record = known_.record(xorb)) shard_.add(std::move(*record));
  }
  auto shard = std::make_shared<format::Shard>(shard_.finish());
  auto bytes = shard->to_upload_form();
  const uint64_t n_bytes = bytes.size();
  const uint64_t n_entries = shard->xorbs.size() + shard->files.size();
  {
    auto shards = env_.monitor.shards.lock();
    ++shards->total;
    shards->total_bytes += n_bytes;
    shards->total_entries += n_entries;
  }
  if (env_.dry_run) {
    env_.strand.post([this, token = env_.in_flight.token(), n_bytes] { on_shard_put(Status(), n_bytes); });
    return;
  }
  env_.cas->put_shard(
      std::move(bytes), env_.monitor.stop_token(),
      [this, token = env_.in_flight.token(), n_bytes, shard = std::move(shard)](Status status) mutable {
        env_.shared.blocking().submit([this, token = std::move(token), n_bytes, shard = std::move(shard),
                                       status = std::move(status)]() mutable {
          // Staging is touched here although this is not the strand: of what it does there, only answers are
          // taken meanwhile, and those are left alone here.
          if (status) staging_.accepted(*shard, unix_seconds(env_.shared.clock().wall_now()));
          env_.strand.post(
              [this, inner = env_.in_flight.token(), n_bytes, status = std::move(status)]() mutable {
                on_shard_put(std::move(status), n_bytes);
              });
        });
      });
}

void Packer::on_shard_put(Status status, uint64_t sent_bytes) {
  putting_shard_ = false;
  if (!status) {
    auto error = std::move(status).error();
    if (error.code == ErrorCode::kNotFound && staging_.enabled() && staging_.out_of_date()) {
      relied_on_lost_xorbs_ = true;
      error.message +=
          "; what earlier uploads had noted of this store is out of date and was removed: upload again";
    }
    env_.monitor.fail(std::move(error));
    return;
  }
  {
    auto shards = env_.monitor.shards.lock();  // one is on its way at a time
    ++shards->done;
    ++shards->uploaded;
    ++shards->synced;
    shards->sent_bytes = shards->total_bytes;
    shards->verified_entries = shards->total_entries;
  }
  totals_.shard_bytes_uploaded += sent_bytes;
  if (!env_.dry_run) env_.monitor.transfer_bytes.fetch_add(sent_bytes, std::memory_order_relaxed);
  work();
}

}  // namespace xet::session

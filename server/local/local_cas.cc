#include "server/local/local_cas.h"

#include <fmt/format.h>

#include <utility>

#include "exec/in_flight.h"
#include "exec/thread_pool.h"
#include "io/file.h"
#include "server/core/cas_service.h"
#include "server/core/embedded_store.h"
#include "server/local/fetch_task.h"

namespace xet::server {

namespace {

namespace fs = std::filesystem;

// Everything belongs to repository 0, and whoever can open the directory can read all of it anyway.
constexpr core::Principal kOwner{.repository = store::kLocalRepository, .reads_every_file = true};

cas::Reconstruction to_cas(core::Reconstruction from) {
  cas::Reconstruction out{.offset_into_first_term = from.offset_into_first_term, .terms = {}, .fetches = {}};
  out.terms.reserve(from.terms.size());
  for (const auto& term : from.terms) {
    out.terms.push_back({.xorb = from.xorbs[term.xorb].row.hash,
                         .chunks = {.begin = term.chunk_begin, .end = term.chunk_end},
                         .unpacked_len = term.unpacked_len});
  }
  for (auto& xorb : from.xorbs) {
    auto& fetches = out.fetches[xorb.row.hash];
    fetches.reserve(xorb.ranges.size());
    for (auto& range : xorb.ranges) {
      fetches.push_back({.chunks = {.begin = range.chunk_begin, .end = range.chunk_end},
                         .bytes = {.begin = range.packed.begin, .end = range.packed.end},
                         .ticket = nullptr,
                         .chunk_hashes = std::move(range.chunk_hashes)});
    }
  }
  return out;
}

class LocalCas final : public cas::Cas {
 public:
  LocalCas(std::string name, fs::path directory, std::shared_ptr<core::CasService> service,
           const core::Principal& who, size_t threads)
      : name_(std::move(name)),
        directory_(std::move(directory)),
        service_(std::move(service)),
        who_(who),
        pool_(threads) {}
  ~LocalCas() override { in_flight_.wait(); }

  const std::string& name() const override { return name_; }
  cas::ShardPlaces shard_places() const override {
    return {.cache = directory_ / "shard-cache", .staging = directory_ / "staging"};
  }

  void file_size(const FileHash& file, std::stop_token stop, cas::Callback<uint64_t> done) override {
    run(exec::Priority::kTakesMemory, std::move(stop), std::move(done),
        [this, file](const std::stop_token&) { return service_->file_size(who_, file); });
  }

  void reconstruct(const FileHash& file, std::optional<cas::ByteRange> range, std::stop_token stop,
                   cas::Callback<cas::Reconstruction> done) override {
    run(exec::Priority::kTakesMemory, std::move(stop), std::move(done),
        [this, file, range](const std::stop_token&) -> Result<cas::Reconstruction> {
          std::optional<core::FileRange> wanted;
          if (range) wanted = core::FileRange{.begin = range->begin, .end = range->end};
          XET_TRY(auto out, service_->reconstruct(who_, file, wanted, core::ChunkHashes::kYes));
          return to_cas(std::move(out));
        });
  }

  void fetch(cas::FetchRequest request, std::stop_token stop, cas::Callback<void> done) override {
    FetchTask::start({.service = *service_, .pool = pool_}, in_flight_.token(), std::move(request),
                     std::move(stop), std::move(done));
  }

  void query_dedup(const ChunkHash& chunk, std::stop_token stop,
                   cas::Callback<std::optional<ByteVector>> done) override {
    run(exec::Priority::kTakesMemory, std::move(stop), std::move(done),
        [this, chunk](const std::stop_token&) { return service_->query_dedup(who_, chunk); });
  }

  void xorb_exists(const XorbHash& xorb, std::stop_token stop, cas::Callback<bool> done) override {
    run(exec::Priority::kTakesMemory, std::move(stop), std::move(done),
        [this, xorb](const std::stop_token&) { return service_->xorb_exists(xorb); });
  }

  void put_xorb(cas::XorbBody body, std::stop_token stop, cas::Callback<cas::PutXorbOutcome> done) override {
    run(exec::Priority::kFreesMemory, std::move(stop), std::move(done),
        [this, body = std::move(body)](const std::stop_token& token) -> Result<cas::PutXorbOutcome> {
          XET_TRY(const bool is_new, service_->put_xorb(who_, body.hash, body.pieces, token));
          return cas::PutXorbOutcome{.was_inserted = is_new, .sent_bytes = is_new ? body.size_bytes : 0};
        });
  }

  void put_shard(ByteVector shard, std::stop_token stop, cas::Callback<void> done) override {
    run(exec::Priority::kFreesMemory, std::move(stop), std::move(done),
        [this, shard = std::move(shard)](const std::stop_token& token) -> Status {
          XET_TRY([[maybe_unused]] const auto outcome, service_->put_shard(who_, shard, {}, token));
          return {};
        });
  }

 private:
  template <class T, class Work>
  void run(exec::Priority priority, std::stop_token stop, cas::Callback<T> done, Work work) {
    pool_.submit(
        [token = in_flight_.token(), stop = std::move(stop), done = std::move(done),
         work = std::optional<Work>(std::move(work))]() mutable {
          Result<T> result =
              stop.stop_requested() ? Result<T>(fail(ErrorCode::kCancelled, "cancelled")) : (*work)(stop);
          work.reset();  // frees a shard before the caller goes on
          done(std::move(result));
        },
        priority);
  }

  const std::string name_;
  const fs::path directory_;
  const std::shared_ptr<core::CasService> service_;
  const core::Principal who_;
  exec::InFlight in_flight_;
  exec::ThreadPool pool_;  // last: its threads use the rest
};

Result<std::unique_ptr<cas::Cas>> make(std::string name, fs::path directory,
                                       std::shared_ptr<core::CasService> service, const core::Principal& who,
                                       const LocalCasOptions& options) {
  for (const char* part : {"shard-cache", "staging"}) {
    XET_TRY_STATUS(io::create_directories(directory / part));
  }
  return std::make_unique<LocalCas>(std::move(name), std::move(directory), std::move(service), who,
                                    options.threads);
}

}  // namespace

Result<std::unique_ptr<cas::Cas>> open_local_cas(const fs::path& directory, const LocalCasOptions& options) {
  if (directory.empty())
    return fail(ErrorCode::kInvalidArgument, "local: needs a directory, as in local:DIR");
  XET_TRY(auto store, core::open_embedded_store(directory));
  return make(fmt::format("local:{}", directory.string()), std::move(store.root), std::move(store.service),
              kOwner, options);
}

Result<std::unique_ptr<cas::Cas>> make_local_cas(core::CasService& service, const core::Principal& who,
                                                 const fs::path& directory, const LocalCasOptions& options) {
  // Not ours to destroy.
  std::shared_ptr<core::CasService> borrowed(&service, [](core::CasService*) {});
  return make(fmt::format("repository {}", who.repository), directory, std::move(borrowed), who, options);
}

}  // namespace xet::server

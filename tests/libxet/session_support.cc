#include "libxet/session_support.h"

#include <cstdlib>
#include <stdexcept>
#include <thread>

#include "chunk/chunker.h"

namespace xet::testing {

namespace {

/// Clients of HTTP endpoints keep shards below a directory that the environment names.
class OwnCache final : public ::testing::Environment {
 public:
  void SetUp() override {
    dir_ = std::make_unique<TempDir>();
    ::setenv("HF_XET_CACHE", dir_->path().c_str(), 1);  // NOLINT(concurrency-mt-unsafe): no threads yet
  }
  void TearDown() override { dir_.reset(); }

 private:
  std::unique_ptr<TempDir> dir_;
};
const auto* const g_own_cache = ::testing::AddGlobalTestEnvironment(std::make_unique<OwnCache>().release());

}  // namespace

std::shared_ptr<Session> make_session(std::initializer_list<Setting> settings) {
  auto config = Config::defaults();
  for (const auto& [path, value] : settings) config = config.with(path, value).value();
  return Session::make(std::move(config));
}

ConnectOptions to(std::string endpoint) {
  ConnectOptions out;
  out.endpoint = std::move(endpoint);
  return out;
}

bool eventually(const std::function<bool()>& condition) {
  const auto give_up = std::chrono::steady_clock::now() + kLong;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    std::this_thread::yield();
  }
  return true;
}

CommitReport put(Session& session, const ConnectOptions& store, const std::vector<ByteVector>& contents) {
  const auto commit = session.new_upload_commit(store).value();
  for (const auto& content : contents) commit->add_bytes(content, std::nullopt, {}).value();
  return finish(*commit).value();
}

FileToDownload put_one(Session& session, const ConnectOptions& store, const ByteVector& content) {
  const auto report = put(session, store, {content});
  const auto& file = report.files.at(0).report;
  return {.hash = file.hash.hex(), .size_bytes = file.size_bytes};
}

Result<ByteVector> read_all(DownloadStream& stream) {
  ByteVector out;
  for (;;) {
    DownloadStream::Piece piece;
    auto told = stream.next_for(kLong, piece);
    if (!told) return tl::unexpected(std::move(told).error());
    if (*told == DownloadStream::Wait::kNotYet) return fail(ErrorCode::kDeadline, "nothing came");
    if (*told == DownloadStream::Wait::kEnd) return out;
    EXPECT_EQ(piece.offset, out.size());
    EXPECT_LE(piece.bytes.size(), 4 * kMiB);
    EXPECT_FALSE(piece.bytes.empty());
    append_bytes(out, piece.bytes);
  }
}

Result<ByteVector> stream_of(Session& session, const ConnectOptions& store, const FileToDownload& file) {
  const auto group = session.new_download_stream_group(store).value();
  return read_all(*group->stream(file, std::nullopt, std::nullopt).value());
}

ProgressReports Reports::every(std::chrono::milliseconds interval) {
  return {.report =
              [this](const Progress& progress, const std::vector<ItemProgress>& items) {
                {
                  auto seen = seen_.lock();
                  seen->push_back({std::chrono::steady_clock::now(), progress, items});
                  more_.notify_all();
                }
                return then_();
              },
          .interval = interval};
}

bool Reports::wait_for(size_t n) {
  auto seen = seen_.lock();
  return seen.wait_until(system_clock(), more_, system_clock().now() + kLong,
                         [&] { return seen->size() >= n; });
}

void SlowServer::hold(Pick which) {
  cas_.intercept = [this, which = std::move(which)](CasServer::Exchange& exchange) {
    if (!which(exchange)) return false;
    {
      auto n_held = n_held_.lock();
      ++*n_held;
      more_.notify_all();
    }
    exchange.wait(gate_);
    return false;
  };
}
void SlowServer::go_on() {
  gate_.open();
}
bool SlowServer::wait_for_held(size_t n) {
  auto n_held = n_held_.lock();
  return n_held.wait_until(system_clock(), more_, system_clock().now() + kLong, [&] { return *n_held >= n; });
}

FileHash SlowServer::add(ByteSpan content) {
  std::vector<ByteVector> chunks;
  for (const uint32_t length : chunk::chunk_lengths(content)) {
    const auto chunk = content.first(length);
    chunks.emplace_back(chunk.begin(), chunk.end());
    content = content.subspan(length);
  }
  return cas_.store().add_file(chunks);
}

void NothingLeft::SetUp() {
  std::thread([] {}).join();  // a sanitizer's own thread comes with the first
  fds_ = n_open_fds();
  threads_ = n_threads();
}
void NothingLeft::expect_nothing_left() {
  EXPECT_TRUE(has_threads(0)) << n_threads() << " instead of " << threads_;
  EXPECT_EQ(n_open_fds(), fds_);
}
bool NothingLeft::has_threads(size_t n) const {
  return eventually([&] { return n_threads() == threads_ + n; });
}

}  // namespace xet::testing

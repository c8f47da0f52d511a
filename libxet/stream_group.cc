#include <fmt/format.h>

#include <condition_variable>
#include <deque>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/try.h"
#include "libxet/groups.h"
#include "libxet/limit.h"
#include "session/monitor.h"
#include "session/stream_file.h"

namespace xet {

namespace {

constexpr size_t kPieceBytes = size_t{4} << 20;
constexpr size_t kPiecesAhead = 2;  // ready for the consumer; what the fetches hold comes on top

}  // namespace

// --- DownloadStream

/// A thread of its own pulls the file through session::stream_file() and puts pieces into a short queue.
class DownloadStream::Impl final : public detail::Cancellable {
 public:
  Impl(std::shared_ptr<detail::SessionCore> core, std::shared_ptr<Client> client, std::string name,
       session::StreamRequest request)
      : core_(std::move(core)), name_(std::move(name)), request_(std::move(request)) {
    state_.lock()->client = std::move(client);
  }

  ~Impl() override {
    cancel();
    if (thread_.joinable()) thread_.join();
  }

  Result<Wait> next_for(std::chrono::milliseconds limit, Piece& out) {
    auto state = state_.lock();
    if (!std::exchange(state->started, true) && !state->over) {
      thread_ = std::thread([this, client = std::move(state->client)]() mutable { run(std::move(client)); });
    }
    state->consumer_waits = true;
    changed_.notify_all();
    const bool ready = state.wait_until(system_clock(), changed_, detail::end_of(limit),
                                        [&] { return !state->pieces.empty() || state->over; });
    state->consumer_waits = false;
    if (!ready) return Wait::kNotYet;
    if (!state->pieces.empty()) {
      out = std::move(state->pieces.front());
      state->pieces.pop_front();
      session::count_done(request_.progress, out.bytes.size());
      changed_.notify_all();
      return Wait::kPiece;
    }
    if (auto error = std::exchange(state->error, std::nullopt)) return tl::unexpected(std::move(*error));
    return Wait::kEnd;
  }

  void cancel() override {
    std::shared_ptr<Client> unused;  // ends without the lock
    {
      auto state = state_.lock();
      state->pieces.clear();
      state->cancelled = true;
      state->over = true;
      unused = std::move(state->client);
      changed_.notify_all();
    }
    stop_.request_stop();
  }

  ItemProgress progress() const {
    const auto& counted = *request_.progress;
    const uint64_t done = counted.done_bytes.load(std::memory_order_acquire);
    return {id_, name_, counted.total_bytes.load(std::memory_order_relaxed), done};
  }
  TaskId id() const { return id_; }

 private:
  struct State {
    std::shared_ptr<Client> client;  // until the thread has it
    std::deque<Piece> pieces;
    bool started = false;
    bool consumer_waits = false;
    bool cancelled = false;
    bool over = false;  // nothing follows the pieces
    std::optional<Error> error;
  };

  void run(std::shared_ptr<Client> client) {
    Piece piece;
    const auto flush = [&](bool must) {
      auto state = state_.lock();
      if (!must && !state->consumer_waits) return;  // gather more
      state.wait(changed_, [&] { return state->pieces.size() < kPiecesAhead || state->cancelled; });
      if (state->cancelled) return;
      const uint64_t next = piece.offset + piece.bytes.size();
      state->pieces.push_back(std::move(piece));
      piece = {next, {}};
      state->consumer_waits = false;
      changed_.notify_all();
    };
    const auto sink = [&](std::span<const std::byte> bytes) -> Status {
      if (piece.bytes.size() + bytes.size() > kPieceBytes) flush(true);
      piece.bytes.insert(piece.bytes.end(), bytes.begin(), bytes.end());
      flush(false);
      return {};
    };
    const auto delivered =
        session::stream_file(*client->impl(), request_, sink, core_->options_with(stop_.get_token()));
    if (!piece.bytes.empty()) flush(true);  // what came before an error is good as far as it was checked
    client.reset();                         // its threads may end here, before anybody learns of the end
    auto state = state_.lock();
    if (!delivered && !state->cancelled) state->error = delivered.error();
    state->over = true;
    changed_.notify_all();
  }

  const std::shared_ptr<detail::SessionCore> core_;
  const TaskId id_ = detail::next_task_id();
  const std::string name_;
  const session::StreamRequest request_;
  std::stop_source stop_;
  Sync<State> state_;
  std::condition_variable changed_;
  std::thread thread_;  // the consumer's
};

DownloadStream::DownloadStream(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
DownloadStream::~DownloadStream() = default;
Result<DownloadStream::Wait> DownloadStream::next_for(std::chrono::milliseconds limit, Piece& out) {
  return impl_->next_for(limit, out);
}
void DownloadStream::cancel() {
  impl_->cancel();
}
ItemProgress DownloadStream::progress() const {
  return impl_->progress();
}
TaskId DownloadStream::id() const {
  return impl_->id();
}

// --- DownloadStreamGroup

class DownloadStreamGroup::Impl final : public detail::Cancellable {
 public:
  Impl(std::shared_ptr<detail::SessionCore> core, std::shared_ptr<Client> client) : core_(std::move(core)) {
    state_.lock()->client = std::move(client);
  }

  Result<std::shared_ptr<DownloadStream>> stream(const FileToDownload& file, std::optional<uint64_t> begin,
                                                 std::optional<uint64_t> end) {
    auto state = state_.lock();
    if (state->aborted) return fail(ErrorCode::kCancelled, "the streams were aborted");
    if (state->finished)
      return fail(ErrorCode::kInvalidArgument, "the group of streams is already finalized");
    XET_TRY(auto request, plan(file, begin, end));
    const auto stream =
        std::make_shared<DownloadStream::Impl>(core_, state->client, file.hash, std::move(request));
    std::erase_if(state->streams, [](const auto& other) { return other.expired(); });
    state->streams.push_back(stream);
    core_->add(std::weak_ptr<detail::Cancellable>(stream));
    return std::make_shared<DownloadStream>(stream);
  }

  Status finish() {
    std::shared_ptr<Client> unused;  // ends without the lock
    auto state = state_.lock();
    if (state->aborted) return fail(ErrorCode::kCancelled, "the streams were aborted");
    state->finished = true;
    unused = std::move(state->client);
    return {};
  }

  void cancel() override {
    std::shared_ptr<Client> unused;  // ends without the lock
    std::vector<std::weak_ptr<DownloadStream::Impl>> streams;
    {
      auto state = state_.lock();
      state->aborted = true;
      unused = std::move(state->client);
      streams.swap(state->streams);
    }
    for (const auto& stream : streams) {
      if (const auto alive = stream.lock()) alive->cancel();
    }
  }

 private:
  struct State {
    std::shared_ptr<Client> client;  // while there may be more streams; each has it too, until its end
    bool finished = false;
    bool aborted = false;
    std::vector<std::weak_ptr<DownloadStream::Impl>> streams;
  };

  static Result<session::StreamRequest> plan(const FileToDownload& file, std::optional<uint64_t> begin,
                                             std::optional<uint64_t> end) {
    const uint64_t from = begin.value_or(0);
    if (end && from > *end) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("Parameter error: Invalid range: start ({}) > end ({})", from, *end));
    }
    if (file.size_bytes && from > 0 && from >= *file.size_bytes) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("Parameter error: range start ({}) is at or beyond the file size ({})", from,
                              *file.size_bytes));
    }
    const auto hash = FileHash::from_hex(file.hash);
    if (!hash) {
      return fail(ErrorCode::kCorruption,
                  fmt::format("Unable to parse string as hex hash value (got '{}')", file.hash));
    }
    session::StreamRequest out;
    out.file = file.size_bytes == 0 ? FileHash() : *hash;  // what has no bytes needs no store
    out.size_bytes = file.size_bytes;
    const uint64_t to = std::min(end.value_or(UINT64_MAX), file.size_bytes.value_or(UINT64_MAX));
    const bool is_whole = from == 0 && (!end || (file.size_bytes && to == *file.size_bytes));
    if (!is_whole) out.range = FileRange{from, to};
    out.progress = std::make_shared<FileProgress>();
    if (file.size_bytes) out.progress->total_bytes = to - from;
    return out;
  }

  const std::shared_ptr<detail::SessionCore> core_;
  Sync<State> state_;
};

DownloadStreamGroup::DownloadStreamGroup(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
DownloadStreamGroup::~DownloadStreamGroup() = default;
Result<std::shared_ptr<DownloadStream>> DownloadStreamGroup::stream(const FileToDownload& file,
                                                                    std::optional<uint64_t> begin,
                                                                    std::optional<uint64_t> end) {
  return impl_->stream(file, begin, end);
}
Status DownloadStreamGroup::finish() {
  return impl_->finish();
}
void DownloadStreamGroup::abort() {
  impl_->cancel();
}

Result<std::shared_ptr<DownloadStreamGroup>> Session::new_download_stream_group(const ConnectOptions& from,
                                                                                const std::stop_token& stop) {
  XET_TRY(auto client, core_->connect(from, stop));
  const auto impl = std::make_shared<DownloadStreamGroup::Impl>(core_, std::move(client));
  core_->add(std::weak_ptr<detail::Cancellable>(impl));
  return std::make_shared<DownloadStreamGroup>(impl);
}

}  // namespace xet

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/try.h"
#include "libxet/group_state.h"
#include "libxet/groups.h"
#include "libxet/pending.h"
#include "libxet/poller.h"

namespace xet {

namespace detail {

/// What a file and its commit know of each other.
class UploadTask {
 public:
  explicit UploadTask(std::optional<std::string> name) : id(next_task_id()), name_given(std::move(name)) {}

  ItemProgress now() const {
    // what is done first: the total is raised before
    const uint64_t done = progress->done_bytes.load(std::memory_order_acquire);
    const uint64_t total = progress->total_bytes.load(std::memory_order_relaxed);
    return {id, name_given.value_or(""), total,
            std::min(done, total)};  // both fall when an upload begins anew
  }

  const TaskId id;
  const std::optional<std::string> name_given;
  const std::shared_ptr<FileProgress> progress = std::make_shared<FileProgress>();
  Pending<FileReport> outcome;
};

}  // namespace detail

using detail::UploadTask;

namespace {

Error aborted() {
  return {ErrorCode::kCancelled, "the commit was aborted"};
}

/// `bytes`, if any, live as long as the session that reads them: who else holds it, and for how long, is not
/// for the commit to know.
xet::FileOptions options_for(const std::shared_ptr<UploadTask>& task,
                             const UploadCommit::FileOptions& options,
                             std::shared_ptr<const std::vector<std::byte>> bytes = nullptr) {
  xet::FileOptions out;
  out.sha256 = options.sha256;
  out.provided_sha256 = options.provided_sha256;
  out.progress = task->progress;
  out.on_read = [task, kept = std::move(bytes)](const Result<FileReport>& report) {
    task->outcome.set(report);
  };
  return out;
}

}  // namespace

// --- StreamUpload

class StreamUpload::Impl {
 public:
  Impl(std::shared_ptr<UploadTask> task, UploadStream stream)
      : task_(std::move(task)), stream_(std::make_shared<UploadStream>(std::move(stream))) {}

  const std::shared_ptr<UploadTask>& task() const { return task_; }
  bool is_finished() const {
    const auto phase = phase_.load(std::memory_order_acquire);
    return phase == Phase::kFinishing || phase == Phase::kFinished;
  }
  /// finish() has returned, or is about to.
  bool is_through() const { return phase_.load(std::memory_order_acquire) == Phase::kFinished; }

  Status write(std::span<const std::byte> bytes) {
    const auto turn = turns_.lock();  // concurrent writers take them
    XET_TRY(const auto stream, open_stream());
    return stream->write(bytes);
  }

  Status finish() {
    const auto turn = turns_.lock();
    XET_TRY(const auto stream, open_stream());
    auto open = Phase::kOpen;
    if (!phase_.compare_exchange_strong(open, Phase::kFinishing))
      return fail(ErrorCode::kCancelled, "the stream was aborted");
    auto status = stream->finish();
    phase_.store(Phase::kFinished, std::memory_order_release);
    return status;
  }

  void abort() {
    auto open = Phase::kOpen;
    if (!phase_.compare_exchange_strong(open, Phase::kAborted)) return;
    // What was written stays with the commit, which can only be aborted now.
    if (const auto stream = *stream_.lock()) stream->cancel();
    task_->outcome.set(tl::unexpected(Error{ErrorCode::kCancelled, "the stream was aborted"}));
  }

  /// The commit is over: what the stream holds of it is let go.
  void release() {
    auto open = Phase::kOpen;
    phase_.compare_exchange_strong(open, Phase::kAborted);
    std::shared_ptr<UploadStream> released;
    released.swap(*stream_.lock());
    const auto turn = turns_.lock();  // a write under way, which the end of the commit ends, holds it too
  }

 private:
  enum class Phase : uint8_t { kOpen, kFinishing, kFinished, kAborted };

  Result<std::shared_ptr<UploadStream>> open_stream() {
    switch (phase_.load(std::memory_order_acquire)) {
      case Phase::kOpen:
        if (auto stream = *stream_.lock()) return stream;
        break;
      case Phase::kFinishing:
      case Phase::kFinished:
        return fail(ErrorCode::kAlreadyDone, "already finished");
      case Phase::kAborted:
        break;
    }
    return fail(ErrorCode::kCancelled, "the stream was aborted");
  }

  const std::shared_ptr<UploadTask> task_;
  std::atomic<Phase> phase_{Phase::kOpen};  // set before the stream is let go; read to refuse early
  struct Turn {};
  Sync<Turn> turns_;
  Sync<std::shared_ptr<UploadStream>> stream_;  // also held by a write under way
};

StreamUpload::StreamUpload(std::shared_ptr<Impl> impl, std::shared_ptr<void> commit)
    : impl_(std::move(impl)), commit_(std::move(commit)) {}
StreamUpload::~StreamUpload() = default;
const std::optional<std::string>& StreamUpload::name() const {
  return impl_->task()->name_given;
}
TaskId StreamUpload::id() const {
  return impl_->task()->id;
}
ItemProgress StreamUpload::progress() const {
  return impl_->task()->now();
}
TaskState StreamUpload::state() const {
  return impl_->task()->outcome.state();
}
Status StreamUpload::write(std::span<const std::byte> bytes) {
  return impl_->write(bytes);
}
Status StreamUpload::finish() {
  return impl_->finish();
}
bool StreamUpload::is_finished() const {
  return impl_->is_finished();
}
bool StreamUpload::wait_for(std::chrono::milliseconds limit) const {
  return impl_->task()->outcome.wait_for(limit);
}
std::optional<Result<FileReport>> StreamUpload::result() const {
  return impl_->task()->outcome.peek();
}
void StreamUpload::abort() {
  impl_->abort();
}

// --- FileUpload

FileUpload::FileUpload(std::shared_ptr<UploadTask> task, std::shared_ptr<void> commit)
    : task_(std::move(task)), commit_(std::move(commit)) {}
FileUpload::~FileUpload() = default;
TaskId FileUpload::id() const {
  return task_->id;
}
const std::optional<std::string>& FileUpload::name() const {
  return task_->name_given;
}
ItemProgress FileUpload::progress() const {
  return task_->now();
}
TaskState FileUpload::state() const {
  return task_->outcome.state();
}
bool FileUpload::wait_for(std::chrono::milliseconds limit) const {
  return task_->outcome.wait_for(limit);
}
std::optional<Result<FileReport>> FileUpload::result() const {
  return task_->outcome.peek();
}

// --- UploadCommit

class UploadCommit::Impl final : public detail::Cancellable, public std::enable_shared_from_this<Impl> {
 public:
  Impl(std::shared_ptr<detail::SessionCore> core, const std::shared_ptr<Client>& client,
       ProgressReports reports)
      : core_(std::move(core)),
        session_(std::make_shared<UploadSession>(client, upload_options())),
        poller_(detail::poll(reports, *this), reports.interval) {}

  ~Impl() override {
    abort();
    state_.join();
  }

  TaskId id() const { return id_; }
  detail::GroupState& state() { return state_; }
  bool is_own_thread() const { return poller_.is_own_thread(); }

  Result<std::shared_ptr<FileUpload>> add_file(const std::filesystem::path& path, FileOptions options) {
    std::error_code error;
    const auto absolute = std::filesystem::absolute(path, error);
    if (error) return fail(ErrorCode::kIo, fmt::format("{}: {}", path.string(), error.message()));
    if (absolute.native().find('\0') != std::string::npos)
      return fail(ErrorCode::kIo, "the file has a NUL in its name");
    const bool is_there = std::filesystem::exists(absolute, error);
    if (error || !is_there) {
      return fail(ErrorCode::kIo, fmt::format("cannot open {}: {}", path.string(),
                                              error ? error.message() : "No such file or directory"));
    }
    auto parts = parts_.lock();
    XET_TRY_STATUS(state_.check_running());
    const auto task = std::make_shared<UploadTask>(absolute.string());
    parts->tasks.push_back(task);
    session()->add_file(absolute, options_for(task, options));
    return std::make_shared<FileUpload>(task, shared_from_this());
  }

  Result<std::shared_ptr<FileUpload>> add_bytes(std::vector<std::byte> bytes, std::optional<std::string> name,
                                                FileOptions options) {
    auto parts = parts_.lock();
    XET_TRY_STATUS(state_.check_running());
    const auto task = std::make_shared<UploadTask>(std::move(name));
    parts->tasks.push_back(task);
    const auto kept = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
    session()->add_bytes(task->name_given.value_or(""), *kept, options_for(task, options, kept));
    return std::make_shared<FileUpload>(task, shared_from_this());
  }

  Result<std::shared_ptr<StreamUpload>> add_stream(std::optional<std::string> name, FileOptions options) {
    auto parts = parts_.lock();
    XET_TRY_STATUS(state_.check_running());
    const auto task = std::make_shared<UploadTask>(std::move(name));
    parts->tasks.push_back(task);
    auto stream = std::make_shared<StreamUpload::Impl>(
        task, session()->add_stream(task->name_given.value_or(""), options_for(task, options)));
    parts->streams.push_back(stream);
    return std::make_shared<StreamUpload>(std::move(stream), shared_from_this());
  }

  Status begin_finish() {
    auto parts = parts_.lock();  // nothing is added meanwhile
    XET_TRY_STATUS(state_.check_running());
    const bool can = std::all_of(parts->streams.begin(), parts->streams.end(),
                                 [](const auto& stream) { return stream->is_through(); });
    if (can) return state_.begin([this] { return finish(); });
    const Error error{ErrorCode::kInternal, "stream upload not finished before commit"};
    poller_.request_stop();
    const bool is_first = state_.fail(error, [this, error] {
      stop_.request_stop();
      settle(error);
      let_go();
    });
    return is_first ? tl::unexpected(error) : state_.check_running();
  }

  Result<CommitReport> result() const {
    XET_TRY_STATUS(state_.outcome());
    return *report_.lock();
  }

  void cancel() override {
    const bool is_first = state_.cancel();
    stop_.request_stop();
    poller_.request_stop();
    if (is_first) settle(aborted());
  }

  void abort() {
    cancel();
    if (poller_.is_own_thread()) return;  // what is left goes with the object
    poller_.stop();
    state_.join();
    let_go();
  }

  Progress progress() const {
    const auto running = session();
    return running != nullptr ? running->progress() : last_.lock()->value_or(Progress());
  }

  std::vector<ItemProgress> items() const {
    std::vector<ItemProgress> out;
    auto parts = parts_.lock();
    out.reserve(parts->tasks.size());
    for (const auto& task : parts->tasks) out.push_back(task->now());
    return out;
  }

  /// Threads, memory and connections; what the commit tells of itself stays. Only when it is over.
  void let_go() {
    std::vector<std::shared_ptr<StreamUpload::Impl>> streams;
    streams.swap(parts_.lock()->streams);
    for (const auto& stream : streams) stream->release();
    auto ended = session();
    if (ended == nullptr) return;
    {
      auto last = last_.lock();
      if (!last->has_value()) *last = ended->progress();
    }
    session_.lock()->reset();
  }

 private:
  struct Parts {
    std::vector<std::shared_ptr<UploadTask>> tasks;
    std::vector<std::shared_ptr<StreamUpload::Impl>> streams;
  };

  UploadOptions upload_options() const {
    UploadOptions out;
    out.session = core_->options_with(stop_.get_token());
    out.all_or_nothing = true;
    return out;
  }

  std::shared_ptr<UploadSession> session() const { return *session_.lock(); }

  /// On the thread of the state.
  Status finish() {
    auto running = session();  // a report that aborts takes it away
    if (running == nullptr) return tl::unexpected(aborted());
    auto report = running->commit();
    *last_.lock() = running->progress();
    running.reset();
    poller_.stop();
    if (report) {
      CommitReport out;
      out.metrics = report->metrics;
      out.progress = progress();
      auto parts = parts_.lock();
      for (size_t i = 0; i < report->files.size(); ++i) {
        out.files.push_back({parts->tasks[i]->id, parts->tasks[i]->name_given,
                             *report->files[i]});  // all are well: all or nothing
      }
      *report_.lock() = std::move(out);
    }
    settle(report ? aborted() : report.error());
    let_go();
    if (!report) return tl::unexpected(std::move(report).error());
    return {};
  }

  /// Files that nothing more will be heard of.
  void settle(const Error& error) {
    auto parts = parts_.lock();
    for (const auto& task : parts->tasks) task->outcome.set(tl::unexpected(error));
  }

  const std::shared_ptr<detail::SessionCore> core_;
  const TaskId id_ = detail::next_task_id();
  std::stop_source stop_;
  detail::GroupState state_;
  mutable Sync<Parts> parts_;
  mutable Sync<std::shared_ptr<UploadSession>> session_;
  mutable Sync<std::optional<Progress>> last_;
  mutable Sync<CommitReport> report_;
  detail::Poller poller_;  // last: its thread uses the rest
};

UploadCommit::UploadCommit(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
UploadCommit::~UploadCommit() = default;
TaskId UploadCommit::id() const {
  return impl_->id();
}
Result<std::shared_ptr<FileUpload>> UploadCommit::add_file(const std::filesystem::path& path,
                                                           FileOptions options) {
  return impl_->add_file(path, options);
}
Result<std::shared_ptr<FileUpload>> UploadCommit::add_bytes(std::vector<std::byte> bytes,
                                                            std::optional<std::string> name,
                                                            FileOptions options) {
  return impl_->add_bytes(std::move(bytes), std::move(name), options);
}
Result<std::shared_ptr<StreamUpload>> UploadCommit::add_stream(std::optional<std::string> name,
                                                               FileOptions options) {
  return impl_->add_stream(std::move(name), options);
}
Status UploadCommit::begin_finish() {
  return impl_->begin_finish();
}
bool UploadCommit::wait_for(std::chrono::milliseconds limit) const {
  return impl_->state().wait_for(limit);
}
Result<CommitReport> UploadCommit::result() const {
  return impl_->result();
}
void UploadCommit::abort() {
  impl_->abort();
}
TaskState UploadCommit::state() const {
  return impl_->state().state();
}
std::optional<Error> UploadCommit::error() const {
  return impl_->state().error();
}
Progress UploadCommit::progress() const {
  return impl_->progress();
}
std::vector<ItemProgress> UploadCommit::items() const {
  return impl_->items();
}

Result<std::shared_ptr<UploadCommit>> Session::new_upload_commit(const ConnectOptions& to,
                                                                 ProgressReports reports,
                                                                 const std::stop_token& stop) {
  XET_TRY(const auto client, core_->connect(to, stop));
  const auto impl = detail::make_group<UploadCommit::Impl>(core_, client, std::move(reports));
  core_->add(impl);
  return std::make_shared<UploadCommit>(impl);
}

}  // namespace xet

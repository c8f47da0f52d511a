#include <fmt/format.h>

#include <utility>

#include "base/try.h"
#include "libxet/group_state.h"
#include "libxet/groups.h"
#include "libxet/pending.h"
#include "libxet/poller.h"

namespace xet {

namespace detail {

/// What a file and its group know of each other.
class DownloadTask {
 public:
  DownloadTask(FileToDownload file, std::filesystem::path to)
      : id(next_task_id()), asked_for(std::move(file)), destination(std::move(to)) {}

  ItemProgress now() const {
    // what is done first: the total is raised before
    const uint64_t done = progress->done_bytes.load(std::memory_order_acquire);
    return {id, destination.string(), progress->total_bytes.load(std::memory_order_relaxed), done};
  }
  void set(const Result<DownloadedFile>& result) {
    if (!result) return outcome.set(tl::unexpected(result.error()));
    outcome.set(DownloadReport{id, asked_for, *result, now()});
  }

  const TaskId id;
  const FileToDownload asked_for;
  const std::filesystem::path destination;
  const std::shared_ptr<FileProgress> progress = std::make_shared<FileProgress>();
  std::stop_source stop;
  Pending<DownloadReport> outcome;
};

}  // namespace detail

using detail::DownloadTask;

FileDownload::FileDownload(std::shared_ptr<DownloadTask> task, std::shared_ptr<void> group)
    : task_(std::move(task)), group_(std::move(group)) {}
FileDownload::~FileDownload() = default;
TaskId FileDownload::id() const {
  return task_->id;
}
const std::filesystem::path& FileDownload::destination() const {
  return task_->destination;
}
ItemProgress FileDownload::progress() const {
  return task_->now();
}
TaskState FileDownload::state() const {
  return task_->outcome.state();
}
bool FileDownload::wait_for(std::chrono::milliseconds limit) const {
  return task_->outcome.wait_for(limit);
}
std::optional<Result<DownloadReport>> FileDownload::result() const {
  return task_->outcome.peek();
}
void FileDownload::cancel() {
  task_->outcome.set(tl::unexpected(Error{ErrorCode::kCancelled, "the download was cancelled"}));
  task_->stop.request_stop();
}

class FileDownloadGroup::Impl final : public detail::Cancellable, public std::enable_shared_from_this<Impl> {
 public:
  Impl(std::shared_ptr<detail::SessionCore> core, const std::shared_ptr<Client>& client,
       ProgressReports reports)
      : core_(std::move(core)),
        session_(std::make_shared<DownloadSession>(client, download_options())),
        poller_(detail::poll(reports, *this), reports.interval) {}

  ~Impl() override {
    abort();
    state_.join();
  }

  TaskId id() const { return id_; }
  detail::GroupState& state() { return state_; }
  bool is_own_thread() const { return poller_.is_own_thread(); }

  Result<std::shared_ptr<FileDownload>> add_file(const FileToDownload& file,
                                                 const std::filesystem::path& destination) {
    std::error_code error;
    const auto absolute = std::filesystem::absolute(destination, error);
    if (error || destination.empty())
      return fail(ErrorCode::kIo, fmt::format("'{}' cannot be made an absolute path", destination.string()));
    auto tasks = tasks_.lock();
    XET_TRY_STATUS(state_.check_running());
    const auto task = std::make_shared<DownloadTask>(file, absolute);
    tasks->push_back(task);
    const auto hash = FileHash::from_hex(file.hash);
    if (absolute.native().find('\0') != std::string::npos) {
      task->set(fail(ErrorCode::kIo, "the destination has a NUL in its name"));
    } else if (!hash) {
      task->set(fail(ErrorCode::kCorruption,
                     fmt::format("Unable to parse string as hex hash value (got '{}')", file.hash)));
    } else {
      DownloadRequest request;
      request.file = file.size_bytes == 0 ? FileHash() : *hash;  // what has no bytes needs no store
      request.destination = absolute;
      request.size_bytes = file.size_bytes;
      request.stop = task->stop.get_token();
      request.progress = task->progress;
      request.on_done = [task](const Result<DownloadedFile>& result) { task->set(result); };
      (*session_.lock())->add(std::move(request));
    }
    return std::make_shared<FileDownload>(task, shared_from_this());
  }

  Status begin_finish() {
    auto tasks = tasks_.lock();  // nothing is added meanwhile
    return state_.begin([this] { return finish(); });
  }

  Result<DownloadGroupReport> result() const {
    XET_TRY_STATUS(state_.outcome());
    return *report_.lock();
  }

  void cancel() override {
    const bool is_first = state_.cancel();
    stop_.request_stop();
    poller_.request_stop();
    if (is_first) settle();
  }

  void abort() {
    cancel();
    if (poller_.is_own_thread()) return;  // what is left goes with the object
    poller_.stop();
    state_.join();
    let_go();
  }

  Progress progress() const {
    const auto running = *session_.lock();
    return running != nullptr ? running->progress() : last_.lock()->value_or(Progress());
  }

  std::vector<ItemProgress> items() const {
    std::vector<ItemProgress> out;
    auto tasks = tasks_.lock();
    out.reserve(tasks->size());
    for (const auto& task : *tasks) out.push_back(task->now());
    return out;
  }

  /// Threads, memory and connections; what the group tells of itself stays. Only when it is over.
  void let_go() {
    {
      const auto nobody_adds = tasks_.lock();
    }  // who had begun to is through now, and others are refused
    auto ended = *session_.lock();
    if (ended == nullptr) return;
    {
      auto last = last_.lock();
      if (!last->has_value()) *last = ended->progress();
    }
    session_.lock()->reset();
  }

 private:
  DownloadOptions download_options() const {
    DownloadOptions out;
    out.session = core_->options_with(stop_.get_token());
    out.gate = core_->download_gate();
    return out;
  }

  /// On the thread of the state.
  Status finish() {
    if (auto running = *session_.lock()) {  // a report that aborts takes it away
      (void)running->wait();                // each file has told its task
      *last_.lock() = running->progress();
    }
    poller_.stop();
    settle();
    DownloadGroupReport report;
    report.progress = progress();
    std::optional<Error> first;
    {
      auto tasks = tasks_.lock();
      for (const auto& task : *tasks) {
        auto outcome = *task->outcome.peek();
        if (outcome) {
          report.files.push_back(std::move(*outcome));
        } else if (!first) {
          first = outcome.error();
        }
      }
    }
    let_go();
    if (first) return tl::unexpected(std::move(*first));
    *report_.lock() = std::move(report);
    return {};
  }

  /// Files that nothing more will be heard of.
  void settle() {
    auto tasks = tasks_.lock();
    for (const auto& task : *tasks)
      task->outcome.set(tl::unexpected(Error{ErrorCode::kCancelled, "the downloads were aborted"}));
  }

  const std::shared_ptr<detail::SessionCore> core_;
  const TaskId id_ = detail::next_task_id();
  std::stop_source stop_;
  detail::GroupState state_;
  mutable Sync<std::vector<std::shared_ptr<DownloadTask>>> tasks_;
  mutable Sync<std::shared_ptr<DownloadSession>> session_;
  mutable Sync<std::optional<Progress>> last_;
  mutable Sync<DownloadGroupReport> report_;
  detail::Poller poller_;  // last: its thread uses the rest
};

FileDownloadGroup::FileDownloadGroup(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
FileDownloadGroup::~FileDownloadGroup() = default;
TaskId FileDownloadGroup::id() const {
  return impl_->id();
}
Result<std::shared_ptr<FileDownload>> FileDownloadGroup::add_file(const FileToDownload& file,
                                                                  const std::filesystem::path& destination) {
  return impl_->add_file(file, destination);
}
Status FileDownloadGroup::begin_finish() {
  return impl_->begin_finish();
}
bool FileDownloadGroup::wait_for(std::chrono::milliseconds limit) const {
  return impl_->state().wait_for(limit);
}
Result<DownloadGroupReport> FileDownloadGroup::result() const {
  return impl_->result();
}
void FileDownloadGroup::abort() {
  impl_->abort();
}
TaskState FileDownloadGroup::state() const {
  return impl_->state().state();
}
std::optional<Error> FileDownloadGroup::error() const {
  return impl_->state().error();
}
Progress FileDownloadGroup::progress() const {
  return impl_->progress();
}
std::vector<ItemProgress> FileDownloadGroup::items() const {
  return impl_->items();
}

Result<std::shared_ptr<FileDownloadGroup>> Session::new_file_download_group(const ConnectOptions& from,
                                                                            ProgressReports reports,
                                                                            const std::stop_token& stop) {
  XET_TRY(const auto client, core_->connect(from, stop));
  const auto impl = detail::make_group<FileDownloadGroup::Impl>(core_, client, std::move(reports));
  core_->add(impl);
  return std::make_shared<FileDownloadGroup>(impl);
}

}  // namespace xet

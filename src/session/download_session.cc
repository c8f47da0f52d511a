#include <algorithm>
#include <deque>
#include <map>
#include <utility>

#include "session/download_gate.h"
#include "session/file_download.h"
#include "session/room.h"
#include "xet/download.h"

namespace xet {

using session::FileDownload;
using session::RangeReceiver;

namespace {

constexpr size_t kLeastBuffers = 4;
// Files begun at once: bounds open files and plans in memory.
constexpr size_t kMaxActiveFiles = 16;

}  // namespace

/// Hands out the fetches of the active files, oldest file first, and keeps the results.
class DownloadSession::Impl {
 public:
  Impl(std::shared_ptr<Client> client, DownloadOptions options)
      : client_(std::move(client)),
        shared_(*client_->impl()),
        options_(std::move(options)),
        gate_(options_.gate != nullptr ? options_.gate : std::make_shared<DownloadGate>(kMaxActiveFiles)),
        monitor_(options_.session, shared_.clock()),
        max_fetches_(shared_.cas_or_null() == nullptr ? 1 : shared_.cas_or_null()->max_fetches()),
        room_(session::Room::make(
            shared_.budget(), [](size_t) { return kLeastBuffers * RangeReceiver::kBufferBytes; },
            options_.session, monitor_.stop_token())),
        buffers_(room_.budget, RangeReceiver::kBufferBytes, kLeastBuffers,
                 max_fetches_ + 2 * shared_.cpu().size()),
        strand_(shared_.cpu()),
        unblock_(monitor_.stop_token(), [this] {
          buffers_.cancel();
          strand_.post([this, token = in_flight_.token()] {
            gate_->impl().forget(this);
            pump();
          });
        }) {
    if (!room_.memory) monitor_.fail(room_.memory.error());
    if (auto cas = shared_.require_cas()) {
      env_.emplace(session::DownloadEnvironment{
          shared_, **cas, in_flight_, strand_, monitor_, buffers_, decoders_, [this] { pump(); },
          [this] { fetch_ended(); },
          [this](size_t index, Result<DownloadedFile> result) { settled(index, std::move(result)); }});
    } else {
      monitor_.fail(std::move(cas).error());
    }
  }

  ~Impl() {
    monitor_.cancel();
    in_flight_.wait();
  }

  size_t add(DownloadRequest request) {
    auto n_added = n_added_.lock();  // held, so that the order of indices is the order on the strand
    const size_t index = (*n_added)++;
    monitor_.total_files.fetch_add(1, std::memory_order_relaxed);
    if (request.size_bytes && !request.range) {
      monitor_.total_bytes.fetch_add(*request.size_bytes, std::memory_order_relaxed);
      session::count_total(request.progress, *request.size_bytes);
    }
    strand_.post([this, token = in_flight_.token(), index, request = std::move(request)]() mutable {
      results_.emplace_back();
      if (!env_) return;
      waiting_.push_back(std::make_unique<FileDownload>(*env_, index, std::move(request)));
      pump();
    });
    return index;
  }

  std::vector<Result<DownloadedFile>> wait() {
    in_flight_.wait();
    monitor_.finish();
    std::vector<Result<DownloadedFile>> out;
    out.reserve(results_.size());
    for (auto& result : results_) {
      if (result) {
        out.push_back(std::move(*result));
      } else if (const auto why = monitor_.status(); !why) {
        out.emplace_back(tl::unexpected(why.error()));
      } else {
        out.emplace_back(fail(ErrorCode::kInternal, "the download came to rest before it was done"));
      }
    }
    return out;
  }

  void cancel() { monitor_.cancel(); }
  Progress progress() { return monitor_.snapshot(); }

 private:
  void pump() {
    if (std::exchange(pumping_, true)) return;  // a file may settle while it is begun
    for (auto& [index, file] : active_) {
      while (n_fetching_ < max_fetches_ && file->can_fetch()) {
        ++n_fetching_;
        file->start_fetch();
      }
      if (file->needs_page()) file->ask_page();
    }
    while (!waiting_.empty() && may_begin()) {
      auto file = std::move(waiting_.front());
      waiting_.pop_front();
      auto& begun = *active_.emplace(next_begun_++, std::move(file)).first->second;
      begun.begin();
    }
    pumping_ = false;
    over_.clear();
  }

  /// A place for one more file. What is only to be told that the session has stopped needs none.
  bool may_begin() {
    if (monitor_.stopped()) return true;
    const bool entered = gate_->impl().enter(this, [this, token = in_flight_.token()] {
      strand_.post([this, inner = in_flight_.token()] {
        pump();
        gate_->impl().pass_on();  // where the session was stopped meanwhile, or has nothing waiting any more
      });
    });
    n_entered_ += entered ? 1 : 0;
    return entered;
  }

  void fetch_ended() {
    --n_fetching_;
    pump();
  }

  void settled(size_t index, Result<DownloadedFile> result) {
    const auto file = active_.find(index);
    if (const auto& on_done = file->second->request().on_done) on_done(result);
    results_[index].emplace(std::move(result));
    over_.push_back(std::move(file->second));  // it is still running its last step
    active_.erase(file);
    if (n_entered_ > active_.size()) {
      --n_entered_;
      gate_->impl().leave();
    }
    strand_.post([this, token = in_flight_.token()] { pump(); });
  }

  // The order matters: whoever starts tasks is destroyed before what the tasks use, and the client last.
  std::shared_ptr<Client> client_;
  Client::Impl& shared_;
  const DownloadOptions options_;
  const std::shared_ptr<DownloadGate> gate_;
  session::Monitor monitor_;
  const size_t max_fetches_;  // under way at once; how many of them run is the store's to decide
  session::Room room_;
  exec::InFlight in_flight_;
  exec::BufferPool buffers_;
  session::DecoderPool decoders_;
  exec::Strand strand_;
  Sync<size_t> n_added_{0};

  // What follows belongs to the strand.
  std::optional<session::DownloadEnvironment> env_;
  std::deque<std::unique_ptr<FileDownload>> waiting_;
  std::map<size_t, std::unique_ptr<FileDownload>> active_;  // by index: the oldest is served first
  std::vector<std::unique_ptr<FileDownload>> over_;
  size_t next_begun_ = 0;
  size_t n_fetching_ = 0;
  size_t n_entered_ = 0;  // places of the gate that are ours
  bool pumping_ = false;
  std::vector<std::optional<Result<DownloadedFile>>> results_;

  std::stop_callback<std::function<void()>> unblock_;
};

DownloadSession::DownloadSession(const std::shared_ptr<Client>& client, DownloadOptions options)
    : impl_(std::make_shared<Impl>(client, std::move(options))) {}
DownloadSession::~DownloadSession() {
  impl_->cancel();
}
size_t DownloadSession::add(DownloadRequest request) {
  return impl_->add(std::move(request));
}
Progress DownloadSession::progress() const {
  return impl_->progress();
}
std::vector<Result<DownloadedFile>> DownloadSession::wait() {
  return impl_->wait();
}

}  // namespace xet

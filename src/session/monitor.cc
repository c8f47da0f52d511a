#include "session/monitor.h"

#include <algorithm>
#include <utility>

namespace xet::session {

namespace {
// More often would only shorten the window.
constexpr std::chrono::milliseconds kSampleEvery{10};
}  // namespace

void RateMeter::sample(Time now, uint64_t value) {
  samples_.push_back({now, value});
  while (samples_.size() > 2 && now - samples_[1].time > window_) samples_.pop_front();
}

void RateMeter::amend(Time now, uint64_t value) {
  if (samples_.size() > 1) samples_.back() = {now, value};
}

double RateMeter::per_second() const {
  if (samples_.size() < 2) return 0;
  const std::chrono::duration<double> elapsed = samples_.back().time - samples_.front().time;
  if (elapsed.count() <= 0) return 0;
  return static_cast<double>(samples_.back().value - samples_.front().value) / elapsed.count();
}

Monitor::Monitor(const SessionOptions& options, const Clock& clock)
    : options_(options),
      clock_(clock),
      speed_(Speed{RateMeter(options.speed_window), RateMeter(options.speed_window),
                   RateMeter(options.speed_window)}) {
  {
    // What is done before anybody looks counts from here.
    auto speed = speed_.lock();
    const auto now = clock_.now();
    for (auto* meter : {&speed->done, &speed->transfer, &speed->fresh}) meter->sample(now, 0);
  }
  if (options_.stop.stop_possible()) {
    on_caller_stop_.emplace(options_.stop,
                            [this] { fail({ErrorCode::kCancelled, "cancelled by the caller"}); });
  }
  if (options_.progress || options_.deadline != kNoDeadline) {
    thread_ = std::jthread([this](const std::stop_token& quit) { run(quit); });
  }
}

Monitor::~Monitor() {
  *quit_.lock() = true;
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Monitor::cancel() {
  fail({ErrorCode::kCancelled, "cancelled"});
}

void Monitor::fail(Error error) {
  {
    auto why = why_.lock();
    if (!why->has_value()) why->emplace(std::move(error));
  }
  stop_.request_stop();
}

Status Monitor::status() const {
  auto why = why_.lock();
  if (why->has_value()) return tl::unexpected(**why);
  return {};
}

void Monitor::finish() {
  *quit_.lock() = true;
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  report();
}

void Monitor::run(const std::stop_token& /*quit*/) {
  for (;;) {
    auto next =
        clock_.now() + (options_.progress ? std::max(options_.progress_interval, std::chrono::milliseconds(1))
                                          : std::chrono::hours(1));
    next = std::min(next, options_.deadline);
    {
      auto quit = quit_.lock();
      if (quit.wait_until(clock_, wake_, next, [&] { return *quit; })) return;
    }
    if (clock_.now() >= options_.deadline) {
      fail({ErrorCode::kDeadline, "the deadline passed before the transfer was done"});
      report();
      return;
    }
    report();
  }
}

void Monitor::report() {
  if (options_.progress) options_.progress(snapshot());
}

Progress Monitor::snapshot() {
  const auto now = clock_.now();
  Progress out;  // what is done before what there is to do: writers raise the totals first
  out.done_bytes = done_bytes.load(std::memory_order_acquire);
  out.done_new_bytes = done_new_bytes.load(std::memory_order_acquire);
  out.total_bytes = total_bytes.load(std::memory_order_relaxed);
  out.total_new_bytes = total_new_bytes.load(std::memory_order_relaxed);
  out.transfer_bytes = transfer_bytes.load(std::memory_order_relaxed);
  out.total_files = total_files.load(std::memory_order_relaxed);
  out.done_files = done_files.load(std::memory_order_relaxed);
  out.shards = *shards.lock();
  auto speed = speed_.lock();
  const bool is_due = !speed->sampled || now - speed->last >= kSampleEvery;
  const auto note = [&](RateMeter& meter, uint64_t value) {
    is_due ? meter.sample(now, value) : meter.amend(now, value);
  };
  note(speed->done, out.done_bytes);
  note(speed->transfer, out.transfer_bytes);
  note(speed->fresh, out.done_new_bytes);
  if (is_due) speed->last = now;
  speed->sampled = true;
  out.has_speed = speed->done.n_samples() > options_.speed_min_samples;  // one is the beginning
  if (!out.has_speed) return out;
  out.bytes_per_second = speed->done.per_second();
  out.transfer_bytes_per_second = speed->transfer.per_second();
  out.new_bytes_per_second = speed->fresh.per_second();
  return out;
}

}  // namespace xet::session

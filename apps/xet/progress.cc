#include "apps/xet/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "apps/xet/text.h"

namespace xet::cli {

namespace {

using std::chrono::milliseconds;

ProgressMode effective_mode(const CommonOptions& options, bool bar_allowed) {
  if (options.quiet) return ProgressMode::kNone;
  if (options.progress != ProgressMode::kAuto) return options.progress;
  return bar_allowed && ::isatty(STDERR_FILENO) == 1 ? ProgressMode::kBar : ProgressMode::kLines;
}

milliseconds interval(ProgressMode mode) {
  switch (mode) {
    case ProgressMode::kJson:
      return milliseconds(500);
    case ProgressMode::kLines:
      return milliseconds(10'000);
    default:
      return milliseconds(100);
  }
}

size_t terminal_columns() {
  ::winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

std::string amounts(const Progress& p) {
  std::string out = fmt::format("{} of {}", human_bytes(p.done_bytes), human_bytes(p.total_bytes));
  if (p.total_files > 1) out += fmt::format(", {} of {} files", p.done_files, p.total_files);
  if (p.bytes_per_second >= 1) {
    out += fmt::format(", {}/s", human_bytes(static_cast<uint64_t>(std::min(p.bytes_per_second, 1e18))));
  }
  return out;
}

double fraction_done(const Progress& p) {
  if (p.total_bytes == 0) return 0;
  return std::min(1.0, static_cast<double>(p.done_bytes) / static_cast<double>(p.total_bytes));
}

std::string bar_line(std::string_view verb, const Progress& p) {
  const double done = fraction_done(p);
  std::string tail = fmt::format(" {:3.0f} %  {}", done * 100, amounts(p));
  if (p.bytes_per_second >= 1 && p.total_bytes > p.done_bytes) {
    const double left = static_cast<double>(p.total_bytes - p.done_bytes) / p.bytes_per_second;
    tail += fmt::format(", {} left", human_seconds(std::min(left, 1e8)));
  }
  const size_t columns = terminal_columns();
  const size_t used = verb.size() + tail.size() + 4;  // two brackets, a space, and the last column stays free
  std::string out(verb);
  if (columns > used + 4) {
    const size_t width = std::min<size_t>(columns - used, 40);
    const auto filled = static_cast<size_t>(done * static_cast<double>(width));
    out += fmt::format(" [{:-<{}}]", std::string(filled, '#'), width);
  }
  out += tail;
  return out.substr(0, columns - 1);
}

}  // namespace

ProgressPrinter::ProgressPrinter(Output& out, const CommonOptions& options, std::string_view verb,
                                 bool bar_allowed)
    : out_(out), verb_(verb), mode_(effective_mode(options, bar_allowed)) {
  state_.lock()->next_show = start_ + interval(mode_);
}

ProgressCallback ProgressPrinter::callback() {
  return [this](const Progress& progress) {
    const auto now = std::chrono::steady_clock::now();
    {
      auto state = state_.lock();
      state->last = progress;
      if (mode_ == ProgressMode::kNone || now < state->next_show) return;
      state->next_show = now + interval(mode_);
    }
    show(progress, now);
  };
}

void ProgressPrinter::show(const Progress& progress, Time now) {
  switch (mode_) {
    case ProgressMode::kBar:
      out_.status_line(bar_line(verb_, progress));
      break;
    case ProgressMode::kLines:
      out_.note(fmt::format("{}: {:.0f} %, {}", verb_, fraction_done(progress) * 100, amounts(progress)));
      break;
    case ProgressMode::kJson:
      out_.progress_event(json_event(progress, now));
      break;
    case ProgressMode::kAuto:
    case ProgressMode::kNone:
      break;
  }
}

JsonLine ProgressPrinter::json_event(const Progress& progress, Time now) const {
  JsonLine out("progress");
  out.add("total_bytes", progress.total_bytes)
      .add("done_bytes", progress.done_bytes)
      .add("transfer_bytes", progress.transfer_bytes)
      .add("total_files", progress.total_files)
      .add("done_files", progress.done_files)
      .add("bytes_per_second", progress.bytes_per_second)
      .add("transfer_bytes_per_second", progress.transfer_bytes_per_second)
      .add("seconds", std::chrono::duration<double>(now - start_).count());
  return out;
}

void ProgressPrinter::finish() {
  out_.clear_status_line();
  if (mode_ == ProgressMode::kJson) {
    out_.progress_event(json_event(last(), std::chrono::steady_clock::now()));
  }
}

Progress ProgressPrinter::last() {
  auto state = state_.lock();
  return state->last;
}

}  // namespace xet::cli

#include "apps/xet/output.h"

#include <fmt/format.h>
#include <unistd.h>

#include "apps/xet/exit_code.h"
#include "apps/xet/fd_io.h"
#include "apps/xet/names.h"

namespace xet::cli {

namespace {
constexpr size_t kFlushBytes = 64 * 1024;
constexpr std::string_view kWipeLine = "\r\x1b[K";
}  // namespace

Output::~Output() {
  clear_status_line();
  flush();
}

// stderr is not checked for errors: there is nobody left to tell.
void Output::write_stderr(State& state, std::string_view text) {
  std::string whole;
  if (std::exchange(state.status_shown, false)) whole = kWipeLine;
  whole += text;
  (void)write_fully(STDERR_FILENO, as_byte_span(whole));
}

void Output::flush_locked(State& state) {
  if (state.pending.empty()) return;
  if (state.error == 0) state.error = write_fully(events_fd_, as_byte_span(state.pending));
  state.pending.clear();
}

void Output::put_locked(State& state, std::string_view line) {
  state.pending += line;
  state.pending += '\n';
  if (state.pending.size() >= kFlushBytes) flush_locked(state);
}

void Output::line(std::string_view text) {
  if (json_) return;
  auto state = state_.lock();
  put_locked(*state, text);
}

void Output::event(const JsonLine& event) {
  if (!json_) return;
  auto state = state_.lock();
  put_locked(*state, event.text());
}

void Output::progress_event(const JsonLine& event) {
  auto state = state_.lock();
  if (json_) {
    put_locked(*state, event.text());
    flush_locked(*state);
  } else {
    write_stderr(*state, event.text() + "\n");
  }
}

void Output::file(const FileLine& file) {
  if (json_) {
    JsonLine out("file");
    out.add_path(file.name);
    file.hash ? out.add("xet_hash", file.hash->hex()) : out.add_null("xet_hash");
    out.add("size", file.size_bytes);
    file.sha256 ? out.add("sha256", file.sha256->hex()) : out.add_null("sha256");
    if (!file.git_id.empty()) out.add("git_id", file.git_id);
    event(out);
    return;
  }
  const auto name = escape_name(file.name);
  line(fmt::format("{}{} {} {}", name.starts_escaped ? "\\" : "",
                   file.hash ? file.hash->hex() : std::string(file.git_id), file.size_bytes, name.text));
}

void Output::summary_event(const Summary& summary) {
  event(JsonLine("summary")
            .add("files", summary.files)
            .add("logical_bytes", summary.logical_bytes)
            .add("deduplicated_bytes", summary.deduplicated_bytes)
            .add("new_bytes", summary.new_bytes)
            .add("compressed_bytes", summary.compressed_bytes)
            .add("wire_bytes", summary.wire_bytes)
            .add("seconds", summary.seconds));
}

void Output::error(const Error& error, std::optional<std::string_view> path) {
  auto state = state_.lock();
  if (json_) {
    JsonLine event("error");
    event.add("code", exit_code_of(error.code))
        .add("kind", to_string(error.code))
        .add("message", error.message);
    if (path) event.add_path(*path);
    put_locked(*state, event.text());
    flush_locked(*state);
  }
  // stdout first, so that a terminal that shows both has them in order
  flush_locked(*state);
  write_stderr(*state, fmt::format("xet: {}\n", one_line(error.message)));
}

void Output::note(std::string_view text) {
  if (!quiet_) log_line(text);
}

void Output::log_line(std::string_view text) {
  auto state = state_.lock();
  flush_locked(*state);
  write_stderr(*state, fmt::format("{}\n", text));
}

void Output::status_line(std::string_view text) {
  auto state = state_.lock();
  write_stderr(*state, fmt::format("{}{}", kWipeLine, text));
  state->status_shown = true;
}

void Output::clear_status_line() {
  auto state = state_.lock();
  if (state->status_shown) write_stderr(*state, "");
}

void Output::flush() {
  auto state = state_.lock();
  flush_locked(*state);
}

int Output::write_error() {
  auto state = state_.lock();
  return state->error;
}

}  // namespace xet::cli

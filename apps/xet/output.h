#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "apps/xet/json_line.h"
#include "base/sync.h"
#include "xet/hash.h"
#include "xet/result.h"

namespace xet::cli {

/// One finished file, as `upload`, `download` and `hash` report it.
struct FileLine {
  std::string_view name;  ///< as given on the command line, or below a directory argument
  std::optional<FileHash> hash;
  uint64_t size_bytes = 0;
  std::optional<Sha256Digest> sha256;
  std::string_view git_id = {};  ///< in place of the hash: a small file of a repository, kept in its commits
};

/// The sums of a run.
struct Summary {
  uint64_t files = 0;
  uint64_t logical_bytes = 0;
  uint64_t deduplicated_bytes = 0;
  uint64_t new_bytes = 0;
  uint64_t compressed_bytes = 0;
  uint64_t wire_bytes = 0;
  double seconds = 0;
};

/// The two streams of the program. Results go to stdout as text or, with --json, as one JSON object per line;
/// everything else goes to stderr. stdout is buffered; a failed write is remembered and reported by
/// write_error(), and what is written afterwards is dropped. Thread-safe.
class Output {
 public:
  /// `events_fd` is where JSON events go: stdout, or stderr for the commands whose stdout is file content.
  explicit Output(int events_fd = 1) : events_fd_(events_fd) {}
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void set_json(bool json) { json_ = json; }  ///< before any thread is started, like the next two
  void set_quiet(bool quiet) { quiet_ = quiet; }
  void set_events_fd(int fd) { events_fd_ = fd; }
  bool json() const { return json_; }
  bool quiet() const { return quiet_; }

  /// One line of results in text mode; the newline is added.
  void line(std::string_view text);
  /// One event in JSON mode.
  void event(const JsonLine& event);
  /// An event that is wanted in either mode and at once; without --json it goes to stderr.
  void progress_event(const JsonLine& event);
  /// `<xet-hash> <size> <path>`, or a "file" event. Small files of repositories have their Git id for a hash.
  void file(const FileLine& file);
  /// The "summary" event; nothing in text mode.
  void summary_event(const Summary& summary);

  /// "xet: MESSAGE" on stderr and, with --json, an "error" event, with the path where there is one.
  void error(const Error& error, std::optional<std::string_view> path = {});
  /// A line on stderr that -q silences.
  void note(std::string_view text);
  /// A line of a log on stderr, whatever else was asked for.
  void log_line(std::string_view text);
  /// Replaces the line at the bottom of a terminal; the next line of stderr output wipes it out.
  void status_line(std::string_view text);
  void clear_status_line();

  void flush();
  /// errno of the first failed write to stdout; 0 while all is well.
  int write_error();

 private:
  struct State {
    std::string pending;  // for events_fd_
    int error = 0;
    bool status_shown = false;
  };
  static void write_stderr(State& state, std::string_view text);
  void flush_locked(State& state);
  void put_locked(State& state, std::string_view line);

  Sync<State> state_;
  int events_fd_;
  bool json_ = false;
  bool quiet_ = false;
};

}  // namespace xet::cli

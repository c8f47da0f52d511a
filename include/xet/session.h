#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "xet/client.h"
#include "xet/config.h"
#include "xet/download.h"
#include "xet/export.h"
#include "xet/hash.h"
#include "xet/result.h"
#include "xet/upload.h"

/// Transfers as objects that one can hold, ask and abort: what programs build on that do not want to wait in
/// one call, and what the Python module shows. A Session makes groups (an upload commit, downloads, streams),
/// each with a connection of its own; groups make one object for each file.
///
///     auto session = Session::make(Config::from_environment());
///     XET_TRY(auto commit, session->new_upload_commit({.endpoint = "local:store"}));
///     XET_TRY(auto file, commit->add_file("model.safetensors", {}));
///     XET_TRY_STATUS(commit->begin_finish());
///     while (!commit->wait_for(100ms)) show(commit->progress());
///     XET_TRY(const auto report, commit->result());
///
/// All of it may be used from several threads at once. Nothing here waits for ever for another object: what
/// waits has a form with a limit, abort() ends it soon, and so does letting go of a group and its files.
namespace xet {

/// Names a commit, group, file or stream within the process; counts up from 1.
using TaskId = uint64_t;

enum class TaskState : uint8_t {
  kRunning,
  kFinalizing,  ///< finishing; nothing may be added
  kCompleted,
  kCancelled,  ///< aborted by the user
  kFailed,     ///< see the object's error
};

/// One file or stream of a group, now.
struct ItemProgress {
  TaskId id = 0;
  std::string name;
  uint64_t total_bytes = 0;
  uint64_t done_bytes = 0;
};

/// How a group connects.
struct ConnectOptions {
  /// As for open_endpoint(), and `memory://`: a store that ends with the process. Nothing: the address that
  /// http.refresh_url answers, asked for at once; without one, the configuration's default endpoint.
  std::optional<std::string> endpoint;
  HttpOptions http;
};

/// Calls somebody regularly while a group transfers.
struct ProgressReports {
  /// From a thread of the group, first after one interval, never twice at once and never after the group has
  /// ended. False ends the calls. May call the group. Empty: no thread.
  std::function<bool(const Progress&, const std::vector<ItemProgress>&)> report;
  std::chrono::milliseconds interval{100};
};

namespace detail {
class SessionCore;
class UploadTask;
class DownloadTask;
}  // namespace detail

/// A file of a commit, which it keeps going.
class XET_EXPORT FileUpload {
 public:
  FileUpload(std::shared_ptr<detail::UploadTask> task, std::shared_ptr<void> commit);
  ~FileUpload();
  TaskId id() const;
  const std::optional<std::string>& name() const;  ///< the absolute path, or what bytes were given as
  ItemProgress progress() const;
  TaskState state() const;
  /// Until the file has been read and deduplicated, or has failed; false when it takes longer. Whether it is
  /// stored, the commit says.
  bool wait_for(std::chrono::milliseconds limit) const;
  /// Nothing before wait_for() holds.
  std::optional<Result<FileReport>> result() const;

 private:
  std::shared_ptr<detail::UploadTask> task_;
  std::shared_ptr<void> commit_;
};

/// A file of a commit whose bytes are pushed. Keeps the commit going.
class XET_EXPORT StreamUpload {
 public:
  class Impl;
  StreamUpload(std::shared_ptr<Impl> impl, std::shared_ptr<void> commit);
  ~StreamUpload();
  const std::optional<std::string>& name() const;
  TaskId id() const;
  ItemProgress progress() const;
  TaskState state() const;
  /// Copies the bytes; blocks while the pipeline is full. kAlreadyDone after finish(), kCancelled after
  /// abort().
  Status write(std::span<const std::byte> bytes);
  /// Says that the file is complete. kAlreadyDone the second time.
  Status finish();
  bool is_finished() const;  ///< finish() was called
  /// As of FileUpload; comes after finish().
  bool wait_for(std::chrono::milliseconds limit) const;
  std::optional<Result<FileReport>> result() const;
  /// Fails the file with kCancelled, and so the commit.
  void abort();

 private:
  std::shared_ptr<Impl> impl_;
  std::shared_ptr<void> commit_;
};

struct CommitReport {
  DeduplicationMetrics metrics;
  Progress progress;
  struct File {
    TaskId id = 0;
    std::optional<std::string> name;  ///< as FileUpload::name()
    FileReport report;
  };
  std::vector<File> files;  ///< in the order in which they were added
};

/// Files that become readable together. All or nothing: one that fails fails the commit.
class XET_EXPORT UploadCommit {
 public:
  class Impl;
  explicit UploadCommit(std::shared_ptr<Impl> impl);
  /// Aborts what is not over, unless an object of one of its files is still there.
  ~UploadCommit();
  UploadCommit(const UploadCommit&) = delete;
  UploadCommit& operator=(const UploadCommit&) = delete;

  struct FileOptions {
    Sha256Policy sha256 = Sha256Policy::kCompute;
    std::optional<Sha256Digest> provided_sha256 = {};
  };

  TaskId id() const;
  /// The name of the file is its path made absolute, links not followed. A path that leads nowhere is kIo at
  /// once; what fails when it is read fails the commit. kAlreadyDone once finishing has begun, kCancelled
  /// after abort().
  Result<std::shared_ptr<FileUpload>> add_file(const std::filesystem::path& path, FileOptions options);
  Result<std::shared_ptr<FileUpload>> add_bytes(std::vector<std::byte> bytes, std::optional<std::string> name,
                                                FileOptions options);
  Result<std::shared_ptr<StreamUpload>> add_stream(std::optional<std::string> name, FileOptions options);

  /// Begins to make everything durable, in the background. kInvalidArgument when a stream is not finished:
  /// the commit has failed then.
  Status begin_finish();
  bool wait_for(std::chrono::milliseconds limit) const;
  /// Of what begin_finish() began; kInternal before wait_for() holds.
  Result<CommitReport> result() const;
  /// Ends everything, and waits for that unless called by the commit's own report. Harmless when it is over.
  void abort();

  TaskState state() const;
  std::optional<Error> error() const;
  Progress progress() const;
  std::vector<ItemProgress> items() const;  ///< in the order in which they were added

 private:
  std::shared_ptr<Impl> impl_;
};

struct FileToDownload {
  std::string hash;  ///< 64 hex digits; anything else fails the file with kCorruption
  std::optional<uint64_t> size_bytes = {};
  std::optional<std::string> sha256 = {};  ///< kept for the report only
};

struct DownloadReport {
  TaskId id = 0;
  FileToDownload asked_for;
  DownloadedFile file;
  ItemProgress progress;
};

/// A file of a download group, which it keeps going.
class XET_EXPORT FileDownload {
 public:
  FileDownload(std::shared_ptr<detail::DownloadTask> task, std::shared_ptr<void> group);
  ~FileDownload();
  TaskId id() const;
  const std::filesystem::path& destination() const;
  ItemProgress progress() const;
  TaskState state() const;
  bool wait_for(std::chrono::milliseconds limit) const;
  std::optional<Result<DownloadReport>> result() const;
  /// Fails this file with kCancelled, and no other. Harmless when it is through.
  void cancel();

 private:
  std::shared_ptr<detail::DownloadTask> task_;
  std::shared_ptr<void> group_;
};

struct DownloadGroupReport {
  Progress progress;
  std::vector<DownloadReport> files;  ///< in the order in which they were added
};

class XET_EXPORT FileDownloadGroup {
 public:
  class Impl;
  explicit FileDownloadGroup(std::shared_ptr<Impl> impl);
  /// Aborts what is not over, unless an object of one of its files is still there.
  ~FileDownloadGroup();
  FileDownloadGroup(const FileDownloadGroup&) = delete;
  FileDownloadGroup& operator=(const FileDownloadGroup&) = delete;

  TaskId id() const;
  /// See DownloadRequest for how the destination is treated.
  Result<std::shared_ptr<FileDownload>> add_file(const FileToDownload& file,
                                                 const std::filesystem::path& destination);
  Status begin_finish();
  bool wait_for(std::chrono::milliseconds limit) const;
  /// The error of the first file that failed, in the order in which they were added, or the report.
  Result<DownloadGroupReport> result() const;
  void abort();

  TaskState state() const;
  std::optional<Error> error() const;
  Progress progress() const;
  std::vector<ItemProgress> items() const;

 private:
  std::shared_ptr<Impl> impl_;
};

/// A file, or a range of it, taken piece by piece. Nothing is fetched before the first next_for(). One
/// consumer.
class XET_EXPORT DownloadStream {
 public:
  class Impl;
  explicit DownloadStream(std::shared_ptr<Impl> impl);
  /// Ends the fetching.
  ~DownloadStream();

  struct Piece {
    uint64_t offset = 0;  ///< from the beginning of the range that was asked for
    std::vector<std::byte> bytes;
  };
  enum class Wait : uint8_t { kPiece, kEnd, kNotYet };

  /// The next piece, of up to 4 MiB, in order. kEnd after the last, after cancel(), and after an error was
  /// told. An error is told once; that the whole content is wrong shows after its last byte only.
  Result<Wait> next_for(std::chrono::milliseconds limit, Piece& out);
  /// From any thread.
  void cancel();
  TaskId id() const;
  ItemProgress progress() const;

 private:
  std::shared_ptr<Impl> impl_;
};

class XET_EXPORT DownloadStreamGroup {
 public:
  class Impl;
  explicit DownloadStreamGroup(std::shared_ptr<Impl> impl);
  /// The group's streams go on without it.
  ~DownloadStreamGroup();
  DownloadStreamGroup(const DownloadStreamGroup&) = delete;
  DownloadStreamGroup& operator=(const DownloadStreamGroup&) = delete;

  /// kInvalidArgument for a range that ends before it begins, or begins after 0 at or past a known size.
  Result<std::shared_ptr<DownloadStream>> stream(const FileToDownload& file, std::optional<uint64_t> begin,
                                                 std::optional<uint64_t> end);
  /// No more streams; those there are go on. Harmless the second time; kCancelled after abort().
  Status finish();
  /// Ends all streams of the group without an error.
  void abort();

 private:
  std::shared_ptr<Impl> impl_;
};

/// What groups have in common: configuration, threads, memory, connections. While no group is at work there
/// are no threads.
class XET_EXPORT Session {
 public:
  static std::shared_ptr<Session> make(Config config);
  explicit Session(std::shared_ptr<detail::SessionCore> core);
  ~Session();

  const std::string& id() const;  ///< a UUID of version 7; goes with every request
  const Config& config() const;
  /// After abort() everything that belongs to the session ends with kCancelled, now and later; streams end as
  /// if cancelled, without an error.
  void abort();
  bool is_aborted() const;

  /// Block when a token has to be asked for; a fired `stop` ends that, and so does abort().
  Result<std::shared_ptr<UploadCommit>> new_upload_commit(const ConnectOptions& to,
                                                          ProgressReports reports = {},
                                                          const std::stop_token& stop = {});
  Result<std::shared_ptr<FileDownloadGroup>> new_file_download_group(const ConnectOptions& from,
                                                                     ProgressReports reports = {},
                                                                     const std::stop_token& stop = {});
  Result<std::shared_ptr<DownloadStreamGroup>> new_download_stream_group(const ConnectOptions& from,
                                                                         const std::stop_token& stop = {});

 private:
  std::shared_ptr<detail::SessionCore> core_;
};

}  // namespace xet

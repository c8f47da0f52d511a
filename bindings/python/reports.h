#pragma once

#include <nanobind/nanobind.h>

#include <optional>
#include <string>
#include <vector>

#include "bindings/python/args.h"
#include "xet/session.h"

namespace xet::python {

/// A TaskId as Python sees it.
struct UniqueId {
  TaskId value;
};

/// What names a file for a download, or is told of one.
struct FileInfo {
  std::string hash;
  std::optional<uint64_t> size;
  std::optional<std::string> sha256;
};

struct FileMetadata {
  TaskId id;
  FileReport report;
  std::optional<std::string> name;
};

struct GroupReport {
  Progress progress;
  bool is_upload;
};

/// A commit's report with what only the caller's side knows: the names as they were given.
struct CommitSummary {
  DeduplicationMetrics metrics;
  Progress progress;
  std::vector<FileMetadata> files;
};

struct DownloadSummary {
  DownloadReport report;
  FileInfo info;  ///< as it was asked for, with the size that came
};

struct DownloadGroupSummary {
  Progress progress;
  std::vector<DownloadSummary> files;
};

void bind_reports(nb::module_& module);

nb::object state_object(TaskState state);
const char* name_of(TaskState state);
/// The same with what went wrong, for reprs.
std::string shown(TaskState state, const std::optional<Error>& error);
/// A dict of UniqueId to the item's report.
nb::dict items_dict(const std::vector<ItemProgress>& items);
/// "12/300", for reprs.
std::string counted(const ItemProgress& progress);
/// Text in quotes, as reprs show it; None without one.
std::string in_quotes(const std::optional<std::string>& text);

}  // namespace xet::python

#include "bindings/python/reports.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "bindings/python/docstrings.h"
#include "bindings/python/errors.h"

namespace xet::python {

namespace {

using nb::literals::operator""_a;

struct StateObject {
  TaskState state;
};

/// The part of a report that tells of shards.
struct ShardReport {
  ShardProgress shards;
};

nb::object rate(const Progress& progress, double per_second) {
  return progress.has_speed ? nb::object(nb::float_(per_second)) : nb::none();
}

std::string joined(const std::vector<std::string>& parts) {
  return fmt::format("[{}]", fmt::join(parts, ", "));
}

FileInfo info_of(const FileReport& report) {
  FileInfo out{report.hash.hex(), report.size_bytes, std::nullopt};
  if (report.sha256) out.sha256 = report.sha256->hex();
  return out;
}

template <class Owner>
nb::dict by_id(const std::vector<Owner>& files, TaskId (*id_of)(const Owner&)) {
  nb::dict out;
  for (const auto& file : files) out[nb::cast(UniqueId{id_of(file)})] = nb::cast(file);
  return out;
}

void bind_states(nb::module_& module) {
  auto states =
      Documented<StateObject>(module, "XetTaskState", nb::is_final())
          .def("__repr__",
               [](const StateObject& self) { return fmt::format("XetTaskState.{}", name_of(self.state)); })
          .def("__int__", [](const StateObject& self) { return static_cast<int>(self.state); })
          .def(
              "__eq__",
              [](const StateObject& self, const nb::object& other) -> nb::object {
                const auto* state = instance_of<StateObject>(other);
                if (state == nullptr) return nb::borrow(Py_NotImplemented);
                return nb::bool_(self.state == state->state);
              },
              "other"_a.none());
  for (const auto state :
       {TaskState::kRunning, TaskState::kFinalizing, TaskState::kCompleted, TaskState::kCancelled}) {
    states.attr(name_of(state)) = nb::cast(StateObject{state});
  }
  states.attr("__hash__") = nb::none();
}

void bind_progress(nb::module_& module) {
  Documented<UniqueId>(module, "UniqueId", nb::is_final())
      .def("__repr__", [](const UniqueId& self) { return fmt::format("UniqueId({})", self.value); })
      .def("__hash__", [](const UniqueId& self) { return self.value; })
      .def(
          "__eq__",
          [](const UniqueId& self, const nb::object& other) -> nb::object {
            const auto* id = instance_of<UniqueId>(other);
            if (id == nullptr) return nb::borrow(Py_NotImplemented);
            return nb::bool_(self.value == id->value);
          },
          "other"_a.none());

  Documented<ItemProgress>(module, "ItemProgressReport", nb::is_final())
      .def_prop_ro("item_name", [](const ItemProgress& self) { return text(self.name); })
      .def_ro("total_bytes", &ItemProgress::total_bytes)
      .def_ro("bytes_completed", &ItemProgress::done_bytes);

  Documented<ShardReport>(module, "ShardUploadProgressReport", nb::is_final())
      .def_prop_ro("total_shard_bytes", [](const ShardReport& self) { return self.shards.total_bytes; })
      .def_prop_ro("total_shard_bytes_upload_completed",
                   [](const ShardReport& self) { return self.shards.sent_bytes; })
      .def_prop_ro("total_shards", [](const ShardReport& self) { return self.shards.total; })
      .def_prop_ro("total_shard_validation_entries",
                   [](const ShardReport& self) { return self.shards.total_entries; })
      .def_prop_ro("total_shard_validation_entries_completed",
                   [](const ShardReport& self) { return self.shards.verified_entries; })
      .def_prop_ro("total_shards_uploaded_to_store",
                   [](const ShardReport& self) { return self.shards.uploaded; })
      .def_prop_ro("total_shards_synced", [](const ShardReport& self) { return self.shards.synced; })
      .def_prop_ro("total_shards_completed", [](const ShardReport& self) { return self.shards.done; });

  Documented<GroupReport>(module, "GroupProgressReport", nb::is_final())
      .def_prop_ro("total_bytes", [](const GroupReport& self) { return self.progress.total_bytes; })
      .def_prop_ro("total_bytes_completed", [](const GroupReport& self) { return self.progress.done_bytes; })
      .def_prop_ro(
          "total_bytes_completion_rate",
          [](const GroupReport& self) { return rate(self.progress, self.progress.bytes_per_second); })
      .def_prop_ro("total_transfer_bytes",
                   [](const GroupReport& self) { return self.progress.total_new_bytes; })
      .def_prop_ro("total_transfer_bytes_completed",
                   [](const GroupReport& self) { return self.progress.done_new_bytes; })
      .def_prop_ro(
          "total_transfer_bytes_completion_rate",
          [](const GroupReport& self) { return rate(self.progress, self.progress.new_bytes_per_second); })
      .def_prop_ro("shard", [](const GroupReport& self) -> nb::object {
        if (!self.is_upload) return nb::none();
        return nb::cast(ShardReport{self.progress.shards});
      });
}

void bind_files(nb::module_& module) {
  Documented<FileInfo>(module, "XetFileInfo", nb::is_final())
      .def(
          "__init__",
          [](FileInfo* self, const nb::object& hash, const nb::object& file_size) {
            new (self) FileInfo{to_text(hash), to_optional_count(file_size), std::nullopt};
          },
          "hash"_a.none(), "file_size"_a = nb::none())
      .def_prop_ro("hash", [](const FileInfo& self) { return text(self.hash); })
      .def_prop_ro(
          "file_size",
          [](const FileInfo& self) { return self.size ? nb::object(nb::int_(*self.size)) : nb::none(); })
      .def_prop_ro("sha256", [](const FileInfo& self) { return optional_text(self.sha256); });

  Documented<DeduplicationMetrics>(module, "DeduplicationMetrics", nb::is_final())
      .def_ro("total_bytes", &DeduplicationMetrics::total_bytes)
      .def_ro("deduped_bytes", &DeduplicationMetrics::deduped_bytes)
      .def_ro("new_bytes", &DeduplicationMetrics::new_bytes)
      .def_ro("deduped_bytes_by_global_dedup", &DeduplicationMetrics::deduped_bytes_by_global_dedup)
      .def_ro("defrag_prevented_dedup_bytes", &DeduplicationMetrics::defrag_prevented_dedup_bytes)
      .def_ro("total_chunks", &DeduplicationMetrics::total_chunks)
      .def_ro("deduped_chunks", &DeduplicationMetrics::deduped_chunks)
      .def_ro("new_chunks", &DeduplicationMetrics::new_chunks)
      .def_ro("deduped_chunks_by_global_dedup", &DeduplicationMetrics::deduped_chunks_by_global_dedup)
      .def_ro("defrag_prevented_dedup_chunks", &DeduplicationMetrics::defrag_prevented_dedup_chunks)
      .def_ro("xorb_bytes_uploaded", &DeduplicationMetrics::xorb_bytes_uploaded)
      .def_ro("shard_bytes_uploaded", &DeduplicationMetrics::shard_bytes_uploaded)
      .def_ro("total_bytes_uploaded", &DeduplicationMetrics::total_bytes_uploaded);
}

void bind_upload_reports(nb::module_& module) {
  Documented<FileMetadata>(module, "XetFileMetadata", nb::is_final())
      .def("__repr__",
           [](const FileMetadata& self) {
             return fmt::format("XetFileMetadata(task_id={}, name=\"{}\", hash=\"{}\", size={})", self.id,
                                self.name.value_or("None"), self.report.hash.hex(), self.report.size_bytes);
           })
      .def_prop_ro("task_id", [](const FileMetadata& self) { return UniqueId{self.id}; })
      .def_prop_ro("xet_info", [](const FileMetadata& self) { return info_of(self.report); })
      .def_prop_ro("dedup_metrics", [](const FileMetadata& self) { return self.report.metrics; })
      .def_prop_ro("tracking_name", [](const FileMetadata& self) { return optional_text(self.name); });

  Documented<CommitSummary>(module, "XetCommitReport", nb::is_final())
      .def("__repr__",
           [](const CommitSummary& self) {
             std::vector<std::string> files;
             files.reserve(self.files.size());
             for (const auto& file : self.files) {
               files.push_back(fmt::format("({}, \"{}\", hash=\"{}\", size={})", file.id,
                                           file.name.value_or("None"), file.report.hash.hex(),
                                           file.report.size_bytes));
             }
             return fmt::format("XetCommitReport(files={}, total_bytes={}, deduped_bytes={}, uploads={})",
                                self.files.size(), self.metrics.total_bytes, self.metrics.deduped_bytes,
                                joined(files));
           })
      .def_prop_ro("dedup_metrics", [](const CommitSummary& self) { return self.metrics; })
      .def_prop_ro("progress", [](const CommitSummary& self) { return GroupReport{self.progress, true}; })
      .def_prop_ro("uploads", [](const CommitSummary& self) {
        return by_id<FileMetadata>(self.files, [](const FileMetadata& file) { return file.id; });
      });
}

void bind_download_reports(nb::module_& module) {
  Documented<DownloadSummary>(module, "XetDownloadReport", nb::is_final())
      .def("__repr__",
           [](const DownloadSummary& self) {
             return fmt::format("XetDownloadReport(task_id={}, hash=\"{}\", path=\"{}\")", self.report.id,
                                self.info.hash, self.report.file.destination.string());
           })
      .def_prop_ro("task_id", [](const DownloadSummary& self) { return UniqueId{self.report.id}; })
      .def_prop_ro(
          "path",
          [](const DownloadSummary& self) {
            return nb::module_::import_("pathlib").attr("Path")(path_text(self.report.file.destination));
          })
      .def_prop_ro("file_info", [](const DownloadSummary& self) { return self.info; })
      .def_prop_ro("progress", [](const DownloadSummary& self) { return self.report.progress; });

  Documented<DownloadGroupSummary>(module, "XetDownloadGroupReport", nb::is_final())
      .def("__repr__",
           [](const DownloadGroupSummary& self) {
             std::vector<std::string> files;
             files.reserve(self.files.size());
             for (const auto& file : self.files) {
               files.push_back(fmt::format("({}, \"{}\", bytes_completed={})", file.report.id,
                                           file.report.file.destination.string(),
                                           counted(file.report.progress)));
             }
             return fmt::format("XetDownloadGroupReport(files={}, bytes_completed={}/{}, downloads={})",
                                self.files.size(), self.progress.done_bytes, self.progress.total_bytes,
                                joined(files));
           })
      .def_prop_ro("progress",
                   [](const DownloadGroupSummary& self) { return GroupReport{self.progress, false}; })
      .def_prop_ro("downloads", [](const DownloadGroupSummary& self) {
        return by_id<DownloadSummary>(self.files, [](const DownloadSummary& file) { return file.report.id; });
      });
}

}  // namespace

const char* name_of(TaskState state) {
  switch (state) {
    case TaskState::kRunning:
      return "Running";
    case TaskState::kFinalizing:
      return "Finalizing";
    case TaskState::kCompleted:
      return "Completed";
    case TaskState::kCancelled:
      return "UserCancelled";
    case TaskState::kFailed:
      break;
  }
  return "Error";
}

std::string shown(TaskState state, const std::optional<Error>& error) {
  if (state != TaskState::kFailed || !error) return name_of(state);
  return fmt::format("Error({})", text_of(*error));
}

nb::object state_object(TaskState state) {
  return nb::cast(StateObject{state});
}

nb::dict items_dict(const std::vector<ItemProgress>& items) {
  nb::dict out;
  for (const auto& item : items) out[nb::cast(UniqueId{item.id})] = nb::cast(item);
  return out;
}

std::string counted(const ItemProgress& progress) {
  return fmt::format("{}/{}", progress.done_bytes, progress.total_bytes);
}

std::string in_quotes(const std::optional<std::string>& text) {
  return text ? fmt::format("\"{}\"", *text) : "None";
}

void bind_reports(nb::module_& module) {
  bind_states(module);
  bind_progress(module);
  bind_files(module);
  bind_upload_reports(module);
  bind_download_reports(module);
}

}  // namespace xet::python

#include "bindings/python/downloads.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "bindings/python/args.h"
#include "bindings/python/blocking.h"
#include "bindings/python/docstrings.h"
#include "bindings/python/reports.h"
#include "bindings/python/session.h"

namespace xet::python {

namespace {

using nb::literals::operator""_a;

/// A file of a group, with the description that it was asked for by.
struct FileDownloadObject {
  Held<FileDownload> file;
  FileInfo info;
};

[[noreturn]] void raise_of(const std::shared_ptr<Session>& session, const Error& error) {
  if (error.code == ErrorCode::kCancelled && session->is_aborted()) raise_interrupted();
  raise_task(error);
}

/// The group of a call that begins something.
FileDownloadGroup& begin(const Held<FileDownloadGroup>& self) {
  auto& group = self.begin();
  if (group.state() == TaskState::kFailed)
    raise_runtime_error("Previous task error: Task error: " + text_of(*group.error()));
  return group;
}

DownloadSummary summary_of(const DownloadReport& report, FileInfo info) {
  info.size = report.file.size_bytes;
  return {report, std::move(info)};
}

DownloadSummary wait_for_result(const FileDownloadObject& self) {
  auto& file = self.file.use();
  wait_for([&](auto limit) { return file.wait_for(limit); });
  const auto result = *file.result();
  if (!result) raise_of(self.file.session(), result.error());
  return summary_of(*result, self.info);
}

DownloadGroupSummary wait_to_finish(const DownloadGroupObject& self) {
  auto& group = begin(self.group);
  if (const auto begun = group.begin_finish(); !begun) {
    if (self.group.session()->is_aborted()) raise_interrupted();
    raise(begun.error());
  }
  wait_for([&](auto limit) { return group.wait_for(limit); });
  const auto report = group.result();
  if (!report) raise_of(self.group.session(), report.error());
  self.callback.call_last(report->progress, group.items());
  DownloadGroupSummary out{report->progress, {}};
  out.files.reserve(report->files.size());
  for (const auto& file : report->files) {
    out.files.push_back(summary_of(file, {file.asked_for.hash, std::nullopt, file.asked_for.sha256}));
  }
  return out;
}

void abort(const DownloadGroupObject& self) {
  if (!self.group.is_in_own_process()) return;
  auto& group = self.group.look();
  const ReleasedGil released;
  group.abort();
}

void bind_file(nb::module_& module) {
  Documented<FileDownloadObject>(module, "XetFileDownload", nb::is_final())
      .def("result", wait_for_result)
      .def("try_result",
           [](const FileDownloadObject& self) -> nb::object {
             const auto result = self.file.look().result();
             if (!result || self.file.look().state() == TaskState::kCancelled) return nb::none();
             if (!*result) raise_of(self.file.session(), result->error());
             return nb::cast(summary_of(**result, self.info));
           })
      .def("cancel",
           [](const FileDownloadObject& self) {
             if (!self.file.is_in_own_process()) return;
             auto& file = self.file.look();
             const ReleasedGil released;
             file.cancel();
           })
      .def("progress", [](const FileDownloadObject& self) { return self.file.look().progress(); })
      .def("status",
           [](const FileDownloadObject& self) {
             const auto& file = self.file.look();
             if (file.state() != TaskState::kFailed) return state_object(file.state());
             raise_task(file.result()->error());
           })
      .def("task_id", [](const FileDownloadObject& self) { return UniqueId{self.file.look().id()}; })
      .def("__repr__", [](const FileDownloadObject& self) {
        const auto& file = self.file.look();
        return fmt::format("XetFileDownload(task_id={}, status=\"{}\", bytes_completed={})", file.id(),
                           name_of(file.state()), counted(file.progress()));
      });
}

}  // namespace

const FileInfo& to_file_info(nb::handle value) {
  const auto* info = instance_of<FileInfo>(value);
  if (info == nullptr) raise_not_instance(value, "XetFileInfo");
  return *info;
}

void bind_downloads(nb::module_& module) {
  bind_file(module);
  Documented<DownloadGroupObject>(module, "XetFileDownloadGroup", nb::is_final())
      .def(
          "start_download_file",
          [](const DownloadGroupObject& self, const nb::object& file_info, const nb::object& dest_path) {
            const auto info = to_file_info(file_info);
            const auto destination = to_path(dest_path);
            auto& group = begin(self.group);
            auto file = [&] {
              const ReleasedGil released;
              return group.add_file({info.hash, info.size, info.sha256}, destination);
            }();
            if (!file) {
              if (self.group.session()->is_aborted()) raise_interrupted();
              raise(file.error());
            }
            return FileDownloadObject{Held(self.group.session(), std::move(*file)), info};
          },
          "file_info"_a.none(), "dest_path"_a.none())
      .def("wait_to_finish", wait_to_finish)
      .def("abort", abort)
      .def("progress",
           [](const DownloadGroupObject& self) { return GroupReport{self.group.look().progress(), false}; })
      .def("status",
           [](const DownloadGroupObject& self) {
             const auto& group = self.group.look();
             if (group.state() != TaskState::kFailed) return state_object(group.state());
             raise_task(*group.error());
           })
      .def("__enter__", [](const nb::object& self) { return self; })
      .def(
          "__exit__",
          [](const DownloadGroupObject& self, const nb::object& exc_type, const nb::object& /*_exc_val*/,
             const nb::object& /*_exc_tb*/) {
            exc_type.is_none() ? (void)wait_to_finish(self) : abort(self);
            return false;
          },
          "exc_type"_a.none(), "_exc_val"_a.none(), "_exc_tb"_a.none())
      .def("__repr__", [](const DownloadGroupObject& self) {
        const auto& group = self.group.look();
        std::vector<std::string> files;
        if (group.state() == TaskState::kRunning) {
          for (const auto& item : group.items())
            files.push_back(
                fmt::format("({}, \"{}\", bytes_completed={})", item.id, item.name, counted(item)));
        }
        return fmt::format("XetFileDownloadGroup(status=\"{}\", downloads=[{}])",
                           shown(group.state(), group.error()), fmt::join(files, ", "));
      });
}

}  // namespace xet::python

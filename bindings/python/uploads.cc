#include "bindings/python/uploads.h"

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
using FileUploadObject = Held<FileUpload>;
using StreamUploadObject = Held<StreamUpload>;

/// An error of a part of a session, which may be what sigint_abort() did to it.
[[noreturn]] void raise_of(const std::shared_ptr<Session>& session, const Error& error) {
  if (error.code == ErrorCode::kCancelled && session->is_aborted()) raise_interrupted();
  raise(error);
}

/// The commit of a call that begins something.
UploadCommit& begin(const Held<UploadCommit>& self) {
  auto& commit = self.begin();
  if (commit.state() == TaskState::kFailed)
    raise_runtime_error("Previous task error: " + text_of(*commit.error()));
  return commit;
}

UploadCommit::FileOptions to_options(nb::handle sha256) {
  const auto choice = to_sha256(sha256);
  return {choice.policy, choice.digest};
}

template <class T>
Held<T> made(const std::shared_ptr<Session>& session, Result<std::shared_ptr<T>> part) {
  if (!part) raise_of(session, part.error());
  return Held<T>(session, std::move(*part));
}

/// What a handle of a file or stream tells of its result.
template <class Task>
FileMetadata metadata_of(const Task& task, const FileReport& report) {
  return {task.id(), report, task.name()};
}

template <class Task>
FileMetadata wait_for_result(const Held<Task>& self) {
  auto& task = self.use();
  wait_for([&](auto limit) { return task.wait_for(limit); });
  const auto result = *task.result();
  if (!result) raise_of(self.session(), result.error());
  return metadata_of(task, *result);
}

template <class Task>
nb::object look_at_result(const Held<Task>& self) {
  const auto& task = self.look();
  const auto result = task.result();
  return result && *result ? nb::cast(metadata_of(task, **result)) : nb::none();
}

/// The state of a file or stream; a failure is raised.
template <class Task>
nb::object task_state(const Held<Task>& self) {
  const auto& task = self.look();
  if (task.state() != TaskState::kFailed) return state_object(task.state());
  raise_runtime_error("Task error: " + text_of(task.result()->error()));
}

template <class Task>
std::string task_repr(const char* name, const Held<Task>& self) {
  const auto& task = self.look();
  return fmt::format("{}(task_id={}, status=\"{}\", bytes_completed={})", name, task.id(),
                     name_of(task.state()), counted(task.progress()));
}

CommitSummary wait_to_finish(const UploadCommitObject& self) {
  auto report = finish(self.commit);
  const auto& commit = self.commit.look();
  self.callback.call_last(report.progress, commit.items());
  CommitSummary out{report.metrics, report.progress, {}};
  out.files.reserve(report.files.size());
  for (auto& file : report.files)
    out.files.push_back({file.id, std::move(file.report), std::move(file.name)});
  return out;
}

void abort(const UploadCommitObject& self) {
  if (!self.commit.is_in_own_process()) return;
  auto& commit = self.commit.look();
  const ReleasedGil released;
  commit.abort();
}

void bind_commit(nb::module_& module) {
  Documented<UploadCommitObject>(module, "XetUploadCommit", nb::is_final())
      .def(
          "start_upload_file",
          [](const UploadCommitObject& self, const nb::object& path, const nb::object& sha256) {
            const auto options = to_options(sha256);
            const auto from = to_path(path);
            auto& commit = begin(self.commit);
            auto file = [&] {
              const ReleasedGil released;
              return commit.add_file(from, options);
            }();
            return made(self.commit.session(), std::move(file));
          },
          "path"_a.none(), "sha256"_a = nb::none())
      .def(
          "start_upload_bytes",
          [](const UploadCommitObject& self, const nb::object& data, const nb::object& sha256,
             const nb::object& name) {
            const auto options = to_options(sha256);
            auto label = to_optional_text(name);
            auto bytes = to_bytes(data);
            auto& commit = begin(self.commit);
            auto file = [&] {
              const ReleasedGil released;
              return commit.add_bytes(std::move(bytes), std::move(label), options);
            }();
            return made(self.commit.session(), std::move(file));
          },
          "data"_a.none(), "sha256"_a = nb::none(), "name"_a = nb::none())
      .def(
          "start_upload_stream",
          [](const UploadCommitObject& self, const nb::object& name, const nb::object& sha256) {
            const auto options = to_options(sha256);
            auto label = to_optional_text(name);
            auto& commit = begin(self.commit);
            auto stream = [&] {
              const ReleasedGil released;
              return commit.add_stream(std::move(label), options);
            }();
            return made(self.commit.session(), std::move(stream));
          },
          "name"_a = nb::none(), "sha256"_a = nb::none())
      .def("wait_to_finish", wait_to_finish)
      .def("abort", abort)
      .def("progress",
           [](const UploadCommitObject& self) { return GroupReport{self.commit.look().progress(), true}; })
      .def("status",
           [](const UploadCommitObject& self) {
             const auto& commit = self.commit.look();
             if (commit.state() == TaskState::kFailed)
               raise_runtime_error("Task error: " + text_of(*commit.error()));
             return state_object(commit.state());
           })
      .def("__enter__", [](const nb::object& self) { return self; })
      .def(
          "__exit__",
          [](const UploadCommitObject& self, const nb::object& exc_type, const nb::object& /*_exc_val*/,
             const nb::object& /*_exc_tb*/) {
            exc_type.is_none() ? (void)wait_to_finish(self) : abort(self);
            return false;
          },
          "exc_type"_a.none(), "_exc_val"_a.none(), "_exc_tb"_a.none())
      .def("__repr__", [](const UploadCommitObject& self) {
        const auto& commit = self.commit.look();
        std::vector<std::string> files;
        if (commit.state() == TaskState::kRunning) {
          for (const auto& item : commit.items()) {
            files.push_back(fmt::format("({}, {}, bytes_completed={})", item.id,
                                        item.name.empty() ? std::string("None") : in_quotes(item.name),
                                        counted(item)));
          }
        }
        return fmt::format("XetUploadCommit(status=\"{}\", uploads=[{}])",
                           shown(commit.state(), commit.error()), fmt::join(files, ", "));
      });
}

void bind_stream(nb::module_& module) {
  const auto finish_stream = [](const StreamUploadObject& self) {
    auto& stream = self.begin();
    const auto finished = run([&] { return stream.finish(); }, [&] { stream.abort(); });
    if (!finished) raise_of(self.session(), finished.error());
    return wait_for_result(self);
  };
  const auto abort_stream = [](const StreamUploadObject& self) {
    if (!self.is_in_own_process()) return;
    auto& stream = self.look();
    const ReleasedGil released;
    stream.abort();
  };
  Documented<StreamUploadObject>(module, "XetStreamUpload", nb::is_final())
      .def(
          "write",
          [](const StreamUploadObject& self, const nb::object& data) {
            if (!PyBytes_Check(data.ptr())) raise_not_instance(data, "bytes");
            char* content = nullptr;
            Py_ssize_t size = 0;
            if (PyBytes_AsStringAndSize(data.ptr(), &content, &size) != 0) throw nb::python_error();
            const auto bytes =
                std::as_bytes(std::span(content, static_cast<size_t>(size)));  // `data` keeps them
            auto& stream = self.begin();
            const auto written = run([&] { return stream.write(bytes); }, [&] { stream.abort(); });
            if (!written) raise_of(self.session(), written.error());
          },
          "data"_a.none())
      .def("finish", finish_stream)
      .def("try_finish", look_at_result<StreamUpload>)
      .def("abort", abort_stream)
      .def("progress", [](const StreamUploadObject& self) { return self.look().progress(); })
      .def("status", task_state<StreamUpload>)
      .def("task_id", [](const StreamUploadObject& self) { return UniqueId{self.look().id()}; })
      .def("__enter__", [](const nb::object& self) { return self; })
      .def(
          "__exit__",
          [=](const StreamUploadObject& self, const nb::object& exc_type, const nb::object& /*_exc_val*/,
              const nb::object& /*_exc_tb*/) {
            if (!exc_type.is_none()) {
              abort_stream(self);
            } else if (!self.look().is_finished()) {
              finish_stream(self);
            }
            return false;
          },
          "exc_type"_a.none(), "_exc_val"_a.none(), "_exc_tb"_a.none())
      .def("__repr__", [](const StreamUploadObject& self) { return task_repr("XetStreamUpload", self); });
}

}  // namespace

CommitReport finish(const Held<UploadCommit>& self) {
  auto& commit = begin(self);
  if (const auto begun = commit.begin_finish(); !begun) raise_of(self.session(), begun.error());
  wait_for([&](auto limit) { return commit.wait_for(limit); });
  auto report = [&] {
    const ReleasedGil released;
    return commit.result();
  }();
  if (!report) raise_of(self.session(), report.error());
  return *std::move(report);
}

void bind_uploads(nb::module_& module) {
  Documented<FileUploadObject>(module, "XetFileUpload", nb::is_final())
      .def("result", wait_for_result<FileUpload>)
      .def("try_result", look_at_result<FileUpload>)
      .def("progress", [](const FileUploadObject& self) { return self.look().progress(); })
      .def("status", task_state<FileUpload>)
      .def("task_id", [](const FileUploadObject& self) { return UniqueId{self.look().id()}; })
      .def("__repr__", [](const FileUploadObject& self) { return task_repr("XetFileUpload", self); });
  bind_stream(module);
  bind_commit(module);
}

}  // namespace xet::python

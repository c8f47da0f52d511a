#include <fmt/format.h>

#include <utility>

#include "bindings/python/args.h"
#include "bindings/python/blocking.h"
#include "bindings/python/connect.h"
#include "bindings/python/docstrings.h"
#include "bindings/python/legacy_progress.h"
#include "bindings/python/session.h"
#include "bindings/python/uploads.h"
#include "xet/endpoint.h"

namespace xet::python {

namespace {

using nb::literals::operator""_a;

constexpr std::chrono::milliseconds kUpdateEvery{250};

struct DownloadInfo {
  std::string destination;
  std::string hash;
  std::optional<uint64_t> size;
};

struct PointerFile : DownloadInfo {};

struct UploadInfo {
  std::string hash;
  uint64_t size = 0;
  std::optional<std::string> sha256;
};

UploadInfo info_of(const FileReport& report) {
  UploadInfo out{report.hash.hex(), report.size_bytes, std::nullopt};
  if (report.sha256) out.sha256 = report.sha256->hex();
  return out;
}

// --- Arguments

std::vector<std::string> to_texts(nb::handle value) {
  std::vector<std::string> out;
  for (const auto& item : to_sequence(value)) out.push_back(to_text(item));
  return out;
}

std::optional<AccessToken> to_token(nb::handle value) {
  if (value.is_none()) return std::nullopt;
  if (!PyTuple_Check(value.ptr())) raise_not_instance(value, "tuple");
  if (nb::len(value) != 2)
    raise_value_error(fmt::format("expected tuple of length 2, but got tuple of length {}", nb::len(value)));
  return AccessToken{to_text(nb::object(value[0])), to_count(nb::object(value[1]))};
}

/// A function that asks Python for a token. What it raises means that there is none.
std::function<Result<AccessToken>()> to_refresher(const nb::object& function) {
  if (function.is_none()) return {};
  if (PyCallable_Check(function.ptr()) == 0) {
    raise_type_error(
        fmt::format("refresh func: {} is not callable", nb::cast<std::string>(nb::repr(function))));
  }
  return [shared = share(function)]() -> Result<AccessToken> {
    const AcquiredGil gil;
    if (!gil) return fail(ErrorCode::kCancelled, "the interpreter ends");
    try {
      return *to_token((*shared)());
    } catch (nb::python_error& error) {
      return fail(ErrorCode::kUnauthorized, fmt::format("the token refresher raised {}", error.what()));
    } catch (const std::exception& error) {
      return fail(ErrorCode::kUnauthorized, fmt::format("the token refresher: {}", error.what()));
    }
  };
}

struct Connection {
  const nb::object &endpoint, token_info, token_refresher, request_headers;
};

ConnectOptions to_connect(const Connection& connection) {
  ConnectOptions out;
  out.endpoint = to_optional_text(connection.endpoint);
  out.http.token = to_token(connection.token_info);
  out.http.refresh = to_refresher(connection.token_refresher);
  set_headers(out.http, to_headers(connection.request_headers));
  return out;
}

/// Points at the line that called the function.
void warn_deprecated(const char* function, const char* instead) {
  const auto message = fmt::format("hf_xet.{}() is deprecated. Use {} instead.", function, instead);
  // A function in C has no frame, so the caller is level 1.
  if (PyErr_WarnEx(PyExc_DeprecationWarning, message.c_str(), 1) != 0) throw nb::python_error();
}

std::vector<Sha256Choice> to_sha256s(const std::optional<std::vector<std::string>>& given, bool skip,
                                     size_t n_files, const char* what) {
  if (skip && given) raise_value_error("skip_sha256=True and sha256s are mutually exclusive");
  std::vector<Sha256Choice> out(n_files);
  if (skip) out.assign(n_files, {Sha256Policy::kSkip, std::nullopt});
  if (!given) return out;
  if (given->size() != n_files) {
    raise_value_error(
        fmt::format("sha256s length ({}) must match {} length ({})", given->size(), what, n_files));
  }
  for (size_t i = 0; i < n_files; ++i) out[i] = sha256_of_text((*given)[i]);
  return out;
}

std::optional<std::vector<std::string>> to_optional_texts(nb::handle value) {
  if (value.is_none()) return std::nullopt;
  return to_texts(value);
}

// --- Sessions of these functions

// What force_sigint_shutdown() ends. Touched with the GIL held, or this.
nb::ft_mutex under_way_mutex;
std::vector<std::weak_ptr<Session>>* under_way = nullptr;

std::shared_ptr<Session> new_session() {
  auto session = Session::make(Config::from_environment());
  add_session(session);
  const nb::ft_lock_guard lock(under_way_mutex);
  std::erase_if(*under_way, [](const auto& other) { return other.expired(); });
  under_way->push_back(session);
  return session;
}

// --- Functions

/// Waits for a group and gives its result. What a signal handler raises aborts it.
template <class Group>
auto finish_or_abort(const Held<Group>& held) {
  auto& group = held.use();
  checked(group.begin_finish());
  try {
    wait_for([&](auto limit) { return group.wait_for(limit); });
  } catch (...) {
    const ReleasedGil released;
    group.abort();
    throw;
  }
  if (held.session()->is_aborted()) raise_interrupted();
  return group.result();
}

template <class Add>
std::vector<UploadInfo> upload(const ConnectOptions& to, const nb::object& progress_updater, size_t n_files,
                               Add add) {
  const auto updater = std::make_shared<Updater>(progress_updater);
  const auto names = std::make_shared<Sync<std::map<TaskId, std::string>>>();
  ProgressReports reports;
  reports.interval = kUpdateEvery;
  if (*updater) {
    reports.report = [updater, names](const Progress& progress, const std::vector<ItemProgress>& items) {
      const AcquiredGil gil;
      if (!gil) return false;
      const auto known = *names->lock();  // a copy: whoever adds files has the GIL and wants this lock
      updater->tell(progress, items, known);
      return true;
    };
  }
  const auto session = new_session();
  const auto commit = make_part(session, [&](const std::stop_token& stop) {
    return session->new_upload_commit(to, std::move(reports), stop);
  });
  for (size_t i = 0; i < n_files; ++i) {
    auto [name, file] = add(commit.use(), i);
    if (!file) raise(file.error());
    names->lock()->emplace((*file)->id(), std::move(name));
  }
  const auto report = checked(finish_or_abort(commit));
  const auto known = *names->lock();
  if (*updater) updater->tell(report.progress, commit.look().items(), known);
  std::vector<UploadInfo> out;
  out.reserve(report.files.size());
  for (const auto& file : report.files) out.push_back(info_of(file.report));
  return out;
}

nb::list listed(const std::vector<UploadInfo>& infos) {
  nb::list out;
  for (const auto& info : infos) out.append(info);
  return out;
}

nb::list upload_files(const nb::object& file_paths, const nb::object& endpoint, const nb::object& token_info,
                      const nb::object& token_refresher, const nb::object& progress_updater,
                      const nb::object& _repo_type, const nb::object& request_headers,
                      const nb::object& sha256s, const nb::object& skip_sha256) {
  const auto paths = to_texts(file_paths);
  const auto to = to_connect({endpoint, token_info, token_refresher, request_headers});
  (void)to_optional_text(_repo_type);
  const auto given = to_optional_texts(sha256s);
  const bool skip = to_flag(skip_sha256);
  warn_deprecated("upload_files", "XetSession().new_upload_commit().start_upload_file()");
  const auto choices = to_sha256s(given, skip, paths.size(), "file_paths");
  return listed(upload(to, progress_updater, paths.size(), [&](UploadCommit& commit, size_t i) {
    const ReleasedGil released;
    return std::pair(paths[i], commit.add_file(paths[i], {choices[i].policy, choices[i].digest}));
  }));
}

nb::list upload_bytes(const nb::object& file_contents, const nb::object& endpoint,
                      const nb::object& token_info, const nb::object& token_refresher,
                      const nb::object& progress_updater, const nb::object& _repo_type,
                      const nb::object& request_headers, const nb::object& sha256s,
                      const nb::object& skip_sha256) {
  std::vector<std::vector<std::byte>> contents;
  for (const auto& item : to_sequence(file_contents)) contents.push_back(to_bytes(item));
  const auto to = to_connect({endpoint, token_info, token_refresher, request_headers});
  (void)to_optional_text(_repo_type);
  const auto given = to_optional_texts(sha256s);
  const bool skip = to_flag(skip_sha256);
  warn_deprecated("upload_bytes", "XetSession().new_upload_commit().start_upload_bytes()");
  const auto choices = to_sha256s(given, skip, contents.size(), "file_contents");
  return listed(upload(to, progress_updater, contents.size(), [&](UploadCommit& commit, size_t i) {
    const ReleasedGil released;
    return std::pair(std::string(), commit.add_bytes(std::move(contents[i]), std::nullopt,
                                                     {choices[i].policy, choices[i].digest}));
  }));
}

/// One updater for each file, or none for any.
std::vector<std::shared_ptr<Updater>> to_updaters(nb::handle value) {
  std::vector<std::shared_ptr<Updater>> out;
  if (value.is_none()) return out;
  for (auto& function : to_sequence(value)) out.push_back(std::make_shared<Updater>(function));
  return out;
}

/// The part of the progress that one file is.
void tell_one(Updater& updater, const ItemProgress& item, const std::map<TaskId, std::string>& names) {
  Progress progress;
  progress.total_bytes = item.total_bytes;
  progress.done_bytes = item.done_bytes;
  if (updater) updater.tell(progress, {item}, names);
}

nb::list download_files(const nb::object& files, const nb::object& endpoint, const nb::object& token_info,
                        const nb::object& token_refresher, const nb::object& progress_updater,
                        const nb::object& request_headers) {
  std::vector<DownloadInfo> infos;
  for (const auto& file : to_sequence(files)) {
    const auto* info = instance_of<DownloadInfo>(file);
    if (info == nullptr) raise_not_instance(file, "PyXetDownloadInfo");
    infos.push_back(*info);
  }
  const auto from = to_connect({endpoint, token_info, token_refresher, request_headers});
  if (!progress_updater.is_none()) (void)to_sequence(progress_updater);
  warn_deprecated("download_files", "XetSession().new_file_download_group().start_download_file()");
  const auto updaters = to_updaters(progress_updater);
  if (!progress_updater.is_none() && updaters.size() != infos.size()) {
    raise_value_error("Configuration error: Parameter error: updaters are not same length as pointer_files");
  }

  ProgressReports reports;
  reports.interval = kUpdateEvery;
  const auto names = std::make_shared<Sync<std::map<TaskId, std::string>>>();
  const auto tell = [updaters, names](const std::vector<ItemProgress>& items) {
    const auto known = *names->lock();
    for (size_t i = 0; i < std::min(items.size(), updaters.size()); ++i)
      tell_one(*updaters[i], items[i], known);
  };
  if (!updaters.empty()) {
    reports.report = [tell](const Progress& /*progress*/, const std::vector<ItemProgress>& items) {
      const AcquiredGil gil;
      if (gil) tell(items);
      return static_cast<bool>(gil);
    };
  }
  const auto session = new_session();
  const auto group = make_part(session, [&](const std::stop_token& stop) {
    return session->new_file_download_group(from, std::move(reports), stop);
  });
  nb::list out;
  for (const auto& info : infos) {
    auto file = [&] {
      const ReleasedGil released;
      return group.use().add_file({info.hash, info.size}, info.destination);
    }();
    if (!file) raise(file.error());
    names->lock()->emplace((*file)->id(), info.destination);
    out.append(text(info.destination));
  }
  checked(finish_or_abort(group));
  tell(group.look().items());
  return out;
}

nb::list hash_files(const nb::object& file_paths) {
  std::vector<std::filesystem::path> paths;
  for (const auto& item : to_sequence(file_paths)) paths.push_back(to_path(item));
  std::stop_source stop;
  const auto results = run(
      [&]() -> Result<std::vector<Result<FileReport>>> {
        ClientOptions options;
        options.config = Config::from_environment();
        auto client = open_offline(options);
        if (!client) return tl::unexpected(client.error());
        SessionOptions session;
        session.stop = stop.get_token();
        return xet::hash_files(*client, paths, {.sha256 = Sha256Policy::kSkip}, session);
      },
      [&] { stop.request_stop(); });
  if (!results) raise(results.error());
  nb::list out;
  for (const auto& result : *results) {
    if (!result && result.error().code == ErrorCode::kNotFound)  // of the file system: there is no store here
      raise({ErrorCode::kIo, result.error().message});
    out.append(info_of(checked(result)));
  }
  return out;
}

void force_sigint_shutdown() {
  std::vector<std::shared_ptr<Session>> alive;
  {
    const nb::ft_lock_guard lock(under_way_mutex);
    for (const auto& session : *under_way) {
      if (auto held = session.lock()) alive.push_back(std::move(held));
    }
  }
  {
    const ReleasedGil released;
    for (const auto& session : alive) session->abort();
    alive.clear();
  }
  raise_interrupted();
}

std::string shown(const std::optional<uint64_t>& size) {
  return size ? std::to_string(*size) : "None";
}

void bind_types(nb::module_& module) {
  Documented<DownloadInfo>(module, "PyXetDownloadInfo")
      .def(
          "__init__",
          [](DownloadInfo* self, const nb::object& destination_path, const nb::object& hash,
             const nb::object& file_size) {
            new (self) DownloadInfo{to_text(destination_path), to_text(hash), to_optional_count(file_size)};
          },
          "destination_path"_a.none(), "hash"_a.none(), "file_size"_a = nb::none())
      .def_prop_rw(
          "destination_path", [](const DownloadInfo& self) { return text(self.destination); },
          [](DownloadInfo& self, const nb::object& path) { self.destination = to_text(path); },
          nb::arg().none())
      .def_prop_ro("hash", [](const DownloadInfo& self) { return text(self.hash); })
      .def_prop_ro(
          "file_size",
          [](const DownloadInfo& self) { return self.size ? nb::object(nb::int_(*self.size)) : nb::none(); })
      .def("__repr__",
           [](const DownloadInfo& self) {
             return fmt::format("PyXetDownloadInfo({}, {}, {})", self.destination, self.hash,
                                shown(self.size));
           })
      .def("__str__", [](const DownloadInfo& self) {
        return fmt::format("PyXetDownloadInfo {{ destination_path: \"{}\", hash: \"{}\", file_size: {} }}",
                           self.destination, self.hash,
                           self.size ? fmt::format("Some({})", *self.size) : "None");
      });

  Documented<PointerFile, DownloadInfo>(module, "PyPointerFile", nb::is_final())
      .def(
          "__init__",
          [](PointerFile* self, const nb::object& path, const nb::object& hash, const nb::object& filesize) {
            new (self) PointerFile{{to_text(path), to_text(hash), to_count(filesize)}};
          },
          "path"_a.none(), "hash"_a.none(), "filesize"_a.none())
      .def_prop_rw(
          "path", [](const PointerFile& self) { return text(self.destination); },
          [](PointerFile& self, const nb::object& path) { self.destination = to_text(path); },
          nb::arg().none())
      .def_prop_ro("filesize", [](const PointerFile& self) { return self.size.value_or(0); })
      .def("__repr__",
           [](const PointerFile& self) {
             return fmt::format("PyPointerFile({}, {}, {})", self.destination, self.hash, shown(self.size));
           })
      .def("__str__", [](const PointerFile& /*self*/) { return "PyPointerFile"; });

  Documented<UploadInfo>(module, "PyXetUploadInfo", nb::is_final())
      .def(
          "__init__",
          [](UploadInfo* self, const nb::object& hash, const nb::object& file_size) {
            new (self) UploadInfo{to_text(hash), to_count(file_size), std::nullopt};
          },
          "hash"_a.none(), "file_size"_a.none())
      .def_prop_ro("hash", [](const UploadInfo& self) { return text(self.hash); })
      .def_prop_ro("file_size", [](const UploadInfo& self) { return self.size; })
      .def_prop_ro("filesize", [](const UploadInfo& self) { return self.size; })
      .def_prop_ro("sha256", [](const UploadInfo& self) { return optional_text(self.sha256); })
      .def("__repr__",
           [](const UploadInfo& self) {
             return fmt::format("PyXetUploadInfo({}, {}, {})", self.hash, self.size,
                                self.sha256 ? fmt::format("Some(\"{}\")", *self.sha256) : "None");
           })
      .def("__str__", [](const UploadInfo& self) {
        return fmt::format("PyXetUploadInfo {{ hash: \"{}\", file_size: {}, sha256: {} }}", self.hash,
                           self.size, self.sha256 ? fmt::format("Some(\"{}\")", *self.sha256) : "None");
      });
}

}  // namespace

void bind_legacy(nb::module_& module) {
  under_way = new std::vector<std::weak_ptr<Session>>();
  bind_types(module);
  bind_legacy_progress(module);
  module.def("upload_files", upload_files, "file_paths"_a.none(), "endpoint"_a.none(), "token_info"_a.none(),
             "token_refresher"_a.none(), "progress_updater"_a.none(), "_repo_type"_a.none(),
             "request_headers"_a = nb::none(), "sha256s"_a = nb::none(), "skip_sha256"_a.none() = false,
             docstring_of("upload_files"));
  module.def("upload_bytes", upload_bytes, "file_contents"_a.none(), "endpoint"_a.none(),
             "token_info"_a.none(), "token_refresher"_a.none(), "progress_updater"_a.none(),
             "_repo_type"_a.none(), "request_headers"_a = nb::none(), "sha256s"_a = nb::none(),
             "skip_sha256"_a.none() = false, docstring_of("upload_bytes"));
  module.def("download_files", download_files, "files"_a.none(), "endpoint"_a.none(), "token_info"_a.none(),
             "token_refresher"_a.none(), "progress_updater"_a.none(), "request_headers"_a = nb::none(),
             docstring_of("download_files"));
  module.def("hash_files", hash_files, "file_paths"_a.none(), docstring_of("hash_files"));
  module.def("force_sigint_shutdown", force_sigint_shutdown, docstring_of("force_sigint_shutdown"));
}

}  // namespace xet::python

#include "apps/xet/walk.h"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

namespace xet::cli {

namespace {

Error io_error(std::string_view what, std::string_view name, int error_number) {
  return {ErrorCode::kIo, fmt::format("{} {}: {}", what, name, std::strerror(error_number))};
}

std::string_view special_kind(mode_t mode) {
  if (S_ISSOCK(mode)) return "a socket";
  if (S_ISFIFO(mode)) return "a pipe";
  return "a device";
}

class Walker {
 public:
  Walker(const WalkOptions& options, const WalkErrorHandler& on_error,
         const StoreSkippedHandler& on_store_skipped, std::vector<std::string>& out)
      : options_(options), on_error_(on_error), on_store_skipped_(on_store_skipped), out_(out) {
    struct stat st{};
    if (options.store && ::stat(options.store->c_str(), &st) == 0) store_ = id_of(st);
  }

  void visit_argument(const std::string& argument) {
    if (argument == "-") {
      out_.push_back(argument);
      return;
    }
    struct stat st{};
    if (::stat(argument.c_str(), &st) != 0) {
      on_error_(io_error("cannot read", argument, errno), argument);
    } else if (S_ISDIR(st.st_mode) && !options_.recursive) {
      on_error_({ErrorCode::kInvalidArgument,
                 fmt::format("{} is a directory: add -r for everything below it", argument)},
                argument);
    } else if (S_ISDIR(st.st_mode) && id_of(st) == store_) {
      on_error_({ErrorCode::kInvalidArgument, fmt::format("{} is the store itself", argument)}, argument);
    } else if (S_ISDIR(st.st_mode)) {
      visit_directory(argument, st);
    } else if (S_ISSOCK(st.st_mode)) {
      on_error_({ErrorCode::kIo, fmt::format("cannot read {}: it is a socket", argument)}, argument);
    } else {
      out_.push_back(argument);
    }
  }

 private:
  using DirectoryId = std::pair<dev_t, ino_t>;
  static DirectoryId id_of(const struct stat& st) { return {st.st_dev, st.st_ino}; }

  void visit_entry(const std::string& name) {
    struct stat st{};
    if (::stat(name.c_str(), &st) != 0) {
      on_error_(io_error("cannot read", name, errno), name);
    } else if (S_ISDIR(st.st_mode) && id_of(st) == store_) {
      on_store_skipped_(name);
    } else if (S_ISDIR(st.st_mode)) {
      visit_directory(name, st);
    } else if (S_ISREG(st.st_mode)) {
      out_.push_back(name);
    } else {
      on_error_(
          {ErrorCode::kIo, fmt::format("{} is {}, not a file: left out", name, special_kind(st.st_mode))},
          name);
    }
  }

  // Recursion is bounded by the length of a path the kernel accepts.
  void visit_directory(const std::string& name, const struct stat& st) {
    const DirectoryId id = id_of(st);
    if (std::find(open_directories_.begin(), open_directories_.end(), id) != open_directories_.end()) {
      on_error_(
          {ErrorCode::kIo, fmt::format("{} is a link to a directory that it lies in: not followed", name)},
          name);
      return;
    }
    std::vector<std::string> entries;
    if (!list(name, entries)) return;
    std::sort(entries.begin(), entries.end());
    open_directories_.push_back(id);
    const std::string prefix = name.ends_with('/') ? name : name + "/";
    for (const auto& entry : entries) {
      if (options_.stop.stop_requested()) break;
      visit_entry(prefix + entry);
    }
    open_directories_.pop_back();
  }

  bool list(const std::string& name, std::vector<std::string>& entries) {
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(name.c_str()), ::closedir);
    if (!directory) {
      on_error_(io_error("cannot open directory", name, errno), name);
      return false;
    }
    while (true) {
      errno = 0;
      const dirent* entry = ::readdir(directory.get());
      if (entry == nullptr) break;
      const std::string_view entry_name(entry->d_name);
      if (entry_name != "." && entry_name != "..") entries.emplace_back(entry_name);
    }
    // What was listed before the failure is still worth reading.
    if (errno != 0) on_error_(io_error("cannot list directory", name, errno), name);
    return true;
  }

  const WalkOptions& options_;
  const WalkErrorHandler& on_error_;
  const StoreSkippedHandler& on_store_skipped_;
  std::optional<DirectoryId> store_;
  std::vector<std::string>& out_;
  std::vector<DirectoryId> open_directories_;  // from the argument down to where the walk is
};

}  // namespace

std::vector<std::string> collect_files(const std::vector<std::string>& arguments, const WalkOptions& options,
                                       const WalkErrorHandler& on_error,
                                       const StoreSkippedHandler& on_store_skipped) {
  std::vector<std::string> out;
  Walker walker(options, on_error, on_store_skipped, out);
  for (const auto& argument : arguments) {
    if (options.stop.stop_requested()) break;
    walker.visit_argument(argument);
  }
  return out;
}

}  // namespace xet::cli

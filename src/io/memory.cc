#include "io/memory.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace xet::io {

namespace {

namespace fs = std::filesystem;

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream in(line);
  std::vector<std::string> out;
  for (std::string word; in >> word;) out.push_back(std::move(word));
  return out;
}

/// Lines of a file of the kernel; none when there is no such file.
std::vector<std::string> lines_of(const fs::path& path) {
  std::ifstream in(path);
  std::vector<std::string> out;
  for (std::string line; std::getline(in, line);) out.push_back(std::move(line));
  return out;
}

std::optional<uint64_t> number_of(std::string_view text) {
  uint64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(out) : std::nullopt;
}

/// `path` below `root`, whichever way it is written.
fs::path below(const fs::path& root, const fs::path& path) {
  return root / path.relative_path();
}

bool lists(std::string_view comma_separated, std::string_view word) {
  while (true) {
    const size_t comma = comma_separated.find(',');
    if (comma_separated.substr(0, comma) == word) return true;
    if (comma == std::string_view::npos) return false;
    comma_separated.remove_prefix(comma + 1);
  }
}

/// One of the two hierarchies of control groups that may limit memory.
struct Hierarchy {
  std::string_view file_system;
  std::string_view controller;  ///< as in /proc/self/cgroup and in the mount's options; empty for version 2
  std::string_view limit_file;
};
constexpr Hierarchy kHierarchies[] = {
    {"cgroup2", "", "memory.max"},
    {"cgroup", "memory", "memory.limit_in_bytes"},
};

/// The path of this process's group in a hierarchy: lines of /proc/self/cgroup are "ID:CONTROLLER,…:PATH".
std::optional<fs::path> group_of(const std::vector<std::string>& lines, const Hierarchy& hierarchy) {
  for (const std::string_view line : lines) {
    const size_t first = line.find(':');
    const size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    if (lists(line.substr(first + 1, second - first - 1), hierarchy.controller))
      return fs::path(line.substr(second + 1));
  }
  return std::nullopt;
}

struct Mount {
  fs::path shown;  ///< the group that is seen at the top of it
  fs::path at;
};

/// Where a hierarchy is mounted: lines of /proc/self/mountinfo are
/// "ID PARENT MAJOR:MINOR SHOWN AT OPTIONS [OPTIONAL…] - FILE_SYSTEM SOURCE OPTIONS".
std::optional<Mount> mount_of(const std::vector<std::string>& lines, const Hierarchy& hierarchy) {
  for (const auto& line : lines) {
    const auto words = words_of(line);
    const auto dash = std::find(words.begin(), words.end(), "-");
    if (words.size() < 6 || words.end() - dash < 4) continue;
    if (dash[1] != hierarchy.file_system) continue;
    if (hierarchy.controller.empty() || lists(dash[3], hierarchy.controller))
      return Mount{words[3], words[4]};
  }
  return std::nullopt;
}

/// The tightest limit of a group and those above it, as far up as the mount shows them.
std::optional<uint64_t> tightest_limit(const fs::path& root, const Mount& mount, const fs::path& group,
                                       std::string_view limit_file) {
  // In a container the mount may show only the group itself: then the path is not below what is shown, and
  // the limits that one can see are at the top.
  fs::path inside = group.lexically_relative(mount.shown);
  if (inside.empty() || *inside.begin() == "..") inside = ".";
  const fs::path top = below(root, mount.at);
  std::optional<uint64_t> out;
  for (fs::path folder = (top / inside).lexically_normal();; folder = folder.parent_path()) {
    const auto lines = lines_of(folder / limit_file);
    const auto limit = lines.empty() ? std::nullopt : number_of(lines.front());  // "max" is none
    if (limit && (!out || *limit < *out)) out = limit;
    if (folder == top.lexically_normal() || !folder.has_relative_path()) return out;
  }
}

std::optional<uint64_t> machine_memory(const fs::path& root) {
  for (const auto& line : lines_of(root / "proc/meminfo")) {
    const auto words = words_of(line);
    if (words.size() < 2 || words[0] != "MemTotal:") continue;
    const auto kibibytes = number_of(words[1]);
    if (!kibibytes || *kibibytes > UINT64_MAX / 1024) return std::nullopt;
    return *kibibytes * 1024;
  }
  return std::nullopt;
}

}  // namespace

std::optional<uint64_t> usable_memory_bytes(const fs::path& root) {
  auto out = machine_memory(root);
  if (!out) return std::nullopt;
  const auto groups = lines_of(root / "proc/self/cgroup");
  const auto mounts = lines_of(root / "proc/self/mountinfo");
  for (const auto& hierarchy : kHierarchies) {
    const auto group = group_of(groups, hierarchy);
    const auto mount = mount_of(mounts, hierarchy);
    if (!group || !mount) continue;
    if (const auto limit = tightest_limit(root, *mount, *group, hierarchy.limit_file))
      out = std::min(*out, *limit);
  }
  return out;
}

}  // namespace xet::io

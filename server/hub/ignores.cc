#include "server/hub/ignores.h"

#include <algorithm>

namespace xet::hub {

namespace {

/// Without blanks at the end, unless a backslash keeps the last one.
std::string_view without_end(std::string_view line) {
  while (line.ends_with('\r') || line.ends_with(' ') || line.ends_with('\t')) {
    if (line.size() > 1 && line[line.size() - 2] == '\\') break;
    line.remove_suffix(1);
  }
  return line;
}

}  // namespace

Ignores::Ignores(std::string_view text) {
  text = text.substr(0, kMaxBytes);
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    auto line = without_end(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.starts_with('#')) continue;
    const bool taken_back = line.starts_with('!');
    if (taken_back) line.remove_prefix(1);
    const bool folders_only = line.ends_with('/');
    if (folders_only) line.remove_suffix(1);
    if (line.empty()) continue;
    rules_.push_back({.pattern = PathPattern(line), .ignored = !taken_back, .folders_only = folders_only});
  }
}

bool Ignores::is_ignored(std::string_view path) const {
  for (size_t slash = path.find('/'); slash != std::string_view::npos; slash = path.find('/', slash + 1)) {
    if (decide(path.substr(0, slash), /*is_folder=*/true)) return true;
  }
  return decide(path, /*is_folder=*/false);
}

bool Ignores::decide(std::string_view path, bool is_folder) const {
  const auto found = std::find_if(rules_.rbegin(), rules_.rend(), [&](const Rule& rule) {
    return (is_folder || !rule.folders_only) && rule.pattern.matches(path);
  });
  return found != rules_.rend() && found->ignored;
}

}  // namespace xet::hub

#pragma once

#include <string_view>
#include <vector>

#include "server/hub/path_pattern.h"

namespace xet::hub {

/// What a `.gitignore` says: which files are not to be uploaded. Of a very long one the beginning counts.
/// Thread-safe.
class Ignores {
 public:
  static constexpr size_t kMaxBytes = 64 << 10;

  explicit Ignores(std::string_view text);

  /// Whether `path`, of a file, or a folder that it lies in, is ignored. Of the rules that match the last
  /// decides; nothing in an ignored folder can be taken back by '!'.
  bool is_ignored(std::string_view path) const;

 private:
  struct Rule {
    PathPattern pattern;
    bool ignored = true;
    bool folders_only = false;
  };
  bool decide(std::string_view path, bool is_folder) const;

  std::vector<Rule> rules_;
};

}  // namespace xet::hub

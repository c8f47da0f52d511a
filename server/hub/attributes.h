#pragma once

#include <string_view>
#include <vector>

#include "server/hub/path_pattern.h"

namespace xet::hub {

/// What a `.gitattributes` says about Git LFS: which paths are kept elsewhere. Knows of attributes `filter`
/// alone. Of a very long one the beginning counts. Thread-safe.
class Attributes {
 public:
  static constexpr size_t kMaxBytes = 64 << 10;

  explicit Attributes(std::string_view text);

  /// The last pattern that matches decides.
  bool is_lfs(std::string_view path) const;

  /// What new repositories begin with: the usual formats of weights, data and archives.
  static std::string_view standard();

 private:
  struct Rule {
    PathPattern pattern;
    bool lfs = false;
  };
  std::vector<Rule> rules_;
};

}  // namespace xet::hub

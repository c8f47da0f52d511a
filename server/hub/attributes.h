#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace xet::hub {

/// What a `.gitattributes` says about Git LFS: which paths are kept elsewhere. Knows the patterns that are in
/// use there (names with '*', '?' and '[…]', "folder/**", "**/name"), and of attributes `filter` alone.
class Attributes {
 public:
  explicit Attributes(std::string_view text);

  /// The last pattern that matches decides.
  bool is_lfs(std::string_view path) const;

  /// What new repositories begin with: the usual formats of weights, data and archives.
  static std::string_view standard();

 private:
  struct Rule {
    std::string pattern;
    bool lfs = false;
  };
  std::vector<Rule> rules_;
};

}  // namespace xet::hub

#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace xet::hub {

/// A pattern as `.gitattributes` and `.gitignore` have them: one without '/' is for a name in any folder, one
/// with a '/' for the whole path; '*', '?' and '[…]' stay within a component, a component '**' stands for any
/// number of them, a backslash takes the next character as it is. Matching takes no longer than the product
/// of the lengths, whatever the pattern is. Thread-safe.
class PathPattern {
 public:
  explicit PathPattern(std::string_view text);

  bool matches(std::string_view path) const;

 private:
  bool anywhere_ = false;  // only the last component of a path counts
  std::vector<std::string> components_;
};

}  // namespace xet::hub

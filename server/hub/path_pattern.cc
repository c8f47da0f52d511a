#include "server/hub/path_pattern.h"

#include <fnmatch.h>

#include <algorithm>
#include <optional>

namespace xet::hub {

namespace {

constexpr std::string_view kAnyFolders = "**";

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> out;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    out.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

/// The length of the "[…]" that `pattern` begins with; 0 when it does not end, and is an ordinary character.
size_t bracket_length(std::string_view pattern) {
  size_t at = 1;
  if (at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^')) ++at;
  if (at < pattern.size() && pattern[at] == ']') ++at;
  const size_t end = pattern.find(']', at);
  return end == std::string_view::npos ? 0 : end + 1;
}

/// Takes what stands for one character off the front of the pattern; false when it does not stand for `c`.
bool take_one(std::string_view& pattern, char c) {
  if (pattern.empty()) return false;
  size_t length = 1;
  bool fits = pattern[0] == c;
  if (pattern[0] == '?') {
    fits = true;
  } else if (pattern[0] == '\\' && pattern.size() > 1) {
    length = 2;
    fits = pattern[1] == c;
  } else if (const size_t bracket = pattern[0] == '[' ? bracket_length(pattern) : 0; bracket != 0) {
    length = bracket;
    fits = ::fnmatch(std::string(pattern.substr(0, bracket)).c_str(), std::string(1, c).c_str(), 0) == 0;
  }
  if (fits) pattern.remove_prefix(length);
  return fits;
}

/// Where to go on when what followed the last wildcard did not fit.
template <class Pattern, class Text>
struct Retry {
  Pattern pattern;
  Text text;
};

bool component_matches(std::string_view pattern, std::string_view text) {
  using Here = Retry<std::string_view, std::string_view>;
  std::optional<Here> retry;
  for (;;) {
    if (pattern.starts_with('*')) {
      pattern.remove_prefix(1);
      retry = Here{pattern, text};
    } else if (!text.empty() && take_one(pattern, text[0])) {
      text.remove_prefix(1);
    } else if (text.empty() && pattern.empty()) {
      return true;
    } else if (retry && !retry->text.empty()) {
      retry->text.remove_prefix(1);
      pattern = retry->pattern;
      text = retry->text;
    } else {
      return false;
    }
  }
}

}  // namespace

PathPattern::PathPattern(std::string_view text) {
  anywhere_ = text.find('/') == std::string_view::npos;
  if (text.starts_with('/')) text.remove_prefix(1);
  for (const auto component : split(text)) components_.emplace_back(component);
}

bool PathPattern::matches(std::string_view path) const {
  if (anywhere_) return component_matches(components_.front(), path.substr(path.rfind('/') + 1));
  const auto names = split(path);
  using Here = Retry<size_t, size_t>;
  std::optional<Here> retry;
  size_t at = 0;  // in the pattern
  for (size_t i = 0;;) {
    if (at < components_.size() && components_[at] == kAnyFolders) {
      ++at;
      // At the end it stands for everything below, so not for nothing.
      if (at == components_.size()) return i < names.size();
      retry = Here{at, i};
    } else if (i < names.size() && at < components_.size() && component_matches(components_[at], names[i])) {
      ++at, ++i;
    } else if (i == names.size() && at == components_.size()) {
      return true;
    } else if (retry && retry->text < names.size()) {
      at = retry->pattern;
      i = ++retry->text;
    } else {
      return false;
    }
  }
}

}  // namespace xet::hub

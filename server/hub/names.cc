#include "server/hub/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "server/core/repository_name.h"
#include "server/store/hub_store.h"

namespace xet::hub {

namespace {

constexpr size_t kMaxPath = 1024;
constexpr size_t kMaxComponent = 255;
constexpr std::array<std::string_view, 16> kReserved = {
    "api", "bridge",  "buckets", "d",      "datasets", "healthz", "kernels", "lfs",
    "me",  "metrics", "models",  "readyz", "settings", "spaces",  "v1",      "v2"};

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

bool is_dot_git(std::string_view component) {
  constexpr std::string_view kDotGit = ".git";
  return component.size() == kDotGit.size() &&
         std::ranges::equal(component, kDotGit, [](char a, char b) { return (a | 0x20) == b || a == b; });
}

Done bad_path(std::string_view why) {
  return refuse(Reason::kBadPath, fmt::format("a path {}", why));
}

}  // namespace

Done check_path(std::string_view path) {
  if (path.empty()) return bad_path("is empty");
  if (path.size() > kMaxPath) return bad_path("is longer than 1024 bytes");
  if (!is_utf8(path)) return bad_path("is not UTF-8");
  if (std::ranges::any_of(path, is_control)) return bad_path("has a control character");
  if (path.find('\\') != std::string_view::npos) return bad_path("has a backslash");
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const auto component = path.substr(begin, end - begin);
    if (component.empty()) return bad_path("has an empty component");
    if (component == "." || component == "..") return bad_path("has the component '.' or '..'");
    if (component.size() > kMaxComponent) return bad_path("has a component of more than 255 bytes");
    if (is_dot_git(component)) return bad_path("has the component '.git'");
    begin = end + 1;
  }
  return {};
}

Done check_ref_name(std::string_view name) {
  const auto forbidden = [](char c) {
    return is_control(c) || std::string_view(" ~^:?*[\\").find(c) != std::string_view::npos;
  };
  const bool bad_component = name.starts_with('.') || name.find("/.") != std::string_view::npos ||
                             name.find("//") != std::string_view::npos || name.ends_with(".lock") ||
                             name.find(".lock/") != std::string_view::npos;
  if (name.empty() || name.size() > kMaxComponent || !is_utf8(name) || std::ranges::any_of(name, forbidden) ||
      bad_component || name.starts_with('/') || name.starts_with('-') || name.ends_with('/') ||
      name.ends_with('.') || name.find("..") != std::string_view::npos ||
      name.find("@{") != std::string_view::npos || name == "@" || store::GitId::from_hex(name)) {
    return refuse(Reason::kInvalid, "this is no name for a branch or tag");
  }
  return {};
}

Done check_namespace(std::string_view name) {
  if (!core::is_name_part(name)) {
    return refuse(Reason::kInvalid,
                  "a user or namespace takes letters, digits, '-', '_' and '.', at most 96 characters");
  }
  if (std::ranges::find(kReserved, name) != kReserved.end()) {
    return refuse(Reason::kInvalid, fmt::format("the namespace {} is reserved", name));
  }
  return {};
}

Done check_repository_name(std::string_view name) {
  if (!core::is_name_part(name) || name.ends_with(".git")) {
    return refuse(
        Reason::kInvalid,
        "a repository name takes letters, digits, '-', '_' and '.', at most 96 characters, and does "
        "not end with .git");
  }
  return {};
}

}  // namespace xet::hub

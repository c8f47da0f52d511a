#include "config/paths.h"

#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <functional>
#include <optional>
#include <string>
#include <system_error>

namespace xet::config {

namespace {

using Environment = Config::Environment;

std::optional<std::string> get(const Environment& environment, const char* name) {
  const auto found = environment.find(name);
  return found == environment.end() ? std::nullopt : std::optional(found->second);
}

std::string home_of(const Environment& environment) {
  return get(environment, "HOME").value_or(".");
}

std::string timestamp() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  char buffer[32];
  return {buffer, std::strftime(buffer, sizeof buffer, "%Y-%m-%dT%H-%M-%S%z", &local)};
}

/// `word` is in capitals.
std::string replace_all(std::string text, std::string_view word, const std::string& with) {
  const auto same = [](char a, char b) { return (a >= 'a' && a <= 'z' ? a - 'a' + 'A' : a) == b; };
  for (auto from = text.begin();;) {
    from = std::search(from, text.end(), word.begin(), word.end(), same);
    if (from == text.end()) return text;
    const auto at = from - text.begin();
    text.replace(static_cast<size_t>(at), word.size(), with);
    from = text.begin() + at + static_cast<std::ptrdiff_t>(with.size());
  }
}

}  // namespace

std::filesystem::path expand_path(std::string_view text, const Environment& environment) {
  std::string path = replace_all(std::string(text), "{PID}", std::to_string(::getpid()));
  path = replace_all(std::move(path), "{TIMESTAMP}", timestamp());
  if (path == "~" || path.starts_with("~/")) path.replace(0, 1, home_of(environment));
  std::error_code ignored;
  return std::filesystem::absolute(path.empty() ? "." : path, ignored).lexically_normal();
}

std::filesystem::path hub_home_of(const Environment& environment) {
  if (const auto hub = get(environment, "HF_HOME")) return expand_path(*hub, environment);
  if (const auto xdg = get(environment, "XDG_CACHE_HOME"))
    return expand_path(*xdg + "/huggingface", environment);
  return expand_path(home_of(environment) + "/.cache/huggingface", environment);
}

std::filesystem::path cache_root_of(const Environment& environment) {
  if (const auto cache = get(environment, "HF_XET_CACHE")) return expand_path(*cache, environment);
  return hub_home_of(environment) / "xet";
}

}  // namespace xet::config

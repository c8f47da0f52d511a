#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <utility>

#include "config/paths.h"
#include "libxet/environment.h"
#include "xet/hub.h"

namespace xet {

namespace {

constexpr std::string_view kScheme = "hf:";
constexpr std::array<std::pair<std::string_view, HubKind>, 8> kTypes{{
    {"models", HubKind::kModel},
    {"model", HubKind::kModel},
    {"datasets", HubKind::kDataset},
    {"dataset", HubKind::kDataset},
    {"spaces", HubKind::kSpace},
    {"space", HubKind::kSpace},
    {"buckets", HubKind::kBucket},
    {"bucket", HubKind::kBucket},
}};

/// What Hubs allow in names, roughly: the Hub has the last word, this keeps '/', '?', '%' and ".." out of
/// URLs.
bool is_name(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return !text.empty() && text != "." && text != ".." && std::all_of(text.begin(), text.end(), allowed);
}

bool is_true(const Config::Environment& environment, const char* name) {
  const auto found = environment.find(name);
  if (found == environment.end()) return false;
  std::string text = found->second;
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return text == "1" || text == "ON" || text == "YES" || text == "TRUE";
}

std::string without_space(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(kSpace) - begin + 1));
}

/// Empty when neither variable nor file has one.
std::string token_of(const Config::Environment& environment) {
  for (const char* name : {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}) {
    const auto found = environment.find(name);
    if (found == environment.end()) continue;
    if (auto token = without_space(found->second); !token.empty()) return token;
  }
  const auto told = environment.find("HF_TOKEN_PATH");
  const auto path = told != environment.end() ? config::expand_path(told->second, environment)
                                              : config::hub_home_of(environment) / "token";
  std::ifstream file(path);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return without_space(text);
}

}  // namespace

bool is_hub_endpoint(std::string_view endpoint) {
  return endpoint.starts_with(kScheme);
}

Result<HubAddress> parse_hub_address(std::string_view endpoint) {
  const auto wrong = [&](std::string_view why) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("endpoint '{}': {}; write hf:TYPE/NAMESPACE/NAME[@REVISION], TYPE being models, "
                            "datasets or spaces, or hf:buckets/NAMESPACE/NAME",
                            endpoint, why));
  };
  std::string_view rest = endpoint;
  if (!rest.starts_with(kScheme)) return wrong("it does not begin with hf:");
  rest.remove_prefix(kScheme.size());
  if (rest.starts_with("//")) rest.remove_prefix(2);

  HubAddress out;
  // A revision may hold '/', a name no '@'.
  const size_t at = rest.find('@');
  const bool has_revision = at != std::string_view::npos;
  out.revision = has_revision ? rest.substr(at + 1) : "";
  rest = rest.substr(0, at);
  const size_t first = rest.find('/');
  const size_t second = first == rest.npos ? rest.npos : rest.find('/', first + 1);
  if (second == rest.npos) return wrong("it does not name a repository");
  const auto type = std::find_if(kTypes.begin(), kTypes.end(),
                                 [&](const auto& known) { return known.first == rest.substr(0, first); });
  if (type == kTypes.end()) return wrong(fmt::format("there is no type '{}'", rest.substr(0, first)));
  out.kind = type->second;
  if (!is_name(rest.substr(first + 1, second - first - 1)) || !is_name(rest.substr(second + 1)))
    return wrong("names are made of letters, digits, '-', '_' and '.'");
  out.name = rest.substr(first + 1);
  if (out.kind == HubKind::kBucket) {
    if (has_revision) return wrong("a bucket has no revisions");
    return out;
  }
  if (has_revision && out.revision.empty()) return wrong("there is nothing behind the '@'");
  if (!has_revision) out.revision = "main";
  return out;
}

HubOptions hub_options_from_environment() {
  const auto environment = process_environment();
  HubOptions out;
  if (const auto url = environment.find("HF_ENDPOINT"); url != environment.end() && !url->second.empty())
    out.url = url->second;
  if (!is_true(environment, "HF_HUB_DISABLE_IMPLICIT_TOKEN")) out.token = token_of(environment);
  return out;
}

}  // namespace xet

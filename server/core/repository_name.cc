#include "server/core/repository_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace xet::core {

namespace {

using store::RepositoryType;

constexpr size_t kMaxPart = 96;
constexpr std::string_view kLocal = "local";

bool is_allowed(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
         c == '.';
}

/// What may be repeated in a message: the name is anybody's.
std::string shown(std::string_view name) {
  std::string out(name.substr(0, 3 * kMaxPart));
  for (char& c : out) {
    if (c < ' ' || c > '~') c = '?';
  }
  return out;
}

}  // namespace

std::string_view type_word(RepositoryType type) {
  switch (type) {
    case RepositoryType::kModel:
      return "model";
    case RepositoryType::kDataset:
      return "dataset";
    case RepositoryType::kSpace:
      return "space";
    case RepositoryType::kBucket:
      return "bucket";
    case RepositoryType::kLocal:
      break;
  }
  return kLocal;
}

std::optional<RepositoryType> type_of_word(std::string_view word) {
  for (const auto type :
       {RepositoryType::kModel, RepositoryType::kDataset, RepositoryType::kSpace, RepositoryType::kBucket}) {
    if (type_word(type) == word) return type;
  }
  return std::nullopt;
}

bool is_name_part(std::string_view part) {
  const auto at_edge = [](char c) { return c == '-' || c == '.'; };
  return !part.empty() && part.size() <= kMaxPart && std::all_of(part.begin(), part.end(), is_allowed) &&
         !at_edge(part.front()) && !at_edge(part.back()) && part.find("--") == std::string_view::npos &&
         part.find("..") == std::string_view::npos;
}

Result<store::RepositoryName> parse_repository_name(std::string_view name) {
  if (name == kLocal) return store::RepositoryName{RepositoryType::kLocal, kLocal, kLocal};
  const auto refused = [&](std::string_view why) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("repository \"{}\": {}", shown(name), why));
  };
  const size_t first = name.find('/');
  const size_t second = first == std::string_view::npos ? first : name.find('/', first + 1);
  if (second == std::string_view::npos) return refused("TYPE/NAMESPACE/NAME is wanted, as in model/me/mine");
  const auto type = type_of_word(name.substr(0, first));
  if (!type) return refused("its type must be model, dataset, space or bucket");
  store::RepositoryName out{*type, name.substr(first + 1, second - first - 1), name.substr(second + 1)};
  if (!is_name_part(out.name_space) || !is_name_part(out.name) || out.name.ends_with(".git")) {
    return refused("namespace and name take letters, digits, '-', '_' and '.', at most 96");
  }
  // What was uploaded without a server lies there, and one namespace shares its chunks.
  if (out.name_space == kLocal) return refused("the namespace local is reserved");
  return out;
}

}  // namespace xet::core

#include "apps/xet/manifest.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <unordered_map>
#include <utility>

#include "apps/xet/names.h"
#include "base/text.h"
#include "base/try.h"

namespace xet::cli {

using Json = nlohmann::json;

std::optional<std::string> safe_relative_path(std::string_view path) {
  if (path.ends_with('/') || path.find('\0') != std::string_view::npos) return std::nullopt;
  std::string out;
  std::string_view last;
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    last = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (last.empty() || last == ".") continue;
    if (last == "..") return std::nullopt;
    if (!out.empty()) out += '/';
    out += last;
  }
  if (out.empty() || last == ".") return std::nullopt;
  return out;
}

tl::unexpected<Error> ManifestReader::bad(std::string_view why) const {
  return fail(ErrorCode::kCorruption,
              fmt::format("manifest {}, line {}: {}; nothing was downloaded", name_, line_number_, why));
}

Status ManifestReader::feed(ByteSpan bytes) {
  std::string_view rest = as_chars(bytes);
  while (!rest.empty()) {
    const size_t newline = rest.find('\n');
    const size_t n = std::min(newline, rest.size());
    if (n > kMaxLineBytes - partial_.size()) {
      ++line_number_;
      return bad(fmt::format("longer than {} bytes", kMaxLineBytes));
    }
    partial_ += rest.substr(0, n);
    if (newline == std::string_view::npos) return {};
    rest.remove_prefix(newline + 1);
    XET_TRY_STATUS(take_line(std::exchange(partial_, {})));
  }
  return {};
}

namespace {

const std::string* string_field(const Json& object, const char* field) {
  const auto at = object.find(field);
  return at == object.end() ? nullptr : at->get_ptr<const std::string*>();
}

/// A field that may be missing or null.
const Json* optional_field(const Json& object, const char* field) {
  const auto at = object.find(field);
  return at == object.end() || at->is_null() ? nullptr : &*at;
}

}  // namespace

Status ManifestReader::take_line(std::string_view line) {
  ++line_number_;
  if (line.find_first_not_of(" \t\r") == std::string_view::npos) return {};
  const Json object = Json::parse(line, nullptr, false);
  if (!object.is_object()) return bad("not a JSON object");
  const std::string* event = string_field(object, "event");
  if (event == nullptr) return bad("no \"event\"");
  if (*event != "file") return {};

  ManifestEntry entry;
  if (const std::string* encoded = string_field(object, "path_bytes")) {
    auto decoded = percent_decode(*encoded);
    if (!decoded) return bad("\"path_bytes\" is not percent-encoded");
    entry.name = *std::move(decoded);
  } else if (const std::string* path = string_field(object, "path")) {
    entry.name = *path;
  } else {
    return bad("no \"path\"");
  }
  auto path = safe_relative_path(entry.name);
  if (!path) {
    return bad(fmt::format("path '{}' is refused: it must name a file below the directory given with -d",
                           one_line(entry.name)));
  }
  entry.path = *std::move(path);

  if (object.contains("range"))
    return bad("it lists a part of a file, which cannot be downloaded by its hash");
  if (object.contains("git_id"))
    return bad("it lists a small file of a repository, which is not in the store: download it by its path");
  const std::string* hash = string_field(object, "xet_hash");
  const auto parsed_hash = hash == nullptr ? std::nullopt : FileHash::from_hex(*hash);
  if (!parsed_hash) return bad("\"xet_hash\" is not a hash of 64 hexadecimal digits");
  entry.file = *parsed_hash;

  if (const Json* size = optional_field(object, "size")) {
    if (!size->is_number_unsigned()) return bad("\"size\" is not a number of bytes");
    entry.size_bytes = size->get<uint64_t>();
  }
  if (const Json* sha256 = optional_field(object, "sha256")) {
    const auto* text = sha256->get_ptr<const std::string*>();
    entry.sha256 = text == nullptr ? std::nullopt : Sha256Digest::from_hex(*text);
    if (!entry.sha256) return bad("\"sha256\" is not a SHA-256 of 64 hexadecimal digits");
  }
  entries_.push_back(std::move(entry));
  return {};
}

Result<std::vector<ManifestEntry>> ManifestReader::finish() {
  if (!partial_.empty()) XET_TRY_STATUS(take_line(std::exchange(partial_, {})));

  std::unordered_map<std::string_view, const ManifestEntry*> by_path;
  std::vector<ManifestEntry> out;
  out.reserve(entries_.size());  // by_path points into entries_, which stays put
  for (const auto& entry : entries_) {
    const auto [at, inserted] = by_path.emplace(entry.path, &entry);
    if (inserted) {
      out.push_back(entry);
    } else if (at->second->file != entry.file) {
      return fail(ErrorCode::kCorruption,
                  fmt::format("manifest {}: two different files would become '{}'; nothing was downloaded",
                              name_, one_line(entry.path)));
    }
  }
  return out;
}

}  // namespace xet::cli

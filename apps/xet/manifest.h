#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "xet/hash.h"
#include "xet/result.h"

namespace xet::cli {

struct ManifestEntry {
  std::string name;  ///< as written in the manifest
  std::string path;  ///< where it goes, relative to the directory given with -d: no "..", no leading "/"
  FileHash file;
  std::optional<uint64_t> size_bytes;
  std::optional<Sha256Digest> sha256;
};

/// Reads the output of `xet upload --json`: its "file" events are the entries, other events are passed over.
/// Manifests come from strangers: kCorruption, with the line, for anything malformed, for a path that leaves
/// the directory or has no name, and for two different contents under one path. Nothing is accepted in part.
class ManifestReader {
 public:
  explicit ManifestReader(std::string name) : name_(std::move(name)) {}

  static constexpr size_t kMaxLineBytes = 1 << 20;

  /// Takes the next bytes of the manifest, in pieces of any size.
  Status feed(ByteSpan bytes);
  Result<std::vector<ManifestEntry>> finish();

 private:
  Status take_line(std::string_view line);
  tl::unexpected<Error> bad(std::string_view why) const;

  std::string name_;
  std::string partial_;  // the line being received
  uint64_t line_number_ = 0;
  std::vector<ManifestEntry> entries_;
};

/// The place below a directory that a path of a manifest means: leading "/" and "." components are dropped.
/// nullopt for "..", a NUL byte, and for what names no file.
std::optional<std::string> safe_relative_path(std::string_view path);

}  // namespace xet::cli

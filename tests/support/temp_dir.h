#pragma once

#include <filesystem>

#include "base/bytes.h"

namespace xet::testing {

/// A fresh directory under the system's temporary directory, removed with everything in it.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::filesystem::path& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

/// Whole files, for tests; a failure throws.
ByteVector read_bytes(const std::filesystem::path& path);
void write_bytes(const std::filesystem::path& path, ByteSpan bytes);
/// A file below tests/, e.g. test_data("golden/xorb/a.bin").
std::filesystem::path test_data(const std::filesystem::path& name);

}  // namespace xet::testing

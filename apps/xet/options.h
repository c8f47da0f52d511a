#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "xet/client.h"
#include "xet/hash.h"

namespace xet::cli {

enum class ProgressMode : uint8_t { kAuto, kBar, kLines, kJson, kNone };

/// What every command takes, as far as its --help lists it.
struct CommonOptions {
  std::string endpoint;  ///< -e, else XET_ENDPOINT; empty when neither is given, or none is needed
  bool json = false;
  bool quiet = false;
  ProgressMode progress = ProgressMode::kAuto;
  ClientOptions client;
  std::optional<std::chrono::milliseconds> timeout;
};

/// Paths are strings because they are results, too: they are printed as they were typed. "-" is stdin.
struct UploadArgs {
  std::vector<std::string> paths;
  bool recursive = false;
  bool sha256 = true;
};
struct PlanArgs {
  std::vector<std::string> paths;
};
struct HashArgs {
  std::vector<std::string> paths;
  bool sha256 = false;
};
struct DownloadArgs {
  std::optional<FileHash> file;  ///< this or `manifest`
  std::string output;
  std::optional<FileRange> range;
  std::string manifest;
  std::string directory;
};
struct CatArgs {
  FileHash file;
  std::optional<FileRange> range;
};
struct ChunksArgs {
  std::string path;
};
struct InspectArgs {
  std::string path;
  bool verify = false;
};

using Command = std::variant<UploadArgs, DownloadArgs, CatArgs, PlanArgs, HashArgs, ChunksArgs, InspectArgs>;

}  // namespace xet::cli

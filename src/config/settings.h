#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace xet::config {

/// A snapshot of environment variables.
using Environment = std::map<std::string, std::string>;

/// Settings of the transfers over HTTP, with the defaults of the genuine client (`HF_XET_CLIENT_…`).
struct ClientSettings {
  uint64_t retry_max_attempts = 5;  ///< after the first attempt
  std::chrono::milliseconds retry_base_delay{3'000};
  std::chrono::milliseconds retry_max_duration{360'000};  ///< of one sleep
  std::chrono::milliseconds idle_connection_timeout{60'000};
  uint64_t max_idle_connections = 16;  ///< per host
  std::chrono::milliseconds connect_timeout{60'000};
  std::chrono::milliseconds read_timeout{300'000};  ///< from a complete upload to the answer's first byte
  bool legacy_direct_xorb_upload = false;
  uint64_t max_xorb_grant_attempts = 3;
  uint64_t ac_max_upload_concurrency = 64;
  uint64_t ac_min_upload_concurrency = 1;
  uint64_t ac_initial_upload_concurrency = 2;
  uint64_t ac_max_download_concurrency = 64;
  uint64_t ac_min_download_concurrency = 1;
  uint64_t ac_initial_download_concurrency = 4;
  std::string unix_socket_path;                        ///< empty: TCP
  std::optional<uint64_t> reconstruction_api_version;  ///< nothing: found out
  std::optional<uint64_t> shard_api_version;           ///< nothing: found out
  bool enable_multirange_fetching = false;
};

struct Settings {
  ClientSettings client;
  std::string default_prefix =
      "default";  ///< path element of xorb and dedup URLs (`HF_XET_DATA_DEFAULT_PREFIX`)
  bool global_dedup_query_enabled = true;  ///< `HF_XET_DEDUPLICATION_GLOBAL_DEDUP_QUERY_ENABLED`
  std::filesystem::path cache_root;        ///< see cache_root_of()
  /// One line each: variables that cannot be understood, are unknown, or have no effect here.
  std::vector<std::string> warnings;
};

/// Defaults, then the values of high-performance mode if HF_XET_HIGH_PERFORMANCE (or, when that is unset,
/// HF_XET_HP) is true, then the environment, which always wins. A variable that cannot be understood leaves
/// the value before it and gives a warning.
Settings read_settings(const Environment& environment);

/// Where caches lie: HF_XET_CACHE, else HF_HOME/xet, XDG_CACHE_HOME/huggingface/xet, or
/// ~/.cache/huggingface/xet, as for the genuine client, so that both share caches. `{PID}` and a leading `~`
/// are replaced; absolute.
std::filesystem::path cache_root_of(const Environment& environment);

}  // namespace xet::config

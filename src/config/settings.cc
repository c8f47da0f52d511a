#include "config/settings.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <variant>

#include "config/values.h"

namespace xet::config {

namespace {

using std::chrono::milliseconds;

/// Where a value goes; the type says how it is read.
using Target = std::variant<uint64_t Settings::*, bool Settings::*, std::string Settings::*,
                            uint64_t ClientSettings::*, bool ClientSettings::*, std::string ClientSettings::*,
                            milliseconds ClientSettings::*, std::optional<uint64_t> ClientSettings::*>;

struct Variable {
  std::string_view name;  ///< without HF_XET_
  Target target;
};

constexpr std::string_view kPrefix = "HF_XET_";

const auto& variables() {
  using C = ClientSettings;
  static const std::array kAll = {
      Variable{"CLIENT_RETRY_MAX_ATTEMPTS", &C::retry_max_attempts},
      Variable{"CLIENT_RETRY_BASE_DELAY", &C::retry_base_delay},
      Variable{"CLIENT_RETRY_MAX_DURATION", &C::retry_max_duration},
      Variable{"CLIENT_IDLE_CONNECTION_TIMEOUT", &C::idle_connection_timeout},
      Variable{"CLIENT_MAX_IDLE_CONNECTIONS", &C::max_idle_connections},
      Variable{"CLIENT_CONNECT_TIMEOUT", &C::connect_timeout},
      Variable{"CLIENT_READ_TIMEOUT", &C::read_timeout},
      Variable{"CLIENT_LEGACY_DIRECT_XORB_UPLOAD", &C::legacy_direct_xorb_upload},
      Variable{"CLIENT_MAX_XORB_GRANT_ATTEMPTS", &C::max_xorb_grant_attempts},
      // One number for all three; what is set below in its own right wins.
      Variable{"FIXED_UPLOAD_CONCURRENCY", &C::ac_max_upload_concurrency},
      Variable{"FIXED_UPLOAD_CONCURRENCY", &C::ac_min_upload_concurrency},
      Variable{"FIXED_UPLOAD_CONCURRENCY", &C::ac_initial_upload_concurrency},
      Variable{"FIXED_DOWNLOAD_CONCURRENCY", &C::ac_max_download_concurrency},
      Variable{"FIXED_DOWNLOAD_CONCURRENCY", &C::ac_min_download_concurrency},
      Variable{"FIXED_DOWNLOAD_CONCURRENCY", &C::ac_initial_download_concurrency},
      Variable{"CLIENT_AC_MAX_UPLOAD_CONCURRENCY", &C::ac_max_upload_concurrency},
      Variable{"CLIENT_AC_MIN_UPLOAD_CONCURRENCY", &C::ac_min_upload_concurrency},
      Variable{"CLIENT_AC_INITIAL_UPLOAD_CONCURRENCY", &C::ac_initial_upload_concurrency},
      Variable{"CLIENT_AC_MAX_DOWNLOAD_CONCURRENCY", &C::ac_max_download_concurrency},
      Variable{"CLIENT_AC_MIN_DOWNLOAD_CONCURRENCY", &C::ac_min_download_concurrency},
      Variable{"CLIENT_AC_INITIAL_DOWNLOAD_CONCURRENCY", &C::ac_initial_download_concurrency},
      Variable{"CLIENT_UNIX_SOCKET_PATH", &C::unix_socket_path},
      Variable{"CLIENT_RECONSTRUCTION_API_VERSION", &C::reconstruction_api_version},
      Variable{"CLIENT_SHARD_API_VERSION", &C::shard_api_version},
      Variable{"CLIENT_ENABLE_MULTIRANGE_FETCHING", &C::enable_multirange_fetching},
      Variable{"DATA_DEFAULT_PREFIX", &Settings::default_prefix},
      Variable{"DEDUPLICATION_GLOBAL_DEDUP_QUERY_ENABLED", &Settings::global_dedup_query_enabled},
  };
  return kAll;
}

// Read elsewhere, or by other programs of the family.
constexpr std::string_view kOthers[] = {"CACHE", "HIGH_PERFORMANCE", "HP"};

// Names of the genuine client that mean nothing here, all with one of these beginnings, and why.
struct WithoutEffect {
  std::string_view beginning;
  std::string_view why;
};
constexpr WithoutEffect kWithoutEffect[] = {
    {"CLIENT_AC_", "concurrency adapts by another rule here"},
    {"CLIENT_ENABLE_ADAPTIVE_CONCURRENCY", "it has no effect in the genuine client either"},
    {"CLIENT_UPLOAD_REPORTING_BLOCK_SIZE", "progress is counted by the byte"},
    {"UPLOAD_REPORTING_BLOCK_SIZE", "progress is counted by the byte"},
    {"RECONSTRUCTION_", "memory has one cap, --max-memory"},
    {"DISABLE_MEMORY_DERIVED_DOWNLOAD_BUFFERS", "memory has one cap, --max-memory"},
    {"DATA_", "not adjustable here"},
    {"MIN_SPACING_BETWEEN_GLOBAL_DEDUP_QUERIES", "not adjustable here"},
    {"LOCAL_CAS_SCHEME", "local stores are local:DIR"},
    {"MAX_CONCURRENT_FILE_INGESTION", "files are read in order by all cores"},
    {"INGESTION_BLOCK_SIZE", "not adjustable here"},
    {"PROGRESS_UPDATE_", "not adjustable here"},
    {"SESSION_", "xorbs are noted for resuming as soon as they are stored"},
    {"SHARD_", "not adjustable here"},
    {"MDB_SHARD_", "not adjustable here"},
    {"CHUNK_INDEX_TABLE_MAX_SIZE", "not adjustable here"},
    {"DEDUPLICATION_", "not adjustable here"},
    {"XORB_", "the compression of each chunk is chosen from samples"},
    {"CHUNK_CACHE_", "there is no chunk cache"},
    {"LOG_", "nothing is logged to files"},
    {"TELEMETRY_", "there is no telemetry"},
    {"SYSTEM_MONITOR_", "there is no system monitor"},
    {"NUM_CONCURRENT_RANGE_GETS", "use HF_XET_FIXED_DOWNLOAD_CONCURRENCY"},
    {"RECONSTRUCT_WRITE_SEQUENTIALLY", "files are always written in place"},
};

/// False when the text is not of the target's form.
bool assign(Settings& settings, const Target& target, std::string_view text) {
  const auto set = [](auto& place, const auto& value) {
    if (value) place = *value;
    return value.has_value();
  };
  return std::visit(
      [&](auto member) {
        auto& owner = [&]() -> auto& {
          if constexpr (requires { settings.*member; }) {
            return settings;
          } else {
            return settings.client;
          }
        }();
        auto& place = owner.*member;
        using Value = std::remove_reference_t<decltype(place)>;
        if constexpr (std::is_same_v<Value, uint64_t>) return set(place, parse_count(text));
        if constexpr (std::is_same_v<Value, bool>) return set(place, parse_bool(text));
        if constexpr (std::is_same_v<Value, milliseconds>) return set(place, parse_duration(text));
        if constexpr (std::is_same_v<Value, std::string>) {
          place = text;
          return true;
        }
        if constexpr (std::is_same_v<Value, std::optional<uint64_t>>) {
          if (trimmed(text).empty()) {
            place.reset();
            return true;
          }
          return set(place, parse_count(text));
        }
      },
      target);
}

bool high_performance(const Environment& environment) {
  for (const char* name : {"HF_XET_HIGH_PERFORMANCE", "HF_XET_HP"}) {
    if (const auto found = environment.find(name); found != environment.end())
      return parse_bool(found->second).value_or(false);
  }
  return false;
}

void apply_high_performance(ClientSettings& client) {
  for (const auto place :
       {&ClientSettings::ac_max_upload_concurrency, &ClientSettings::ac_max_download_concurrency})
    client.*place = 124;
  for (const auto place :
       {&ClientSettings::ac_min_upload_concurrency, &ClientSettings::ac_min_download_concurrency})
    client.*place = 4;
  for (const auto place :
       {&ClientSettings::ac_initial_upload_concurrency, &ClientSettings::ac_initial_download_concurrency})
    client.*place = 16;
}

/// Limits that contradict each other are moved, as the genuine client does: least first, then most.
void settle_concurrency(uint64_t& initial, uint64_t& least, uint64_t& most) {
  constexpr uint64_t kMost = 1024;
  least = std::clamp<uint64_t>(least, 1, kMost);
  most = std::clamp<uint64_t>(most, least, kMost);
  initial = std::clamp(initial, least, most);
}

std::optional<std::string> warning_for(std::string_view name) {
  const std::string_view rest = name.substr(kPrefix.size());
  if (std::find(std::begin(kOthers), std::end(kOthers), rest) != std::end(kOthers)) return std::nullopt;
  const auto& known = variables();
  if (std::any_of(known.begin(), known.end(), [&](const Variable& v) { return v.name == rest; }))
    return std::nullopt;
  for (const auto& entry : kWithoutEffect) {
    if (rest.starts_with(entry.beginning)) return fmt::format("{} has no effect: {}", name, entry.why);
  }
  return fmt::format("{} is not a setting that this program knows", name);
}

std::string replace_all(std::string text, std::string_view what, std::string_view with) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
  return text;
}

}  // namespace

Settings read_settings(const Environment& environment) {
  Settings out;
  if (high_performance(environment)) apply_high_performance(out.client);
  for (const auto& variable : variables()) {
    const std::string name = fmt::format("{}{}", kPrefix, variable.name);
    const auto found = environment.find(name);
    if (found == environment.end() || assign(out, variable.target, found->second)) continue;
    std::string warning = fmt::format("{} has a value that cannot be understood and is not used", name);
    if (std::find(out.warnings.begin(), out.warnings.end(), warning) == out.warnings.end())
      out.warnings.push_back(std::move(warning));
  }
  auto& client = out.client;
  settle_concurrency(client.ac_initial_upload_concurrency, client.ac_min_upload_concurrency,
                     client.ac_max_upload_concurrency);
  settle_concurrency(client.ac_initial_download_concurrency, client.ac_min_download_concurrency,
                     client.ac_max_download_concurrency);
  for (auto it = environment.lower_bound(std::string(kPrefix));
       it != environment.end() && it->first.starts_with(kPrefix); ++it) {
    if (auto warning = warning_for(it->first)) out.warnings.push_back(*std::move(warning));
  }
  out.cache_root = cache_root_of(environment);
  return out;
}

std::filesystem::path cache_root_of(const Environment& environment) {
  const auto get = [&](const char* name) {
    const auto found = environment.find(name);
    return found == environment.end() ? std::nullopt : std::optional(found->second);
  };
  const std::string home = get("HOME").value_or(".");
  std::string root;
  if (const auto cache = get("HF_XET_CACHE")) {
    root = *cache;
  } else if (const auto hub = get("HF_HOME")) {
    root = *hub + "/xet";
  } else if (const auto xdg = get("XDG_CACHE_HOME")) {
    root = *xdg + "/huggingface/xet";
  } else {
    root = home + "/.cache/huggingface/xet";
  }
  root = replace_all(std::move(root), "{PID}", std::to_string(::getpid()));
  if (root == "~" || root.starts_with("~/")) root.replace(0, 1, home);
  std::error_code ignored;
  return std::filesystem::absolute(root.empty() ? "." : root, ignored).lexically_normal();
}

}  // namespace xet::config

#include "config/fields.h"

#include <algorithm>

namespace xet::config {

namespace {

using Kind = Config::Kind;

/// What most fields have not.
struct More {
  uint8_t bits = 64;
  bool optional = false;
  std::span<const std::string_view> choices = {};
  std::string_view high_performance = {};
  std::array<std::string_view, 2> aliases = {};
  std::optional<MemoryShare> share = std::nullopt;
};

/// The fields of one group, told its name once.
struct Group {
  std::string_view name;

  constexpr Row operator()(std::string_view field, Kind kind, std::string_view preset,
                           std::string_view effect, const More& more = {}) const {
    return {.field = {.group = name,
                      .name = field,
                      .kind = kind,
                      .bits = more.bits,
                      .optional = more.optional,
                      .choices = more.choices,
                      .effect = effect},
            .preset = preset,
            .high_performance = more.high_performance,
            .aliases = more.aliases,
            .share = more.share};
  }
};

constexpr Group data{"data"};
constexpr Group shard{"shard"};
constexpr Group deduplication{"deduplication"};
constexpr Group chunk_cache{"chunk_cache"};
constexpr Group client{"client"};
constexpr Group log{"log"};
constexpr Group reconstruction{"reconstruction"};
constexpr Group xorb{"xorb"};
constexpr Group session{"session"};
constexpr Group telemetry{"telemetry"};
constexpr Group system_monitor{"system_monitor"};

constexpr std::array<std::string_view, 5> kCompressionPolicies = {"", "auto", "none", "lz4", "bg4-lz4"};

constexpr std::string_view kOtherRule = "none: concurrency adapts by another rule here";
constexpr std::string_view kOneCap = "none: all buffers share one cap on memory";
constexpr std::string_view kSessionMemory =
    "bounds, from above, the memory of a session: the smaller of download_buffer_size and "
    "download_buffer_limit counts, at least 64 MiB and at most 256 MiB";
constexpr std::string_view kNotDelayed = "none: xorbs are noted for resuming as soon as they are stored";
constexpr std::string_view kNotAdjustable = "none: not adjustable here";
constexpr std::string_view kFixedName =
    "none: the name is fixed, so that all programs of a user share the place";
constexpr std::string_view kNoLogFiles = "none: nothing is logged to files";
constexpr std::string_view kNoTelemetry = "none: there is no telemetry";
constexpr std::string_view kNoMonitor = "none: there is no system monitor";
constexpr std::string_view kNoSimulation = "none: for simulations of the genuine client only";
constexpr std::string_view kMeasured = "none: the compression of each chunk is chosen from samples";

constexpr std::array kRows = {
    data("min_spacing_between_global_dedup_queries", Kind::kInteger, "256", kNotAdjustable,
         {.aliases = {"MIN_SPACING_BETWEEN_GLOBAL_DEDUP_QUERIES"}}),
    data("local_cas_scheme", Kind::kText, "local://", "none: local stores are local:DIR",
         {.aliases = {"LOCAL_CAS_SCHEME"}}),
    data("max_concurrent_file_ingestion", Kind::kInteger, "8", "none: files are read in order by all cores",
         {.high_performance = "100", .aliases = {"MAX_CONCURRENT_FILE_INGESTION"}}),
    data("max_concurrent_file_downloads", Kind::kInteger, "8",
         "files of a session that are downloaded at once"),
    data("ingestion_block_size", Kind::kBytes, "8mb", kNotAdjustable, {.aliases = {"INGESTION_BLOCK_SIZE"}}),
    data("progress_update_interval", Kind::kDuration, "200ms", kNotAdjustable,
         {.aliases = {"PROGRESS_UPDATE_INTERVAL"}}),
    data("progress_update_speed_sampling_window", Kind::kDuration, "10s",
         "over which a speed of a session's groups is taken",
         {.aliases = {"PROGRESS_UPDATE_SPEED_SAMPLING_WINDOW"}}),
    data("progress_update_speed_min_observations", Kind::kInteger, "4",
         "samples before a speed of a session's groups is told, at least 2", {.bits = 32}),
    data("session_xorb_metadata_flush_interval", Kind::kDuration, "20s", kNotDelayed,
         {.aliases = {"SESSION_XORB_METADATA_FLUSH_INTERVAL"}}),
    data("session_xorb_metadata_flush_max_count", Kind::kInteger, "64", kNotDelayed,
         {.aliases = {"SESSION_XORB_METADATA_FLUSH_MAX_COUNT"}}),
    data("default_cas_endpoint", Kind::kText, "http://localhost:8080",
         "the store, when a group of a session names neither one nor a refresh URL"),
    data("aggregate_progress", Kind::kBool, "true", "none: nor in the genuine client"),
    data("default_prefix", Kind::kText, "default", "path element of xorb and dedup URLs"),
    data("staging_subdir", Kind::kText, "staging", kFixedName),

    shard("cache_size_limit", Kind::kBytes, "16gb", kNotAdjustable,
          {.aliases = {"MDB_SHARD_CACHE_SIZE_LIMIT"}}),
    shard("chunk_index_table_max_size", Kind::kInteger, "67108864", kNotAdjustable,
          {.aliases = {"MDB_SHARD_CHUNK_INDEX_TABLE_MAX_SIZE", "CHUNK_INDEX_TABLE_MAX_SIZE"}}),
    shard("cache_subdir", Kind::kText, "shard-cache", kFixedName),

    deduplication("nranges_in_streaming_fragmentation_estimator", Kind::kInteger, "128", kNotAdjustable),
    deduplication("min_n_chunks_per_range_hysteresis_factor", Kind::kFloat, "0.5", kNotAdjustable,
                  {.bits = 32}),
    deduplication("min_n_chunks_per_range", Kind::kFloat, "8.0", kNotAdjustable, {.bits = 32}),
    deduplication("global_dedup_query_enabled", Kind::kBool, "true",
                  "whether to ask the store what it knows of new chunks"),

    chunk_cache("size_bytes", Kind::kInteger, "0", "none: there is no chunk cache"),

    client("retry_max_attempts", Kind::kInteger, "5", "how often a failed request is repeated"),
    client("retry_base_delay", Kind::kDuration, "3s",
           "the first wait before a repetition, and the factor from one to the next"),
    client("retry_max_duration", Kind::kDuration, "360s", "the longest of these waits"),
    client("idle_connection_timeout", Kind::kDuration, "60s", "after which an unused connection is closed"),
    client("max_idle_connections", Kind::kInteger, "16", "unused connections that are kept for each host"),
    client("connect_timeout", Kind::kDuration, "60s", "to reach a host: name, TCP, proxy and TLS together"),
    client("read_timeout", Kind::kDuration, "300s",
           "from a complete xorb, grant, commit or token request to the first byte of the answer"),
    client("upload_reporting_block_size", Kind::kInteger, "524288", "none: progress is counted by the byte",
           {.aliases = {"UPLOAD_REPORTING_BLOCK_SIZE"}}),
    client("enable_adaptive_concurrency", Kind::kBool, "true",
           "none: it has no effect in the genuine client either"),
    client("legacy_direct_xorb_upload", Kind::kBool, "false",
           "whether to upload xorbs by one POST, without asking for a grant"),
    client("max_xorb_grant_attempts", Kind::kInteger, "3", "grants for one xorb before it is sent by POST"),
    client("ac_min_adjustment_window_ms", Kind::kInteger, "500", kOtherRule),
    client("ac_min_bytes_required_for_adjustment", Kind::kBytes, "20mb", kOtherRule),
    client("ac_num_transmissions_required_for_adjustment", Kind::kInteger, "1", kOtherRule),
    client("ac_latency_rtt_half_life", Kind::kFloat, "64.0", kOtherRule),
    client("ac_success_tracking_half_life", Kind::kFloat, "8.0", kOtherRule),
    client("ac_target_rtt", Kind::kDuration, "60s", kOtherRule),
    client("ac_max_healthy_rtt", Kind::kDuration, "90s", kOtherRule),
    client("ac_rtt_success_max_quantile", Kind::kFloat, "0.95", kOtherRule),
    client("ac_healthy_success_ratio_threshold", Kind::kFloat, "0.8", kOtherRule),
    client("ac_unhealthy_success_ratio_threshold", Kind::kFloat, "0.5", kOtherRule),
    client("ac_max_reference_transmission_size", Kind::kBytes, "64mb", kOtherRule),
    client("ac_min_reference_transmission_size", Kind::kBytes, "1mb", kOtherRule),
    client("ac_logging_interval_ms", Kind::kInteger, "10000", kOtherRule),
    client("ac_max_upload_concurrency", Kind::kInteger, "64", "uploads at once, at most",
           {.high_performance = "124", .aliases = {"FIXED_UPLOAD_CONCURRENCY"}}),
    client("ac_min_upload_concurrency", Kind::kInteger, "1", "uploads at once, at least",
           {.high_performance = "4", .aliases = {"FIXED_UPLOAD_CONCURRENCY"}}),
    client("ac_initial_upload_concurrency", Kind::kInteger, "2", "uploads at once, to begin with",
           {.high_performance = "16", .aliases = {"FIXED_UPLOAD_CONCURRENCY"}}),
    client("ac_max_download_concurrency", Kind::kInteger, "64", "downloads at once, at most",
           {.high_performance = "124", .aliases = {"FIXED_DOWNLOAD_CONCURRENCY"}}),
    client("ac_min_download_concurrency", Kind::kInteger, "1", "downloads at once, at least",
           {.high_performance = "4", .aliases = {"FIXED_DOWNLOAD_CONCURRENCY"}}),
    client("ac_initial_download_concurrency", Kind::kInteger, "4", "downloads at once, to begin with",
           {.high_performance = "16", .aliases = {"FIXED_DOWNLOAD_CONCURRENCY"}}),
    client("unix_socket_path", Kind::kText, "", "all requests go through this socket", {.optional = true}),
    client("reconstruction_api_version", Kind::kInteger, "", "1 or 2; nothing: found out",
           {.bits = 32, .optional = true}),
    client("shard_api_version", Kind::kInteger, "", "1 or 2; nothing: found out",
           {.bits = 32, .optional = true}),
    client("enable_multirange_fetching", Kind::kBool, "false",
           "whether to ask for all ranges of a xorb in one request"),

    log("dest", Kind::kText, "", kNoLogFiles, {.optional = true}),
    log("format", Kind::kText, "", kNoLogFiles, {.optional = true}),
    log("prefix", Kind::kText, "xet", kNoLogFiles),
    log("dir_disable_cleanup", Kind::kBool, "false", kNoLogFiles),
    log("dir_max_size", Kind::kBytes, "250mb", kNoLogFiles),
    log("dir_min_deletion_age", Kind::kDuration, "1d", kNoLogFiles),
    log("dir_max_retention_age", Kind::kDuration, "14d", kNoLogFiles),

    reconstruction("min_reconstruction_fetch_size", Kind::kBytes, "256mb", kOneCap,
                   {.high_performance = "1gb"}),
    reconstruction("max_reconstruction_fetch_size", Kind::kBytes, "8gb", kOneCap,
                   {.high_performance = "16gb"}),
    reconstruction("download_buffer_size", Kind::kBytes, "2gb", kSessionMemory,
                   {.high_performance = "16gb", .share = MemoryShare{16, 64'000'000, 16'000'000'000}}),
    reconstruction("download_buffer_perfile_size", Kind::kBytes, "512mb", kOneCap,
                   {.high_performance = "2gb", .share = MemoryShare{64, 16'000'000, 2'000'000'000}}),
    reconstruction("download_buffer_limit", Kind::kBytes, "8gb", kSessionMemory,
                   {.high_performance = "64gb", .share = MemoryShare{4, 264'000'000, 64'000'000'000}}),
    reconstruction("completion_rate_estimator_half_life", Kind::kFloat, "4.0", kOneCap),
    reconstruction("target_block_completion_time", Kind::kDuration, "900s", kOneCap),
    reconstruction("min_prefetch_buffer", Kind::kBytes, "1gb", kOneCap),
    reconstruction("use_vectored_write", Kind::kBool, "true", "none: pieces of a file are written in place"),

    xorb("compression_scheme_retest_interval", Kind::kInteger, "32", kMeasured,
         {.aliases = {"DATA_XORB_COMPRESSION_SCHEME_RETEST_INTERVAL"}}),
    xorb("compression_policy", Kind::kChoice, "auto", kMeasured,
         {.choices = kCompressionPolicies, .aliases = {"DATA_XORB_COMPRESSION_POLICY"}}),
    xorb("simulation_max_bytes", Kind::kBytes, "", kNoSimulation, {.optional = true}),
    xorb("simulation_max_chunks", Kind::kInteger, "", kNoSimulation, {.optional = true}),

    session("dir_name", Kind::kText, "shard-session", kFixedName),

    telemetry("enabled", Kind::kBool, "true", kNoTelemetry),
    telemetry("heartbeat_after", Kind::kDuration, "300s", kNoTelemetry),
    telemetry("heartbeat_interval", Kind::kDuration, "300s", kNoTelemetry),
    telemetry("request_timeout", Kind::kDuration, "5s", kNoTelemetry),
    telemetry("final_flush_timeout", Kind::kDuration, "2s", kNoTelemetry),
    telemetry("max_in_flight", Kind::kInteger, "32", kNoTelemetry),

    system_monitor("enabled", Kind::kBool, "false", kNoMonitor),
    system_monitor("sample_interval", Kind::kDuration, "5s", kNoMonitor),
    system_monitor("log_path", Kind::kPath, "", kNoMonitor, {.optional = true}),
};

constexpr auto kFields = [] {
  std::array<Config::Field, kRows.size()> out{};
  for (size_t i = 0; i < out.size(); ++i) out[i] = kRows[i].field;
  return out;
}();

constexpr std::string_view kGone = "the genuine client has it no more";

constexpr OtherVariable kOtherVariables[] = {
    {"CACHE", ""},
    {"HIGH_PERFORMANCE", ""},
    {"HP", ""},
    {"DISABLE_MEMORY_DERIVED_DOWNLOAD_BUFFERS", kOneCap.substr(kNoEffect.size())},
    {"NUM_CONCURRENT_RANGE_GETS", "use HF_XET_FIXED_DOWNLOAD_CONCURRENCY"},
    {"RECONSTRUCT_WRITE_SEQUENTIALLY", "files are always written in place"},
    {"LOG_FILE", kNoLogFiles.substr(kNoEffect.size())},
    {"CURRENT_VERSION", kGone},
    {"SHARD_TARGET_SIZE", kGone},
    {"SHARD_MAX_TARGET_SIZE", kGone},
    {"MDB_SHARD_TARGET_SIZE", kGone},
    {"MDB_SHARD_MAX_TARGET_SIZE", kGone},
};

}  // namespace

std::span<const Row> rows() {
  return kRows;
}

std::span<const OtherVariable> other_variables() {
  return kOtherVariables;
}

uint64_t memory_share(const MemoryShare& share, uint64_t memory_bytes, bool high_performance) {
  constexpr uint64_t kStep = 8'000'000;
  const uint64_t divisor = high_performance ? share.divisor / 2 : share.divisor;
  const uint64_t bytes = std::clamp(memory_bytes / divisor, share.least_bytes, share.most_bytes);
  return bytes - bytes % kStep;
}

}  // namespace xet::config

namespace xet {

std::span<const Config::Field> Config::fields() {
  return config::kFields;
}

}  // namespace xet

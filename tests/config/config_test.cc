#include "xet/config.h"

#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "support/matchers.h"
#include "support/temp_dir.h"

namespace xet {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace std::chrono_literals;
using Environment = Config::Environment;
using Kind = Config::Kind;
using Value = Config::Value;

// tests/golden/config: what hf_xet 1.8.0 says of its fields, prints, and makes of texts, with the buffers
// that do not depend on the machine.
std::ifstream golden(const std::string& name) {
  std::ifstream in(testing::test_data("golden/config/" + name));
  in.exceptions(std::ios::failbit | std::ios::badbit);
  return in;
}

std::string golden_line(const std::string& name) {
  auto in = golden(name);
  std::string line;
  std::getline(in, line);
  return line;
}

std::string name_of(Kind kind) {
  switch (kind) {
    case Kind::kInteger:
      return "integer";
    case Kind::kFloat:
      return "float";
    case Kind::kBool:
      return "bool";
    case Kind::kText:
      return "text";
    case Kind::kBytes:
      return "bytes";
    case Kind::kDuration:
      return "duration";
    case Kind::kChoice:
      return "choice";
    case Kind::kPath:
      return "path";
  }
  return "";
}

/// `HF_XET_<GROUP>_<FIELD>`.
std::string variable_of(std::string path) {
  for (char& c : path) c = c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return "HF_XET_" + path;
}

/// As it is printed.
std::string shown(const Config& config, const std::string& path) {
  const auto field = Config::field(path);
  return field ? Config::to_text(**field, config.get(**field)) : field.error().message;
}

uint64_t count(const Environment& environment, std::string_view path) {
  return Config::from_environment(environment).count(path);
}

/// Something else than the default, of the type that the kind has.
Value example_of(Kind kind) {
  switch (kind) {
    case Kind::kInteger:
      return uint64_t{77};
    case Kind::kFloat:
      return 0.125;
    case Kind::kBool:
      return true;
    case Kind::kText:
    case Kind::kPath:
      return std::string("some text");
    case Kind::kBytes:
      return uint64_t{1'500};
    case Kind::kDuration:
      return std::chrono::nanoseconds(1'000'001);
    case Kind::kChoice:
      return std::string("lz4");
  }
  return {};
}

const Kind kKinds[] = {Kind::kInteger, Kind::kFloat,    Kind::kBool,   Kind::kText,
                       Kind::kBytes,   Kind::kDuration, Kind::kChoice, Kind::kPath};

TEST(Config, HasTheFieldsOfTheGenuineModule) {
  const json expected = json::parse(golden("fields.json"));
  ASSERT_EQ(expected.size(), Config::fields().size());
  EXPECT_EQ(expected.size(), 86U);
  for (size_t i = 0; i < expected.size(); ++i) {
    const auto& field = Config::fields()[i];
    EXPECT_EQ(expected[i], json({{"path", field.path()},
                                 {"kind", name_of(field.kind)},
                                 {"bits", field.bits},
                                 {"optional", field.optional}}));
    EXPECT_FALSE(field.effect.empty()) << field.path();
    EXPECT_EQ(field.choices.empty(), field.kind != Kind::kChoice) << field.path();
  }
}

/// docs/python.md shows this table.
std::string markdown_table() {
  const auto config = Config::defaults();
  std::string out = "| field | kind | default | what it does |\n|---|---|---|---|\n";
  for (const auto& field : Config::fields()) {
    out += "| `" + field.path() + "` | " + name_of(field.kind) + (field.optional ? ", optional" : "") +
           " | `" + shown(config, field.path()) + "` | " + std::string(field.effect) + " |\n";
  }
  return out;
}

TEST(Config, HasItsFieldsInTheDocumentation) {
  const auto bytes = testing::read_bytes(testing::test_data("../docs/python.md"));
  const std::string document(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto table = markdown_table();
  EXPECT_NE(document.find("\n" + table + "\n"), std::string::npos) << "docs/python.md has to have\n\n"
                                                                   << table;
}

TEST(Config, IsPrintedAsTheGenuineOneWithItsDefaults) {
  EXPECT_EQ(Config::defaults().to_string(), golden_line("defaults.txt"));
  EXPECT_EQ(Config::from_environment({{"HF_XET_HIGH_PERFORMANCE", "1"}}).to_string(),
            golden_line("high_performance.txt"));
}

TEST(Config, ReadsTheEnvironmentAsTheGenuineOneDoes) {
  std::set<std::string> paths;
  for (const json& row : json::parse(golden("texts.json"))) {
    const auto path = row["path"].get<std::string>();
    const auto text = row["text"].get<std::string>();
    const auto config = Config::from_environment({{variable_of(path), text}});
    EXPECT_EQ(shown(config, path), row["environment"].get<std::string>()) << path << " = '" << text << "'";
    paths.insert(path);
  }
  EXPECT_EQ(paths.size(), 85U) << "all but system_monitor.log_path, whose printed form we do not share";
}

TEST(Config, ReadsTextsOfProgramsAsTheGenuineOneDoes) {
  for (const json& row : json::parse(golden("texts.json"))) {
    if (!row.contains("with") && !row.contains("error")) continue;  // it takes no text there
    const auto path = row["path"].get<std::string>();
    const auto text = row["text"].get<std::string>();
    const auto changed = Config::defaults().with(path, text);
    if (row.contains("with")) {
      ASSERT_THAT(changed, testing::IsOk()) << path << " = '" << text << "'";
      EXPECT_EQ(shown(*changed, path), row["with"].get<std::string>()) << path << " = '" << text << "'";
    } else {
      EXPECT_THAT(changed, testing::FailsWith(ErrorCode::kInvalidArgument)) << path << " = '" << text << "'";
      EXPECT_EQ(changed ? "" : changed.error().message, row["error"].get<std::string>());
    }
  }
}

TEST(Config, ReadsEveryFieldFromTextInItsForm) {
  const auto config = Config::defaults();
  for (const auto& [path, text, value] : std::initializer_list<std::tuple<const char*, const char*, Value>>{
           {"client.retry_max_attempts", "+7", uint64_t{7}},
           {"client.shard_api_version", "2", uint64_t{2}},
           {"client.ac_latency_rtt_half_life", "1.5e1", 15.0},
           {"client.enable_adaptive_concurrency", " Off ", false},
           {"system_monitor.log_path", "~/{PID}.log", "~/{PID}.log"}}) {
    const auto changed = config.with(path, text);
    ASSERT_THAT(changed, testing::IsOk()) << path;
    EXPECT_EQ(changed->get(path).value(), value) << path;
  }
  for (const auto* path : {"client.retry_max_attempts", "client.shard_api_version",
                           "client.ac_latency_rtt_half_life", "client.enable_adaptive_concurrency"})
    EXPECT_THAT(config.with(path, "nonsense"), testing::FailsWith(ErrorCode::kInvalidArgument)) << path;
}

TEST(Config, ChangesEveryFieldInACopy) {
  const auto config = Config::defaults();
  for (const auto& field : Config::fields()) {
    const auto value = example_of(field.kind);
    ASSERT_TRUE(Config::accepts(field, value)) << field.path();
    const auto changed = config.with(field.path(), value);
    ASSERT_THAT(changed, testing::IsOk()) << field.path();
    for (const auto& other : Config::fields())
      EXPECT_EQ(changed->get(other), &other == &field ? value : config.get(other)) << field.path();
  }
  EXPECT_EQ(config.to_string(), Config::defaults().to_string());
}

TEST(Config, TakesNoValueOnlyForOptionalFields) {
  for (const auto& field : Config::fields()) {
    const auto set = Config::defaults().with(field.path(), example_of(field.kind));
    ASSERT_THAT(set, testing::IsOk());
    const auto unset = set->with(field.path(), Value());
    EXPECT_EQ(Config::accepts(field, Value()), field.optional) << field.path();
    EXPECT_EQ(unset.has_value(), field.optional) << field.path();
    EXPECT_EQ(unset ? unset->get(field) : Value(), Value());
  }
}

TEST(Config, RefusesValuesOfAnotherType) {
  const auto is_number_of_things = [](Kind kind) { return kind == Kind::kInteger || kind == Kind::kBytes; };
  for (const auto& field : Config::fields()) {
    for (const Kind kind : kKinds) {
      const auto value = example_of(kind);
      if (std::holds_alternative<std::string>(value) || kind == field.kind) continue;
      if (is_number_of_things(kind) && is_number_of_things(field.kind)) continue;
      EXPECT_FALSE(Config::accepts(field, value)) << field.path() << ", " << name_of(kind);
      EXPECT_THAT(Config::defaults().with(field.path(), value),
                  testing::FailsWith(ErrorCode::kInvalidArgument));
    }
  }
}

TEST(Config, RefusesValuesOutOfRange) {
  const auto config = Config::defaults();
  constexpr auto kRefused = ErrorCode::kInvalidArgument;
  EXPECT_THAT(config.with("client.shard_api_version", uint64_t{1} << 32), testing::FailsWith(kRefused));
  EXPECT_THAT(config.with("client.shard_api_version", uint64_t{UINT32_MAX}), testing::IsOk());
  EXPECT_THAT(config.with("client.retry_max_attempts", uint64_t{UINT64_MAX}), testing::IsOk());
  EXPECT_THAT(config.with("client.read_timeout", -1ns), testing::FailsWith(kRefused));
  EXPECT_THAT(config.with("deduplication.min_n_chunks_per_range", 1e39), testing::FailsWith(kRefused));
  EXPECT_THAT(config.with("client.ac_latency_rtt_half_life", HUGE_VAL), testing::FailsWith(kRefused));
  EXPECT_THAT(config.with("client.ac_latency_rtt_half_life", std::nan("")), testing::FailsWith(kRefused));
}

TEST(Config, KeepsFloatsOf32BitsAsSuch) {
  const auto config = Config::defaults().with("deduplication.min_n_chunks_per_range", 0.1);
  ASSERT_THAT(config, testing::IsOk());
  EXPECT_EQ(config->number("deduplication.min_n_chunks_per_range"), 0.10000000149011612);
  EXPECT_EQ(shown(*config, "deduplication.min_n_chunks_per_range"), "0.1");
}

TEST(Config, NamesWhatIsWrongWithAPath) {
  const auto message_for = [](std::string_view path) {
    const auto got = Config::defaults().get(path);
    const auto changed = Config::defaults().with(path, uint64_t{1});
    EXPECT_THAT(got, testing::FailsWith(ErrorCode::kInvalidArgument)) << path;
    EXPECT_THAT(changed, testing::FailsWith(ErrorCode::kInvalidArgument)) << path;
    if (got || changed) return std::string("no error");
    EXPECT_EQ(got.error().message, changed.error().message);
    return got.error().message;
  };
  EXPECT_EQ(message_for(""), "Invalid config path '': expected 'group.field' format");
  EXPECT_EQ(message_for("data"), "Invalid config path 'data': expected 'group.field' format");
  EXPECT_EQ(message_for("."), "Unknown config group: ''");
  EXPECT_EQ(message_for("nope.default_prefix"), "Unknown config group: 'nope'");
  EXPECT_EQ(message_for("DATA.default_prefix"), "Unknown config group: 'DATA'");
  EXPECT_EQ(message_for("data."), "Unknown config field: ''");
  EXPECT_EQ(message_for("data.nope"), "Unknown config field: 'nope'");
  EXPECT_EQ(message_for("data.default_prefix.x"), "Unknown config field: 'default_prefix.x'");
}

TEST(Config, GivesCodeItsTypes) {
  const auto config = Config::from_environment(
      {{"HF_XET_CLIENT_SHARD_API_VERSION", "2"}, {"HF_XET_CLIENT_UNIX_SOCKET_PATH", "/run/xet.sock"}});
  EXPECT_EQ(config.count("client.retry_max_attempts"), 5U);
  EXPECT_EQ(config.count("log.dir_max_size"), 250'000'000U);
  EXPECT_EQ(config.optional_count("client.shard_api_version"), 2U);
  EXPECT_EQ(config.optional_count("client.reconstruction_api_version"), std::nullopt);
  EXPECT_EQ(config.number("client.ac_rtt_success_max_quantile"), 0.95);
  EXPECT_TRUE(config.flag("deduplication.global_dedup_query_enabled"));
  EXPECT_EQ(config.duration("client.retry_max_duration"), 360s);
  EXPECT_EQ(config.text("data.default_prefix"), "default");
  EXPECT_EQ(config.optional_text("client.unix_socket_path"), "/run/xet.sock");
  EXPECT_EQ(config.optional_text("log.dest"), std::nullopt);
}

TEST(ConfigDeathTest, EndsTheProgramThatAsksForWhatIsNotThere) {
  const auto config = Config::defaults();
  EXPECT_DEATH(config.count("client.retry_max_attempt"), "");
  EXPECT_DEATH(config.flag("client.retry_max_attempts"), "");
}

TEST(ConfigEnvironment, TakesOlderNamesAfterTheOwnOne) {
  struct Alias {
    const char* name;
    const char* path;
    const char* text;
  };
  for (const auto& [name, path, text] : {
           Alias{"HF_XET_UPLOAD_REPORTING_BLOCK_SIZE", "client.upload_reporting_block_size", "3"},
           Alias{"HF_XET_MIN_SPACING_BETWEEN_GLOBAL_DEDUP_QUERIES",
                 "data.min_spacing_between_global_dedup_queries", "3"},
           Alias{"HF_XET_LOCAL_CAS_SCHEME", "data.local_cas_scheme", "x"},
           Alias{"HF_XET_MAX_CONCURRENT_FILE_INGESTION", "data.max_concurrent_file_ingestion", "3"},
           Alias{"HF_XET_INGESTION_BLOCK_SIZE", "data.ingestion_block_size", "3kb"},
           Alias{"HF_XET_PROGRESS_UPDATE_INTERVAL", "data.progress_update_interval", "3s"},
           Alias{"HF_XET_PROGRESS_UPDATE_SPEED_SAMPLING_WINDOW", "data.progress_update_speed_sampling_window",
                 "3s"},
           Alias{"HF_XET_SESSION_XORB_METADATA_FLUSH_INTERVAL", "data.session_xorb_metadata_flush_interval",
                 "3s"},
           Alias{"HF_XET_SESSION_XORB_METADATA_FLUSH_MAX_COUNT", "data.session_xorb_metadata_flush_max_count",
                 "3"},
           Alias{"HF_XET_MDB_SHARD_CACHE_SIZE_LIMIT", "shard.cache_size_limit", "3kb"},
           Alias{"HF_XET_MDB_SHARD_CHUNK_INDEX_TABLE_MAX_SIZE", "shard.chunk_index_table_max_size", "3"},
           Alias{"HF_XET_CHUNK_INDEX_TABLE_MAX_SIZE", "shard.chunk_index_table_max_size", "3"},
           Alias{"HF_XET_DATA_XORB_COMPRESSION_SCHEME_RETEST_INTERVAL",
                 "xorb.compression_scheme_retest_interval", "3"},
           Alias{"HF_XET_DATA_XORB_COMPRESSION_POLICY", "xorb.compression_policy", "lz4"},
       }) {
    const auto expected = shown(Config::defaults().with(path, text).value(), path);
    EXPECT_EQ(shown(Config::from_environment({{name, text}}), path), expected) << name;
    const auto own = variable_of(path);
    EXPECT_EQ(shown(Config::from_environment({{name, text}, {own, ""}}), path),
              shown(Config::from_environment({{own, ""}}), path))
        << "an own variable counts even when it cannot be read";
  }
  EXPECT_EQ(count({{"HF_XET_CHUNK_INDEX_TABLE_MAX_SIZE", "1"},
                   {"HF_XET_MDB_SHARD_CHUNK_INDEX_TABLE_MAX_SIZE", "2"}},
                  "shard.chunk_index_table_max_size"),
            2U);
  EXPECT_EQ(count({{"HF_XET_CHUNK_INDEX_TABLE_MAX_SIZE", "1"},
                   {"HF_XET_MDB_SHARD_CHUNK_INDEX_TABLE_MAX_SIZE", "x"}},
                  "shard.chunk_index_table_max_size"),
            67'108'864U);
}

TEST(ConfigEnvironment, LooksPastVariablesThatAreNoText) {
  const Environment environment = {{"HF_XET_DATA_INGESTION_BLOCK_SIZE", "\xff"},
                                   {"HF_XET_INGESTION_BLOCK_SIZE", "5kb"},
                                   {"HF_XET_DATA_DEFAULT_PREFIX", "a\xff"}};
  EXPECT_EQ(count(environment, "data.ingestion_block_size"), 5'000U);
  EXPECT_EQ(Config::from_environment(environment).text("data.default_prefix"), "default");
}

TEST(ConfigEnvironment, FixesConcurrencyWithOneNumber) {
  const Environment environment = {{"HF_XET_FIXED_UPLOAD_CONCURRENCY", "7"},
                                   {"HF_XET_FIXED_DOWNLOAD_CONCURRENCY", "11"},
                                   {"HF_XET_CLIENT_AC_MAX_DOWNLOAD_CONCURRENCY", "12"},
                                   {"HF_XET_HP", "1"}};
  const auto config = Config::from_environment(environment);
  for (const std::string which : {"initial", "min", "max"}) {
    EXPECT_EQ(config.count("client.ac_" + which + "_upload_concurrency"), 7U);
    EXPECT_EQ(config.count("client.ac_" + which + "_download_concurrency"), which == "max" ? 12U : 11U);
  }
  EXPECT_THAT(config.warnings(), IsEmpty());
}

TEST(ConfigEnvironment, WinsOverHighPerformance) {
  const auto config =
      Config::from_environment({{"HF_XET_HP", "yes"}, {"HF_XET_CLIENT_AC_MAX_DOWNLOAD_CONCURRENCY", "32"}});
  EXPECT_EQ(config.count("client.ac_max_upload_concurrency"), 124U);
  EXPECT_EQ(config.count("client.ac_max_download_concurrency"), 32U);
}

TEST(ConfigEnvironment, LooksAtTheShortNameOfHighPerformanceOnlyWithoutTheLongOne) {
  const auto most = [](const char* high_performance) {
    return count({{"HF_XET_HIGH_PERFORMANCE", high_performance}, {"HF_XET_HP", "1"}},
                 "client.ac_max_upload_concurrency");
  };
  EXPECT_EQ(most("0"), 64U);
  EXPECT_EQ(most(""), 64U);
  EXPECT_EQ(most("x"), 64U);
  EXPECT_EQ(most("on"), 124U);
}

TEST(ConfigEnvironment, KeepsTheValueBeforeOneThatCannotBeUnderstood) {
  const auto config = Config::from_environment({{"HF_XET_CLIENT_READ_TIMEOUT", "10"},
                                                {"HF_XET_HIGH_PERFORMANCE", "1"},
                                                {"HF_XET_CLIENT_AC_MIN_UPLOAD_CONCURRENCY", "many"},
                                                {"HF_XET_FIXED_DOWNLOAD_CONCURRENCY", "few"}});
  EXPECT_EQ(config.duration("client.read_timeout"), 300s);
  EXPECT_EQ(config.count("client.ac_min_upload_concurrency"), 4U);
  EXPECT_EQ(config.count("client.ac_min_download_concurrency"), 4U);
  EXPECT_THAT(config.warnings(),
              ElementsAre(HasSubstr("HF_XET_CLIENT_READ_TIMEOUT has a value that cannot be understood"),
                          HasSubstr("HF_XET_CLIENT_AC_MIN_UPLOAD_CONCURRENCY"),
                          HasSubstr("HF_XET_FIXED_DOWNLOAD_CONCURRENCY")));
}

TEST(ConfigEnvironment, WarnsOnceOfWhatHasNoEffectOrIsUnknown) {
  const auto config = Config::from_environment({{"HF_XET_TELEMETRY_ENABLED", "perhaps"},
                                                {"HF_XET_CLIENT_AC_TARGET_RTT", "1s"},
                                                {"HF_XET_LOCAL_CAS_SCHEME", "x"},
                                                {"HF_XET_NUM_CONCURRENT_RANGE_GETS", "8"},
                                                {"HF_XET_FROBNICATE", "1"},
                                                {"HF_XET_CACHE", "/c"},
                                                {"HF_XET_DATA_DEFAULT_PREFIX", "p"},
                                                {"UNRELATED", "1"}});
  const auto expected =
      ElementsAre("HF_XET_CLIENT_AC_TARGET_RTT has no effect: concurrency adapts by another rule here",
                  "HF_XET_FROBNICATE is not a setting that this program knows",
                  "HF_XET_LOCAL_CAS_SCHEME has no effect: local stores are local:DIR",
                  "HF_XET_NUM_CONCURRENT_RANGE_GETS has no effect: use HF_XET_FIXED_DOWNLOAD_CONCURRENCY",
                  "HF_XET_TELEMETRY_ENABLED has no effect: there is no telemetry");
  EXPECT_THAT(config.warnings(), expected);
  EXPECT_THAT(config.with("data.default_prefix", "q").value().warnings(), expected);
}

TEST(ConfigEnvironment, SaysSomethingOfEveryFieldWithoutEffectAndNothingOfTheOthers) {
  for (const auto& field : Config::fields()) {
    const char* text = field.kind == Kind::kDuration ? "1s" : field.kind == Kind::kChoice ? "auto" : "1";
    const auto config = Config::from_environment({{variable_of(field.path()), text}});
    EXPECT_EQ(config.warnings().empty(), field.acts()) << field.path();
  }
}

TEST(ConfigTelemetry, IsOffWithAnyOptOut) {
  for (const char* name : {"HF_HUB_DISABLE_TELEMETRY", "DISABLE_TELEMETRY", "DO_NOT_TRACK", "HF_HUB_OFFLINE",
                           "TRANSFORMERS_OFFLINE"}) {
    const auto enabled = [&](const char* text) {
      return Config::from_environment({{name, text}, {"HF_XET_TELEMETRY_ENABLED", "1"}})
          .flag("telemetry.enabled");
    };
    for (const char* yes : {"1", "ON", "yes", " True "}) EXPECT_FALSE(enabled(yes)) << name << '=' << yes;
    for (const char* no : {"0", "", "nonsense", "2"}) EXPECT_TRUE(enabled(no)) << name << '=' << no;
  }
}

struct Buffers {
  uint64_t base, per_file, limit;
  friend bool operator==(const Buffers&, const Buffers&) = default;
};

/// In megabytes.
Buffers buffers(const Environment& environment, std::optional<uint64_t> memory_bytes) {
  const auto config = Config::from_environment(environment, memory_bytes);
  constexpr uint64_t kMega = 1'000'000;
  for (const auto* name : {"size", "perfile_size", "limit"})
    EXPECT_EQ(config.count(std::string("reconstruction.download_buffer_") + name) % kMega, 0U);
  return {.base = config.count("reconstruction.download_buffer_size") / kMega,
          .per_file = config.count("reconstruction.download_buffer_perfile_size") / kMega,
          .limit = config.count("reconstruction.download_buffer_limit") / kMega};
}

TEST(ConfigBuffers, GrowWithTheMemoryOfTheMachine) {
  struct Row {
    uint64_t memory_bytes;
    Buffers usual, high_performance;
  };
  for (const auto& [memory_bytes, usual, high_performance] : {
           Row{0, {64, 16, 264}, {64, 16, 264}},
           Row{512'000'000, {64, 16, 264}, {64, 16, 264}},
           Row{uint64_t{1} << 30, {64, 16, 264}, {128, 32, 536}},
           Row{2'000'000'000, {120, 24, 496}, {248, 56, 1'000}},
           Row{8'000'000'000, {496, 120, 2'000}, {1'000, 248, 4'000}},
           Row{16'000'000'000, {1'000, 248, 4'000}, {2'000, 496, 8'000}},
           Row{25'276'510'208, {1'576, 392, 6'312}, {3'152, 784, 12'632}},
           Row{32'000'000'000, {2'000, 496, 8'000}, {4'000, 1'000, 16'000}},
           Row{256'000'000'000, {16'000, 2'000, 64'000}, {16'000, 2'000, 64'000}},
           Row{UINT64_MAX, {16'000, 2'000, 64'000}, {16'000, 2'000, 64'000}},
       }) {
    EXPECT_EQ(buffers({}, memory_bytes), usual) << memory_bytes;
    EXPECT_EQ(buffers({{"HF_XET_HP", "1"}}, memory_bytes), high_performance) << memory_bytes;
    EXPECT_LE(usual.base + 8 * usual.per_file, usual.limit);
  }
}

TEST(ConfigBuffers, AreFixedWhereTheMemoryIsNotKnownOrNotToBeLookedAt) {
  constexpr Buffers kFixed{2'000, 512, 8'000};
  const std::string off = "HF_XET_DISABLE_MEMORY_DERIVED_DOWNLOAD_BUFFERS";
  EXPECT_EQ(buffers({}, std::nullopt), kFixed);
  EXPECT_EQ(buffers({{off, "yes"}}, 1), kFixed);
  EXPECT_EQ(buffers({{off, "yes"}, {"HF_XET_HP", "1"}}, 1), (Buffers{16'000, 2'000, 64'000}));
  EXPECT_EQ(buffers({{off, "no"}}, 1), (Buffers{64, 16, 264}));
  EXPECT_EQ(buffers({{off, "x"}}, 1), (Buffers{64, 16, 264}));
}

TEST(ConfigBuffers, HaveALimitThatIsNotBelowTheBase) {
  const std::string prefix = "HF_XET_RECONSTRUCTION_DOWNLOAD_BUFFER_";
  EXPECT_EQ(buffers({{prefix + "SIZE", "20gb"}}, 8'000'000'000), (Buffers{20'000, 120, 20'000}));
  EXPECT_EQ(buffers({{prefix + "LIMIT", "1mb"}}, 8'000'000'000), (Buffers{496, 120, 496}));
}

}  // namespace
}  // namespace xet

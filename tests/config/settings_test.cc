#include "config/settings.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <string>

namespace xet::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

TEST(Settings, HaveTheDefaultsOfTheGenuineClient) {
  const auto settings = read_settings({});
  const auto& client = settings.client;
  EXPECT_EQ(client.retry_max_attempts, 5U);
  EXPECT_EQ(client.retry_base_delay, 3s);
  EXPECT_EQ(client.retry_max_duration, 360s);
  EXPECT_EQ(client.idle_connection_timeout, 60s);
  EXPECT_EQ(client.max_idle_connections, 16U);
  EXPECT_EQ(client.connect_timeout, 60s);
  EXPECT_EQ(client.read_timeout, 300s);
  EXPECT_FALSE(client.legacy_direct_xorb_upload);
  EXPECT_EQ(client.max_xorb_grant_attempts, 3U);
  EXPECT_EQ(client.ac_initial_upload_concurrency, 2U);
  EXPECT_EQ(client.ac_min_upload_concurrency, 1U);
  EXPECT_EQ(client.ac_max_upload_concurrency, 64U);
  EXPECT_EQ(client.ac_initial_download_concurrency, 4U);
  EXPECT_EQ(client.ac_min_download_concurrency, 1U);
  EXPECT_EQ(client.ac_max_download_concurrency, 64U);
  EXPECT_EQ(client.unix_socket_path, "");
  EXPECT_EQ(client.reconstruction_api_version, std::nullopt);
  EXPECT_EQ(client.shard_api_version, std::nullopt);
  EXPECT_FALSE(client.enable_multirange_fetching);
  EXPECT_EQ(settings.default_prefix, "default");
  EXPECT_TRUE(settings.global_dedup_query_enabled);
  EXPECT_THAT(settings.warnings, IsEmpty());
}

TEST(Settings, TakeEveryVariableFromTheEnvironment) {
  const auto settings = read_settings({
      {"HF_XET_CLIENT_RETRY_MAX_ATTEMPTS", "2"},
      {"HF_XET_CLIENT_RETRY_BASE_DELAY", "10ms"},
      {"HF_XET_CLIENT_RETRY_MAX_DURATION", "1m"},
      {"HF_XET_CLIENT_IDLE_CONNECTION_TIMEOUT", "5s"},
      {"HF_XET_CLIENT_MAX_IDLE_CONNECTIONS", "3"},
      {"HF_XET_CLIENT_CONNECT_TIMEOUT", "7s"},
      {"HF_XET_CLIENT_READ_TIMEOUT", "8s"},
      {"HF_XET_CLIENT_LEGACY_DIRECT_XORB_UPLOAD", "yes"},
      {"HF_XET_CLIENT_MAX_XORB_GRANT_ATTEMPTS", "4"},
      {"HF_XET_CLIENT_AC_MAX_UPLOAD_CONCURRENCY", "9"},
      {"HF_XET_CLIENT_AC_MIN_UPLOAD_CONCURRENCY", "3"},
      {"HF_XET_CLIENT_AC_INITIAL_UPLOAD_CONCURRENCY", "5"},
      {"HF_XET_CLIENT_AC_MAX_DOWNLOAD_CONCURRENCY", "19"},
      {"HF_XET_CLIENT_AC_MIN_DOWNLOAD_CONCURRENCY", "13"},
      {"HF_XET_CLIENT_AC_INITIAL_DOWNLOAD_CONCURRENCY", "15"},
      {"HF_XET_CLIENT_UNIX_SOCKET_PATH", "/run/xet.sock"},
      {"HF_XET_CLIENT_RECONSTRUCTION_API_VERSION", "1"},
      {"HF_XET_CLIENT_SHARD_API_VERSION", "2"},
      {"HF_XET_CLIENT_ENABLE_MULTIRANGE_FETCHING", "on"},
      {"HF_XET_DATA_DEFAULT_PREFIX", "default-merkledb"},
      {"HF_XET_DEDUPLICATION_GLOBAL_DEDUP_QUERY_ENABLED", "false"},
      {"UNRELATED", "1"},
  });
  const auto& client = settings.client;
  EXPECT_EQ(client.retry_max_attempts, 2U);
  EXPECT_EQ(client.retry_base_delay, 10ms);
  EXPECT_EQ(client.retry_max_duration, 60s);
  EXPECT_EQ(client.idle_connection_timeout, 5s);
  EXPECT_EQ(client.max_idle_connections, 3U);
  EXPECT_EQ(client.connect_timeout, 7s);
  EXPECT_EQ(client.read_timeout, 8s);
  EXPECT_TRUE(client.legacy_direct_xorb_upload);
  EXPECT_EQ(client.max_xorb_grant_attempts, 4U);
  EXPECT_EQ(client.ac_max_upload_concurrency, 9U);
  EXPECT_EQ(client.ac_min_upload_concurrency, 3U);
  EXPECT_EQ(client.ac_initial_upload_concurrency, 5U);
  EXPECT_EQ(client.ac_max_download_concurrency, 19U);
  EXPECT_EQ(client.ac_min_download_concurrency, 13U);
  EXPECT_EQ(client.ac_initial_download_concurrency, 15U);
  EXPECT_EQ(client.unix_socket_path, "/run/xet.sock");
  EXPECT_EQ(client.reconstruction_api_version, 1U);
  EXPECT_EQ(client.shard_api_version, 2U);
  EXPECT_TRUE(client.enable_multirange_fetching);
  EXPECT_EQ(settings.default_prefix, "default-merkledb");
  EXPECT_FALSE(settings.global_dedup_query_enabled);
  EXPECT_THAT(settings.warnings, IsEmpty());
}

TEST(Settings, KeepTheValueBeforeOneThatCannotBeUnderstood) {
  const auto settings = read_settings({{"HF_XET_CLIENT_READ_TIMEOUT", "10"},
                                       {"HF_XET_HIGH_PERFORMANCE", "1"},
                                       {"HF_XET_CLIENT_AC_MIN_UPLOAD_CONCURRENCY", "many"}});
  EXPECT_EQ(settings.client.read_timeout, 300s);
  EXPECT_EQ(settings.client.ac_min_upload_concurrency, 4U);
  EXPECT_THAT(settings.warnings, ElementsAre(HasSubstr("HF_XET_CLIENT_READ_TIMEOUT"),
                                             HasSubstr("HF_XET_CLIENT_AC_MIN_UPLOAD_CONCURRENCY")));
}

TEST(Settings, LetTheEnvironmentWinOverHighPerformance) {
  const auto settings =
      read_settings({{"HF_XET_HP", "yes"}, {"HF_XET_CLIENT_AC_MAX_DOWNLOAD_CONCURRENCY", "32"}});
  EXPECT_EQ(settings.client.ac_max_upload_concurrency, 124U);
  EXPECT_EQ(settings.client.ac_initial_upload_concurrency, 16U);
  EXPECT_EQ(settings.client.ac_max_download_concurrency, 32U);
  EXPECT_EQ(settings.client.ac_initial_download_concurrency, 16U);
}

TEST(Settings, LookAtTheShortNameOfHighPerformanceOnlyWithoutTheLongOne) {
  const auto settings = read_settings({{"HF_XET_HIGH_PERFORMANCE", "0"}, {"HF_XET_HP", "1"}});
  EXPECT_EQ(settings.client.ac_max_upload_concurrency, 64U);
}

TEST(Settings, FixConcurrencyWithOneNumber) {
  const auto settings =
      read_settings({{"HF_XET_FIXED_UPLOAD_CONCURRENCY", "7"}, {"HF_XET_FIXED_DOWNLOAD_CONCURRENCY", "11"}});
  EXPECT_EQ(settings.client.ac_min_upload_concurrency, 7U);
  EXPECT_EQ(settings.client.ac_initial_upload_concurrency, 7U);
  EXPECT_EQ(settings.client.ac_max_upload_concurrency, 7U);
  EXPECT_EQ(settings.client.ac_min_download_concurrency, 11U);
  EXPECT_EQ(settings.client.ac_initial_download_concurrency, 11U);
  EXPECT_EQ(settings.client.ac_max_download_concurrency, 11U);
}

TEST(Settings, MoveLimitsThatContradictEachOther) {
  const auto settings = read_settings({{"HF_XET_CLIENT_AC_MIN_UPLOAD_CONCURRENCY", "0"},
                                       {"HF_XET_CLIENT_AC_MAX_UPLOAD_CONCURRENCY", "0"},
                                       {"HF_XET_CLIENT_AC_MIN_DOWNLOAD_CONCURRENCY", "100"}});
  EXPECT_EQ(settings.client.ac_min_upload_concurrency, 1U);
  EXPECT_EQ(settings.client.ac_max_upload_concurrency, 1U);
  EXPECT_EQ(settings.client.ac_initial_upload_concurrency, 1U);
  EXPECT_EQ(settings.client.ac_max_download_concurrency, 100U);
  EXPECT_EQ(settings.client.ac_initial_download_concurrency, 100U);
}

TEST(Settings, WarnOnceOfWhatHasNoEffectOrIsUnknown) {
  const auto settings = read_settings({{"HF_XET_TELEMETRY_ENABLED", "1"},
                                       {"HF_XET_NUM_CONCURRENT_RANGE_GETS", "8"},
                                       {"HF_XET_FROBNICATE", "1"},
                                       {"HF_XET_CACHE", "/c"}});
  EXPECT_THAT(
      settings.warnings,
      ElementsAre("HF_XET_FROBNICATE is not a setting that this program knows",
                  "HF_XET_NUM_CONCURRENT_RANGE_GETS has no effect: use HF_XET_FIXED_DOWNLOAD_CONCURRENCY",
                  "HF_XET_TELEMETRY_ENABLED has no effect: there is no telemetry"));
}

TEST(CacheRoot, IsWhereTheGenuineClientHasIt) {
  EXPECT_EQ(cache_root_of({{"HOME", "/h"}}), "/h/.cache/huggingface/xet");
  EXPECT_EQ(cache_root_of({{"HOME", "/h"}, {"XDG_CACHE_HOME", "/x"}}), "/x/huggingface/xet");
  EXPECT_EQ(cache_root_of({{"HOME", "/h"}, {"XDG_CACHE_HOME", "/x"}, {"HF_HOME", "/f"}}), "/f/xet");
  EXPECT_EQ(cache_root_of({{"HOME", "/h"}, {"HF_HOME", "/f"}, {"HF_XET_CACHE", "~/c"}}), "/h/c");
  EXPECT_EQ(cache_root_of({{"HF_XET_CACHE", "/c/{PID}"}}), "/c/" + std::to_string(::getpid()));
}

}  // namespace
}  // namespace xet::config

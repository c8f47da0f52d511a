#include "config/concurrency.h"

#include <gtest/gtest.h>

namespace xet::config {
namespace {

TEST(Concurrency, IsWhatTheConfigSays) {
  const auto config = Config::from_environment({{"HF_XET_CLIENT_AC_MAX_UPLOAD_CONCURRENCY", "9"},
                                                {"HF_XET_CLIENT_AC_MIN_UPLOAD_CONCURRENCY", "3"},
                                                {"HF_XET_CLIENT_AC_INITIAL_UPLOAD_CONCURRENCY", "5"}});
  const auto uploads = upload_concurrency(config);
  EXPECT_EQ(uploads.initial, 5U);
  EXPECT_EQ(uploads.least, 3U);
  EXPECT_EQ(uploads.most, 9U);
  const auto downloads = download_concurrency(config);
  EXPECT_EQ(downloads.initial, 4U);
  EXPECT_EQ(downloads.least, 1U);
  EXPECT_EQ(downloads.most, 64U);
}

TEST(Concurrency, MovesLimitsThatContradictEachOther) {
  const auto config = Config::from_environment({{"HF_XET_CLIENT_AC_MIN_UPLOAD_CONCURRENCY", "0"},
                                                {"HF_XET_CLIENT_AC_MAX_UPLOAD_CONCURRENCY", "0"},
                                                {"HF_XET_CLIENT_AC_MIN_DOWNLOAD_CONCURRENCY", "100"}});
  const auto uploads = upload_concurrency(config);
  EXPECT_EQ(uploads.least, 1U);
  EXPECT_EQ(uploads.most, 1U);
  EXPECT_EQ(uploads.initial, 1U);
  const auto downloads = download_concurrency(config);
  EXPECT_EQ(downloads.most, 100U);
  EXPECT_EQ(downloads.initial, 100U);
  EXPECT_EQ(config.count("client.ac_max_download_concurrency"), 64U);  // what was set is read back
}

TEST(Concurrency, HasAnEnd) {
  const auto config = Config::from_environment({{"HF_XET_FIXED_UPLOAD_CONCURRENCY", "18446744073709551615"}});
  EXPECT_EQ(upload_concurrency(config).most, 1024U);
}

}  // namespace
}  // namespace xet::config

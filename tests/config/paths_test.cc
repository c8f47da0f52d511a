#include "config/paths.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <string>

namespace xet::config {
namespace {

TEST(CacheRoot, IsWhereTheGenuineClientHasIt) {
  EXPECT_EQ(cache_root_of({{"HOME", "/h"}}), "/h/.cache/huggingface/xet");
  EXPECT_EQ(cache_root_of({{"HOME", "/h"}, {"XDG_CACHE_HOME", "/x"}}), "/x/huggingface/xet");
  EXPECT_EQ(cache_root_of({{"HOME", "/h"}, {"XDG_CACHE_HOME", "/x"}, {"HF_HOME", "/f"}}), "/f/xet");
  EXPECT_EQ(cache_root_of({{"HOME", "/h"}, {"HF_HOME", "/f"}, {"HF_XET_CACHE", "~/c"}}), "/h/c");
  EXPECT_EQ(cache_root_of({{"HF_XET_CACHE", "/c/{PID}"}}), "/c/" + std::to_string(::getpid()));
}

TEST(ExpandedPaths, HaveTheProcessAndTheTimeInThem) {
  const std::string pid = std::to_string(::getpid());
  EXPECT_EQ(expand_path("/a{pid}b/{Pid}{PID}", {}), "/a" + pid + "b/" + pid + pid);
  EXPECT_THAT(
      expand_path("/{timestamp}.log", {}).string(),
      ::testing::MatchesRegex("/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}-[0-9]{2}-[0-9]{2}[+-][0-9]{4}\\.log"));
  EXPECT_EQ(expand_path("/{x}/{PI}/{", {}), "/{x}/{PI}/{");
}

TEST(ExpandedPaths, AreAbsolute) {
  const Config::Environment environment = {{"HOME", "/h"}};
  EXPECT_EQ(expand_path("~", environment), "/h");
  EXPECT_EQ(expand_path("~/a/../b", environment), "/h/b");
  EXPECT_EQ(expand_path("~a", environment), std::filesystem::current_path() / "~a");
  EXPECT_EQ(expand_path("a", environment), std::filesystem::current_path() / "a");
}

}  // namespace
}  // namespace xet::config

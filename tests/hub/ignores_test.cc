#include "server/hub/ignores.h"

#include <gtest/gtest.h>

#include <string>

namespace xet::hub {
namespace {

TEST(Ignores, ReadRulesAsGitDoes) {
  const Ignores some(
      "# comment\n"
      "\n"
      "*.log\r\n"
      "!keep.log\n"
      "build/\n"
      "/top.txt   \n"
      "docs/*.pdf\n"
      "\\#literal\n"
      "\\!literal\n"
      "space\\ \n"
      "__pycache__");
  for (const char* path : {"a.log", "x/y.log", "build/x", "a/build/b/c", "top.txt", "docs/a.pdf", "#literal",
                           "!literal", "space ", "a/__pycache__/b.pyc", "__pycache__"}) {
    EXPECT_TRUE(some.is_ignored(path)) << path;
  }
  for (const char* path : {"keep.log", "a/keep.log", "build", "a/top.txt", "a/docs/a.pdf", "# comment",
                           "space", "README.md", ".gitignore"}) {
    EXPECT_FALSE(some.is_ignored(path)) << path;
  }
}

TEST(Ignores, KeepWhatLiesInAnIgnoredFolder) {
  const Ignores some("data/\n!data/keep\n/*\n!/src\n");
  EXPECT_TRUE(some.is_ignored("data/keep"));
  EXPECT_TRUE(some.is_ignored("other/x"));
  EXPECT_FALSE(some.is_ignored("src/x"));
}

TEST(Ignores, TakeTheBeginningOfAVeryLongText) {
  std::string text = "first\n";
  text.append(Ignores::kMaxBytes, '#');
  text += "\nlast\n";
  EXPECT_TRUE(Ignores(text).is_ignored("first"));
  EXPECT_FALSE(Ignores(text).is_ignored("last"));
  EXPECT_FALSE(Ignores("").is_ignored("a"));
}

}  // namespace
}  // namespace xet::hub

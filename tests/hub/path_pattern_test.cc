#include "server/hub/path_pattern.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

namespace xet::hub {
namespace {

bool matches(std::string_view pattern, std::string_view path) {
  return PathPattern(pattern).matches(path);
}

TEST(PathPattern, WithoutASlashIsForNamesInAnyFolder) {
  EXPECT_TRUE(matches("*.bin", "x.bin"));
  EXPECT_TRUE(matches("*.bin", "a/b/x.bin"));
  EXPECT_FALSE(matches("*.bin", "a.bin/x"));
  EXPECT_FALSE(matches("*.bin", "x.bin2"));
  EXPECT_TRUE(matches("*", ".hidden"));
  EXPECT_TRUE(matches("a**b", "axyb")) << "as one asterisk";
}

TEST(PathPattern, WithASlashIsForWholePaths) {
  EXPECT_TRUE(matches("/x", "x"));
  EXPECT_FALSE(matches("/x", "a/x"));
  EXPECT_TRUE(matches("a/*", "a/x"));
  EXPECT_FALSE(matches("a/*", "a/b/x"));
  EXPECT_FALSE(matches("a/*", "b/a/x"));
  EXPECT_FALSE(matches("a?b/c", "a/b/c"));
}

TEST(PathPattern, TwoAsterisksCrossFolders) {
  EXPECT_TRUE(matches("**/x", "x"));
  EXPECT_TRUE(matches("**/x", "a/b/x"));
  EXPECT_FALSE(matches("**/x", "a/x/b"));
  EXPECT_TRUE(matches("a/**", "a/b/c"));
  EXPECT_FALSE(matches("a/**", "a"));
  EXPECT_TRUE(matches("a/**/z", "a/z"));
  EXPECT_TRUE(matches("a/**/z", "a/b/c/z"));
  EXPECT_TRUE(matches("a/**/b/**/z", "a/b/x/b/y/z"));
  EXPECT_FALSE(matches("a/**/b/**/z", "a/x/z"));
  EXPECT_TRUE(matches("**/a/**", "x/a/a/y"));
  EXPECT_FALSE(matches("**/a/**", "x/y/a"));
}

TEST(PathPattern, BracketsAndBackslashes) {
  EXPECT_TRUE(matches("[ab]?.x", "b1.x"));
  EXPECT_FALSE(matches("[ab]?.x", "c1.x"));
  EXPECT_TRUE(matches("[!a-c]", "d"));
  EXPECT_FALSE(matches("[^a-c]", "b"));
  EXPECT_TRUE(matches("[]x]", "]"));
  EXPECT_TRUE(matches("*[0-9]", "abc7"));
  EXPECT_TRUE(matches("[ab", "[ab")) << "what does not end is a character";
  EXPECT_TRUE(matches("\\*", "*"));
  EXPECT_FALSE(matches("\\*", "x"));
  EXPECT_TRUE(matches("a\\", "a\\"));
  EXPECT_TRUE(matches("\xc3\xbc*",
                      "\xc3\xbc"
                      "ber"));
}

TEST(PathPattern, HostileOnesEnd) {
  std::string stars;
  std::string folders;
  for (int i = 0; i < 200; ++i) {
    stars += "*a";
    folders += "**/a/";
  }
  EXPECT_FALSE(matches(stars + "b", std::string(255, 'a')));
  std::string path;
  for (int i = 0; i < 500; ++i) path += "a/";
  EXPECT_FALSE(matches(folders + "b", path + "c"));
}

}  // namespace
}  // namespace xet::hub

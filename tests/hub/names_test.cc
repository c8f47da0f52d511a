#include "server/hub/names.h"

#include <gtest/gtest.h>

#include <string>

namespace xet::hub {
namespace {

TEST(Names, OfPaths) {
  const std::string long_component(255, 'a');
  for (const std::string& path : {std::string("a"), std::string("a/b.txt"), std::string(".gitattributes"),
                                  std::string("..a/b.."), std::string("\u00fc/\u6587\u4ef6.bin"),
                                  long_component, std::string("a b/c+d%20"), std::string("a.git/x")}) {
    EXPECT_TRUE(check_path(path)) << path;
  }
  const std::string long_path = [] {
    std::string out = "a";
    while (out.size() < 1030) out += "/a";
    return out;
  }();
  for (const std::string& path : {std::string(),
                                  std::string("/a"),
                                  std::string("a/"),
                                  std::string("a//b"),
                                  std::string("."),
                                  std::string(".."),
                                  std::string("a/../b"),
                                  std::string("a/."),
                                  std::string(".git/config"),
                                  std::string("x/.GIT"),
                                  std::string("a\\b"),
                                  std::string("a\nb"),
                                  std::string("a\0b", 3),
                                  std::string("\x7f"),
                                  std::string("\xff"),
                                  std::string("\xc0\xaf"),
                                  std::string("\xed\xa0\x80"),
                                  std::string("\xf4\x90\x80\x80"),
                                  std::string("\xe6\x96"),
                                  long_component + "a",
                                  long_path}) {
    EXPECT_FALSE(check_path(path)) << path;
  }
}

TEST(Names, OfBranches) {
  for (const char* name : {"main", "feat/x", "v1.0", "a-b_c"}) EXPECT_TRUE(check_ref_name(name)) << name;
  for (const char* name : {"",
                           "/a",
                           "a/",
                           "a//b",
                           ".a",
                           "a/.b",
                           "a..b",
                           "a b",
                           "a~",
                           "a^",
                           "a:",
                           "a?",
                           "a*",
                           "a[",
                           "a\\",
                           "@",
                           "a@{",
                           "a.",
                           "a.lock",
                           "a.lock/b",
                           "-a",
                           "a\x01",
                           "7f6a2ea515e61c15e92ff3996cd69cdbd7bbf374"}) {
    EXPECT_FALSE(check_ref_name(name)) << name;
  }
}

TEST(Names, OfNamespacesAndRepositories) {
  EXPECT_TRUE(check_namespace("alice"));
  for (const char* name : {"", "me", "datasets", "api", "-a", "a..b", "a/b", "a b", "v1"}) {
    EXPECT_FALSE(check_namespace(name)) << name;
  }
  EXPECT_TRUE(check_repository_name("bert-base.v2"));
  for (const char* name : {"", "x.git", "a--b", ".x"}) EXPECT_FALSE(check_repository_name(name)) << name;
}

}  // namespace
}  // namespace xet::hub

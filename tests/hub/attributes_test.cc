#include "server/hub/attributes.h"

#include <gtest/gtest.h>

namespace xet::hub {
namespace {

TEST(Attributes, SendTheUsualFormatsElsewhere) {
  const Attributes standard(Attributes::standard());
  for (const char* path : {"model.safetensors", "a/b/pytorch_model.bin", "x.tar.gz", "data/0.parquet",
                           "saved_model/variables/a", "run/events.out.tfevents.123"}) {
    EXPECT_TRUE(standard.is_lfs(path)) << path;
  }
  for (const char* path :
       {"README.md", "config.json", "bin/tool.py", "model.safetensors.index.json", ".gitattributes"}) {
    EXPECT_FALSE(standard.is_lfs(path)) << path;
  }
}

TEST(Attributes, ReadPatternsAsGitDoes) {
  const Attributes some(
      "# comment\n"
      "*.bin filter=lfs diff=lfs merge=lfs -text\n"
      "small.bin !filter\r\n"
      "/top.dat filter=lfs\n"
      "**/deep.dat filter=lfs\n"
      "weights/** filter=lfs\n"
      "weights/*.txt -filter\n"
      "[ab]?.x filter=lfs\n"
      "other.y text\n");
  EXPECT_TRUE(some.is_lfs("a.bin"));
  EXPECT_FALSE(some.is_lfs("a/small.bin")) << "the last pattern that matches decides";
  EXPECT_TRUE(some.is_lfs("top.dat"));
  EXPECT_TRUE(some.is_lfs("deep.dat"));
  EXPECT_TRUE(some.is_lfs("a/b/deep.dat"));
  EXPECT_TRUE(some.is_lfs("weights/a/b"));
  EXPECT_FALSE(some.is_lfs("weights/a.txt"));
  EXPECT_TRUE(some.is_lfs("weights/a/b.txt")) << "'*' does not cross a slash";
  EXPECT_FALSE(some.is_lfs("weights"));
  EXPECT_TRUE(some.is_lfs("d/a1.x"));
  EXPECT_FALSE(some.is_lfs("c1.x"));
  EXPECT_FALSE(some.is_lfs("other.y"));
  EXPECT_FALSE(Attributes("").is_lfs("a.bin"));
}

}  // namespace
}  // namespace xet::hub

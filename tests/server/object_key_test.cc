#include "server/store/object_key.h"

#include <gtest/gtest.h>

#include "support/generators.h"

namespace xet::testing {
namespace {

using store::ObjectKey;

TEST(ObjectKeys, AreReadBackFromTheirText) {
  const XorbHash xorb(random_hash(1));
  for (const uint32_t generation : {0U, 7U, UINT32_MAX}) {
    const auto parts = store::parse_xorb_key(store::xorb_key(xorb, generation));
    ASSERT_TRUE(parts.has_value());
    EXPECT_EQ(parts->hash, xorb);
    EXPECT_EQ(parts->generation, generation);
    EXPECT_FALSE(store::parse_manifest_key(store::xorb_key(xorb, generation)).has_value());
    EXPECT_EQ(store::parse_manifest_key(store::manifest_key(FileHash(xorb), generation))->generation,
              generation);
  }
  EXPECT_EQ(store::parse_shard_key(store::shard_key(ShardHash(xorb))), ShardHash(xorb));
}

TEST(ObjectKeys, NothingElseIsAKey) {
  const std::string good = store::xorb_key(XorbHash(random_hash(1)), 12).path;
  const auto with = [&](size_t at, size_t n, const char* text) {
    auto out = good;
    out.replace(at, n, text);
    return ObjectKey{out};
  };
  ASSERT_TRUE(store::parse_xorb_key({good}).has_value());
  for (const auto& bad :
       {ObjectKey{""}, ObjectKey{"x"}, ObjectKey{"x/ab/"}, ObjectKey{"x/ab/notes.txt"}, with(0, 1, "m"),
        with(2, 2, "zz"), with(5, 1, "g"), with(good.size() - 3, 3, ""), with(good.size() - 2, 2, ""),
        with(good.size() - 2, 0, "0"), with(good.size() - 2, 0, "+"), with(good.size(), 0, " "),
        with(good.size() - 2, 2, "4294967296"), with(good.size() - 2, 2, "-1"), with(0, 0, "./")}) {
    EXPECT_FALSE(store::parse_xorb_key(bad).has_value()) << bad.path;
  }
  const std::string shard = store::shard_key(ShardHash(random_hash(1))).path;
  EXPECT_FALSE(store::parse_shard_key({shard + ".0"}).has_value());
  EXPECT_FALSE(store::parse_shard_key({shard.substr(0, 40)}).has_value());
}

}  // namespace
}  // namespace xet::testing

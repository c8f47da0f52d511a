#include "hash/sha256.h"

#include <gtest/gtest.h>

#include "support/generators.h"

namespace xet::hash {
namespace {

TEST(Sha256, PrintsTheOrdinaryHex) {
  EXPECT_EQ(sha256({}).hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256(as_byte_span("some data")).hex(),
            "1307990e6ba5ca145eb35e99182a9bec46531bc54ddf656a602c780fa0240dee");
  EXPECT_EQ(sha256(as_byte_span("abc")).hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256, RawFormHasEachGroupOfEightBytesReversed) {
  const auto digest = sha256(as_byte_span("abc"));  // ba7816bf 8f01cfea …
  EXPECT_EQ(digest.raw()[0], std::byte{0xea});
  EXPECT_EQ(digest.raw()[7], std::byte{0xba});
  EXPECT_EQ(digest.word(0), 0xba7816bf8f01cfeaU);
}

TEST(Sha256, EqualsTheWholeForEverySplit) {
  const auto data = testing::random_bytes(10000, 5);
  const auto expected = sha256(data);
  for (const size_t step : {1, 55, 56, 63, 64, 65, 4096, 10000}) {
    Sha256 hasher;
    for (size_t at = 0; at < data.size(); at += step) {
      hasher.update(ByteSpan(data).subspan(at, std::min(step, data.size() - at)));
      hasher.update({});
    }
    Sha256 moved = std::move(hasher);
    EXPECT_EQ(moved.finish(), expected) << step;
  }
}

}  // namespace
}  // namespace xet::hash

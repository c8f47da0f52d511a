#include "base/bytes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "support/generators.h"
#include "support/matchers.h"

namespace xet {
namespace {

using testing::FailsWith;

ByteVector bytes_of(std::initializer_list<int> values) {
  ByteVector out;
  for (const int value : values) out.push_back(static_cast<std::byte>(value));
  return out;
}

TEST(ByteReader, ReadsLittleEndianNumbersInOrder) {
  const auto data = bytes_of({0x01, 0x34, 0x12, 0x78, 0x56, 0x34, 0x12, 8, 7, 6, 5, 4, 3, 2, 0xff});
  ByteReader in(data);
  EXPECT_EQ(in.le<uint8_t>().value(), 1U);
  EXPECT_EQ(in.le<uint16_t>().value(), 0x1234U);
  EXPECT_EQ(in.le<uint32_t>().value(), 0x12345678U);
  EXPECT_EQ(in.offset(), 7U);
  EXPECT_EQ(in.remaining(), 8U);
  EXPECT_FALSE(in.at_end());
  EXPECT_EQ(in.le<uint64_t>().value(), 0xff02030405060708U);
  EXPECT_TRUE(in.at_end());
  EXPECT_EQ(in.offset(), 15U);
}

TEST(ByteReader, TakesViewsIntoItsInput) {
  const auto data = bytes_of({1, 2, 3, 4});
  ByteReader in(data);
  const auto first = in.take(3);
  ASSERT_THAT(first, testing::IsOk());
  EXPECT_EQ(first->data(), data.data());
  EXPECT_EQ(first->size(), 3U);
  EXPECT_THAT(in.take(0), testing::IsOk());
  EXPECT_EQ(in.take(1).value()[0], std::byte{4});
  EXPECT_THAT(in.take(0), testing::IsOk()) << "nothing is always there";
}

TEST(ByteReader, RefusesToReadPastTheEndAndStaysWhereItWas) {
  const auto data = bytes_of({1, 2, 3, 4, 5});
  ByteReader in(data);
  ASSERT_THAT(in.take(2), testing::IsOk());
  EXPECT_THAT(in.take(4), FailsWith(ErrorCode::kCorruption, "offset 2: 4 bytes wanted, 3 left"));
  EXPECT_THAT(in.take(std::numeric_limits<size_t>::max()), FailsWith(ErrorCode::kCorruption));
  EXPECT_THAT(in.le<uint32_t>(), FailsWith(ErrorCode::kCorruption));
  EXPECT_THAT(in.le<uint64_t>(), FailsWith(ErrorCode::kCorruption));
  EXPECT_THAT(in.hash<ChunkHash>(), FailsWith(ErrorCode::kCorruption));
  EXPECT_EQ(in.offset(), 2U);
  EXPECT_EQ(in.le<uint16_t>().value(), 0x0403U);
}

TEST(ByteReader, OfNothingHasNothing) {
  ByteReader in({});
  EXPECT_TRUE(in.at_end());
  EXPECT_THAT(in.le<uint8_t>(), FailsWith(ErrorCode::kCorruption));
}

TEST(Append, IsTheCounterpartOfByteReader) {
  ByteVector out;
  append_le<uint8_t>(out, 0xab);
  append_le<uint16_t>(out, 0x1234);
  append_le<uint32_t>(out, 0xdeadbeef);
  append_le<uint64_t>(out, 0x0102030405060708);
  const auto hash = testing::random_hash(5);
  append_hash(out, hash);
  append_bytes(out, as_byte_span("end"));
  ASSERT_EQ(out.size(), 15U + 32 + 3);
  EXPECT_EQ(out[1], std::byte{0x34}) << "low byte first";

  ByteReader in(out);
  EXPECT_EQ(in.le<uint8_t>().value(), 0xabU);
  EXPECT_EQ(in.le<uint16_t>().value(), 0x1234U);
  EXPECT_EQ(in.le<uint32_t>().value(), 0xdeadbeefU);
  EXPECT_EQ(in.le<uint64_t>().value(), 0x0102030405060708U);
  EXPECT_EQ(in.hash<NodeHash>().value(), hash);
  EXPECT_EQ(as_chars(in.take(3).value()), "end");
}

TEST(HashOrder, SortsAsTheStringsDo) {
  std::vector<NodeHash> hashes;
  for (uint64_t seed = 0; seed < 200; ++seed) hashes.push_back(testing::random_hash(seed));
  std::sort(hashes.begin(), hashes.end());
  EXPECT_TRUE(std::is_sorted(hashes.begin(), hashes.end(),
                             [](const auto& a, const auto& b) { return a.hex() < b.hex(); }));
}

}  // namespace
}  // namespace xet

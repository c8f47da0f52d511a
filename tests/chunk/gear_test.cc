#include "chunk/gear.h"

#include <gtest/gtest.h>

#include "chunk/reference.h"
#include "hash/sha256.h"

namespace xet::chunk {
namespace {

using testing::dense_bytes;
using testing::random_bytes;
using testing::reference_triggers;

TEST(GearTable, HasThePublishedDigest) {
  ByteVector bytes;
  for (const uint64_t value : gear_table()) append_le(bytes, value);
  EXPECT_EQ(hash::sha256(bytes).hex(), "e1d3936666d7ae7a977c958e9afcc75f90aaca758ce5fbe4ece61dffefe1912c");
  EXPECT_EQ(gear_table()[0], 0xb088d3a9e840f559U);
}

TEST(GearHash, GivesThePublishedValues) {
  ByteVector counting;
  for (int i = 0; i < 256; ++i) counting.push_back(static_cast<std::byte>(i));
  EXPECT_EQ(gear_hash(as_byte_span("Hello World!")), 0x1023f8a80732598fU);
  EXPECT_EQ(gear_hash(counting), 0xd5bc3856d8dfcdebU);
  EXPECT_EQ(gear_hash(ByteVector(64)), 0x4f772c5617bf0aa7U);
  EXPECT_EQ(gear_hash(ByteVector(1000)), 0x4f772c5617bf0aa7U);
  EXPECT_EQ(gear_hash(ByteVector(64, std::byte{59})), 0x37f82d2c79424202U);
}

TEST(FirstTrigger, StopsAtTheFirstInItsRangeAndNotBefore) {
  const auto data = testing::zeros_with_triggers(5000, {1000, 2000});
  EXPECT_EQ(first_trigger(data, 64, 5000), 1000U);
  EXPECT_EQ(first_trigger(data, 1000, 5000), 1000U);
  EXPECT_EQ(first_trigger(data, 1001, 5000), 2000U);
  EXPECT_EQ(first_trigger(data, 1001, 2000), 2000U);
  EXPECT_EQ(first_trigger(data, 1001, 1999), 2000U) << "none: to + 1";
  EXPECT_EQ(first_trigger(data, 2001, 5000), 5001U);
}

TEST(ScanKernels, EndWithAPortableOneAndTheBestIsTheFirstSupported) {
  ASSERT_FALSE(scan_kernels().empty());
  EXPECT_TRUE(scan_kernels().back().supported());
  const auto& kernels = scan_kernels();
  const auto first =
      std::find_if(kernels.begin(), kernels.end(), [](const auto& k) { return k.supported(); });
  EXPECT_EQ(best_scan_kernel().name, first->name);
}

class EveryScanKernel : public ::testing::TestWithParam<size_t> {
 protected:
  void SetUp() override {
    if (!kernel().supported()) GTEST_SKIP() << kernel().name << " needs another CPU";
  }
  const ScanKernel& kernel() const { return scan_kernels()[GetParam()]; }
  std::vector<uint32_t> scan(ByteSpan bytes, size_t context = 0) const {
    std::vector<uint32_t> out;
    EXPECT_TRUE(kernel().scan(bytes, context, bytes.size(), out));
    return out;
  }
};
INSTANTIATE_TEST_SUITE_P(All, EveryScanKernel, ::testing::Range(size_t{0}, scan_kernels().size()),
                         [](const auto& param) { return std::string(scan_kernels()[param.param].name); });

TEST_P(EveryScanKernel, FindsThePublishedTriggers) {
  EXPECT_EQ(scan(random_bytes(1000000, 0)),
            (std::vector<uint32_t>{84493, 134421, 144853, 243318, 271793, 336457, 494581, 582000, 596735,
                                   616815, 653164, 678202, 724510, 815591, 827760, 961364, 991092}));
}

TEST_P(EveryScanKernel, FindsNoneInConstantData) {
  for (int value = 0; value < 256; ++value) {
    EXPECT_EQ(scan(ByteVector(100000, static_cast<std::byte>(value))), std::vector<uint32_t>{}) << value;
  }
}

TEST_P(EveryScanKernel, FindsWhatTheDefinitionSays) {
  for (const size_t n : {69000, 69951, 69952, 70000, 139903, 139904, 140000, 500000}) {
    const auto data = random_bytes(n, n);
    EXPECT_EQ(scan(data), reference_triggers(data)) << n;
  }
  for (const size_t n : {64, 65, 66, 67, 68, 1000, 75000}) {
    const auto data = dense_bytes(n);
    EXPECT_EQ(scan(data), reference_triggers(data)) << n;
  }
  for (const size_t pad : {0, 1, 100}) {
    const auto data = testing::padded_pattern(pad);
    EXPECT_EQ(scan(data), reference_triggers(data)) << pad;
  }
}

TEST_P(EveryScanKernel, HasNoTriggerBeforeAFullWindow) {
  const auto data = dense_bytes(70);
  for (size_t n = 0; n <= data.size(); ++n) {
    const auto some = ByteSpan(data).first(n);
    EXPECT_EQ(scan(some), reference_triggers(some)) << n;
  }
}

TEST_P(EveryScanKernel, CountsPositionsFromTheSegmentForAnyContext) {
  const auto data = dense_bytes(80000);
  const auto all = reference_triggers(data);
  for (const size_t n : {size_t{200}, data.size()}) {
    for (size_t context = 0; context <= kMaxContext; ++context) {
      std::vector<uint32_t> expected;
      for (const uint32_t e : all) {
        if (e <= n) expected.push_back(static_cast<uint32_t>(e - context));
      }
      EXPECT_EQ(scan(ByteSpan(data).first(n), context), expected) << n << " bytes, context " << context;
    }
  }
}

TEST_P(EveryScanKernel, GivesUpBeyondTheLimitAndLeavesNothingBehind) {
  const auto data = dense_bytes(200000);
  const size_t n = reference_triggers(data).size();
  for (const size_t limit : {size_t{0}, size_t{1}, size_t{100}, size_t{30000}, n - 1}) {
    std::vector<uint32_t> out = {7};
    EXPECT_FALSE(kernel().scan(data, 0, limit, out)) << limit;
    EXPECT_EQ(out, std::vector<uint32_t>{7});
    EXPECT_LE(out.capacity(), 2 * limit + 4) << "memory stays within what the limit allows";
  }
  std::vector<uint32_t> out = {7};
  EXPECT_TRUE(kernel().scan(data, 0, n, out));
  EXPECT_EQ(out.size(), n + 1);
  EXPECT_EQ(out[0], 7U) << "appends";
}

TEST_P(EveryScanKernel, FindCandidatesMarksDenseInput) {
  const auto dense = find_candidates(dense_bytes(100000), 0, kernel());
  EXPECT_TRUE(dense.dense);
  EXPECT_TRUE(dense.positions.empty());
  const auto data = random_bytes(1000000, 0);
  const auto found = find_candidates(ByteSpan(data).subspan(84430), 63, kernel());
  EXPECT_FALSE(found.dense);
  EXPECT_EQ(found.positions.size(), 16U);
  EXPECT_EQ(found.positions[0], 134421U - 84493U);
}

}  // namespace
}  // namespace xet::chunk

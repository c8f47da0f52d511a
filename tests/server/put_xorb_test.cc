#include <gtest/gtest.h>

#include "format/xorb_footer.h"
#include "server/sample_store.h"
#include "server/store/object_key.h"
#include "support/generators.h"
#include "support/matchers.h"
#include "support/temp_dir.h"

namespace xet::testing {
namespace {

/// A fresh store; at the end of a refusal it must hold nothing.
class PutXorb : public ::testing::Test {
 protected:
  void expect_nothing_stored(const XorbHash& name) {
    EXPECT_TRUE(objects_in(dir_.path()).empty());
    EXPECT_FALSE(*store_.xorb_exists(name));
  }
  Result<cas::PutXorbOutcome> put(const XorbHash& name, ByteSpan body) {
    return store_.put_xorb({.hash = name, .pieces = {body}, .size_bytes = body.size()});
  }

  const TempDir dir_;
  const std::unique_ptr<cas::Cas> cas_ = open_store(dir_.path());
  Store store_{*cas_};
  const SampleXorb xorb_ = make_xorb(12, 7);
};

TEST_F(PutXorb, TakesPiecesOfAnySplit) {
  SplitMix64 random(3);
  for (int round = 0; round < 20; ++round) {
    const auto xorb = make_xorb(9, 100 + static_cast<uint64_t>(round));
    cas::XorbBody body{.hash = xorb.hash, .pieces = {}, .size_bytes = xorb.body.size()};
    ByteSpan rest(xorb.body);
    while (!rest.empty()) {
      const size_t n = std::min<size_t>(rest.size(), random.below(round == 0 ? 2 : 700));  // empty pieces too
      body.pieces.push_back(rest.first(n));
      rest = rest.subspan(n);
    }
    ASSERT_THAT(store_.put_xorb(std::move(body)), IsOk());
    EXPECT_EQ(*store_.fetch(xorb.hash, {.chunks = {0, 9}, .bytes = {0, xorb.body.size()}}), xorb.body);
  }
}

TEST_F(PutXorb, SaysWhenItHadTheXorbAndWritesNothing) {
  ASSERT_THAT(store_.put_xorb(xorb_), IsOk());
  const auto before = objects_in(dir_.path());
  const auto again = store_.put_xorb(xorb_);
  ASSERT_THAT(again, IsOk());
  EXPECT_FALSE(again->was_inserted);
  EXPECT_EQ(again->sent_bytes, 0U);
  EXPECT_EQ(objects_in(dir_.path()), before);
}

TEST_F(PutXorb, VerifiesAKnownXorbAllTheSame) {
  ASSERT_THAT(store_.put_xorb(xorb_), IsOk());
  auto body = xorb_.body;
  body.pop_back();
  EXPECT_THAT(put(xorb_.hash, body), FailsWith(ErrorCode::kCorruption));
  EXPECT_THAT(put(xorb_.hash, make_xorb(3, 8).body), FailsWith(ErrorCode::kCorruption));
}

TEST_F(PutXorb, KeepsTheFirstPackedForm) {
  // Stored chunks instead of packed ones: other bytes, same chunks, same hash.
  ByteVector stored;
  for (const auto& chunk : xorb_.chunks) {
    append_bytes(stored, format::ChunkHeader{.scheme = codec::Scheme::kNone,
                                             .packed_len = static_cast<uint32_t>(chunk.size()),
                                             .unpacked_len = static_cast<uint32_t>(chunk.size())}
                             .encode());
    append_bytes(stored, chunk);
  }
  ASSERT_NE(stored, xorb_.body);
  ASSERT_THAT(put(xorb_.hash, stored), IsOk());
  ASSERT_THAT(store_.put_xorb(xorb_), IsOk());
  EXPECT_EQ(*store_.fetch(xorb_.hash, {.chunks = {0, 12}, .bytes = {0, stored.size()}}), stored);
}

TEST_F(PutXorb, DropsAFooterThatFollowsAndWritesItsOwn) {
  format::XorbFooterBuilder builder;
  ByteReader in(xorb_.body);
  for (const auto& hash : xorb_.chunk_hashes) {
    const auto header = format::ChunkHeader::parse(
        in.take(format::ChunkHeader::kEncodedSize)->first<format::ChunkHeader::kEncodedSize>());
    ASSERT_THAT(builder.add(hash, header->packed_len, header->unpacked_len), IsOk());
    ASSERT_THAT(in.take(header->packed_len), IsOk());
  }
  auto with_footer = xorb_.body;
  builder.finish().append_to(with_footer);
  ASSERT_THAT(put(xorb_.hash, with_footer), IsOk());
  EXPECT_EQ(read_bytes(dir_ / store::xorb_key(xorb_.hash, 0).path), with_footer);

  auto wrong = with_footer;
  wrong[xorb_.body.size() + 60] ^= std::byte{1};  // a chunk hash in the footer
  EXPECT_THAT(put(xorb_.hash, wrong), FailsWith(ErrorCode::kCorruption));
}

TEST_F(PutXorb, RefusesAnotherName) {
  const XorbHash wrong(random_hash(5));
  EXPECT_THAT(put(wrong, xorb_.body), FailsWith(ErrorCode::kCorruption, wrong.hex()));
  expect_nothing_stored(wrong);
}

TEST_F(PutXorb, RefusesTheEmptyBody) {
  EXPECT_THAT(put(XorbHash{}, {}), FailsWith(ErrorCode::kCorruption, "no chunk"));
  EXPECT_THAT(put(xorb_.hash, {}), FailsWith(ErrorCode::kCorruption));
  expect_nothing_stored(xorb_.hash);
}

TEST_F(PutXorb, RefusesEveryTruncation) {
  const auto small = make_xorb(3, 9, 20, 60);
  for (size_t n = 0; n < small.body.size(); ++n) {
    EXPECT_THAT(put(small.hash, ByteSpan(small.body).first(n)), FailsWith(ErrorCode::kCorruption)) << n;
  }
  expect_nothing_stored(small.hash);
}

TEST_F(PutXorb, RefusesEveryFlippedByte) {
  const auto small = make_xorb(3, 9, 20, 60);
  for (size_t i = 0; i < small.body.size(); ++i) {
    auto body = small.body;
    body[i] ^= std::byte{0x40};
    EXPECT_THAT(put(small.hash, body), FailsWith(ErrorCode::kCorruption)) << i;
  }
  expect_nothing_stored(small.hash);
}

TEST_F(PutXorb, RefusesForeignBytes) {
  EXPECT_THAT(put(xorb_.hash, random_bytes(100'000, 1)), FailsWith(ErrorCode::kCorruption));
  EXPECT_THAT(put(xorb_.hash, ByteVector(100'000)), FailsWith(ErrorCode::kCorruption));
  auto trailing = xorb_.body;
  append_bytes(trailing, as_byte_span("trailing"));
  EXPECT_THAT(put(xorb_.hash, trailing), FailsWith(ErrorCode::kCorruption));
  expect_nothing_stored(xorb_.hash);
}

TEST_F(PutXorb, RefusesTooManyChunks) {
  std::vector<ByteVector> chunks(format::kMaxXorbChunks + 1, ByteVector(1));
  const auto xorb = pack_xorb(std::move(chunks));
  EXPECT_THAT(store_.put_xorb(xorb), FailsWith(ErrorCode::kCorruption));
  expect_nothing_stored(xorb.hash);
}

TEST_F(PutXorb, TakesTheLargestXorbAndRefusesALargerOne) {
  // Zeros compress: the limit is one of unpacked bytes.
  std::vector<ByteVector> chunks(format::kMaxXorbBytes / format::kMaxChunkBytes,
                                 ByteVector(format::kMaxChunkBytes));
  const auto full = pack_xorb(chunks);
  EXPECT_THAT(store_.put_xorb(full), IsOk());
  chunks.emplace_back(1);
  const auto over = pack_xorb(std::move(chunks));
  EXPECT_THAT(store_.put_xorb(over), FailsWith(ErrorCode::kCorruption));
  EXPECT_FALSE(*store_.xorb_exists(over.hash));
}

TEST_F(PutXorb, AdoptsACompleteObjectThatACrashLeft) {
  ASSERT_THAT(store_.put_xorb(xorb_), IsOk());
  const auto path = store::xorb_key(xorb_.hash, 0).path;
  const TempDir other;
  const auto cas = open_store(other.path());
  std::filesystem::create_directories((other / path).parent_path());
  std::filesystem::copy_file(dir_ / path, other / path);
  Store store(*cas);
  EXPECT_FALSE(*store.xorb_exists(xorb_.hash));
  const auto put = store.put_xorb(xorb_);
  ASSERT_THAT(put, IsOk());
  EXPECT_TRUE(put->was_inserted);
  EXPECT_EQ(objects_in(other.path()), std::vector{path});
  EXPECT_EQ(*store.fetch(xorb_.hash, {.chunks = {0, 12}, .bytes = {0, xorb_.body.size()}}), xorb_.body);
}

TEST_F(PutXorb, StepsOverADamagedObjectUnderItsName) {
  const auto path = store::xorb_key(xorb_.hash, 0).path;
  std::filesystem::create_directories((dir_ / path).parent_path());
  write_bytes(dir_ / path, random_bytes(5000, 3));
  ASSERT_THAT(store_.put_xorb(xorb_), IsOk());
  EXPECT_EQ(objects_in(dir_.path()), (std::vector{path, store::xorb_key(xorb_.hash, 1).path}));
  EXPECT_EQ(*store_.fetch(xorb_.hash, {.chunks = {0, 12}, .bytes = {0, xorb_.body.size()}}), xorb_.body);
}

}  // namespace
}  // namespace xet::testing

// What an upload holds at most, counted in the allocator.

#include <gtest/gtest.h>

#include "format/xorb.h"
#include "format/xorb_footer.h"
#include "hash/blake3.h"
#include "hash/tree.h"
#include "server/service.h"
#include "support/counted_new.h"
#include "support/generators.h"
#include "support/matchers.h"
#include "support/temp_dir.h"

namespace xet::testing {
namespace {

constexpr size_t kMost = 1 << 20;
// What the store keeps for all uploads together: a connection's prepared statements and the like.
constexpr size_t kShared = 64 * 1024;

/// The most that is held between begin and the end of finish(), beyond what was held before.
size_t most_held(core::CasService& service, const XorbHash& name, ByteSpan body, size_t piece,
                 bool expected) {
  const size_t before = bytes_held();
  restart_most_held();
  {
    const auto upload = service.begin_xorb(kOwner, name, {});
    EXPECT_THAT(upload, IsOk());
    for (ByteSpan rest = body; !rest.empty();) {
      const ByteSpan next = rest.first(std::min(piece, rest.size()));
      EXPECT_THAT((*upload)->feed(next), IsOk());
      rest = rest.subspan(next.size());
    }
    const auto is_new = (*upload)->finish();
    EXPECT_THAT(is_new, IsOk());
    EXPECT_EQ(is_new.value_or(!expected), expected);
  }
  EXPECT_LT(bytes_held() - before, kShared);
  return most_bytes_held() - before;
}

/// A store whose connections are open already.
struct Warm {
  TempDir dir;
  Service service{dir.path()};
  Warm() { (void)service.put_xorb(kOwner, make_xorb(2, 99)); }
};

struct Case {
  const char* name;
  size_t n_chunks;
  size_t chunk_len;
  codec::Scheme scheme;
};
void PrintTo(const Case& each, std::ostream* out) {
  *out << each.name;
}

class UploadMemory : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    codec::Codec codec;
    format::XorbFooterBuilder builder;
    ByteVector packed(format::max_encoded_chunk(GetParam().chunk_len));
    for (size_t i = 0; i < GetParam().n_chunks; ++i) {
      auto chunk = bf16_bytes(GetParam().chunk_len, i);
      const size_t n = format::encode_chunk(chunk, GetParam().scheme, codec, packed);
      append_bytes(body_, ByteSpan(packed).first(n));
      ASSERT_THAT(
          builder.add(hash::chunk_hash(chunk), static_cast<uint32_t>(n - format::ChunkHeader::kEncodedSize),
                      static_cast<uint32_t>(chunk.size())),
          IsOk());
    }
    auto footer = builder.finish();
    name_ = footer.hash;
    object_ = body_;
    footer.append_to(object_);
  }

  XorbHash name_;
  ByteVector body_;
  ByteVector object_;
};

TEST_P(UploadMemory, StaysBelowOneMebibyte) {
  for (const size_t piece : {size_t{1000}, size_t{64} << 10, size_t{512} << 10, object_.size()}) {
    SCOPED_TRACE(piece);
    {
      Warm warm;
      EXPECT_LE(most_held(*warm.service, name_, body_, piece, true), kMost);
      EXPECT_LE(most_held(*warm.service, name_, body_, piece, false), kMost);
    }
    Warm warm;
    EXPECT_LE(most_held(*warm.service, name_, object_, piece, true), kMost);  // with a footer
  }
}

TEST_P(UploadMemory, StaysBelowItWhenAnObjectHasToBeVerifiedFirst) {
  Warm warm;
  const auto path = warm.dir / store::xorb_key(name_, 0).path;
  std::filesystem::create_directories(path.parent_path());
  write_bytes(path, object_);
  EXPECT_LE(most_held(*warm.service, name_, body_, 64 << 10, true), kMost);
}

INSTANTIATE_TEST_SUITE_P(
    Xorbs, UploadMemory,
    ::testing::Values(Case{"most_chunks", format::kMaxXorbChunks, 300, codec::Scheme::kNone},
                      Case{"most_chunks_packed", format::kMaxXorbChunks, 8192, codec::Scheme::kLz4},
                      Case{"largest_chunks", 64, format::kMaxChunkBytes, codec::Scheme::kBg4Lz4},
                      Case{"largest_stored", 64, format::kMaxChunkBytes, codec::Scheme::kNone}),
    [](const auto& each) { return std::string(each.param.name); });

/// Payloads twice as long as their chunks are allowed, and only an enemy makes them.
TEST(UploadMemoryOfAnEnemy, StaysBelowOneMebibyteToo) {
  codec::Codec codec;
  ByteVector body;
  format::XorbFooterBuilder builder;
  const auto add = [&](size_t chunk_len, size_t frame_len, uint64_t seed, codec::Scheme scheme) {
    const auto chunk = bf16_bytes(chunk_len, seed);
    ByteVector packed(format::max_encoded_chunk(chunk_len));
    packed.resize(format::encode_chunk(chunk, scheme, codec, packed));
    ByteVector payload(packed.begin() + format::ChunkHeader::kEncodedSize, packed.end());
    const auto header =
        *format::ChunkHeader::parse(ByteSpan(packed).first<format::ChunkHeader::kEncodedSize>());
    if (header.scheme != codec::Scheme::kNone) payload.resize(std::max(payload.size(), frame_len));
    append_bytes(body, format::ChunkHeader{.scheme = header.scheme,
                                           .packed_len = static_cast<uint32_t>(payload.size()),
                                           .unpacked_len = static_cast<uint32_t>(chunk_len)}
                           .encode());
    append_bytes(body, payload);
    ASSERT_THAT(builder.add(hash::chunk_hash(chunk), static_cast<uint32_t>(payload.size()),
                            static_cast<uint32_t>(chunk_len)),
                IsOk());
  };
  // Padded to the longest payload before and after the lists of chunks have to grow for the last time.
  add(format::kMaxChunkBytes, 0, 1, codec::Scheme::kBg4Lz4);
  add(format::kMaxChunkBytes, format::kMaxPackedChunkBytes, 2, codec::Scheme::kBg4Lz4);
  for (size_t i = 0; i < 4093; ++i) add(16, 0, i, codec::Scheme::kNone);
  add(format::kMaxChunkBytes, format::kMaxPackedChunkBytes, 3, codec::Scheme::kLz4);
  add(format::kMaxChunkBytes, format::kMaxPackedChunkBytes, 4, codec::Scheme::kLz4);
  while (builder.chunk_count() < format::kMaxXorbChunks)
    add(16, 0, builder.chunk_count(), codec::Scheme::kNone);
  Warm warm;
  const XorbHash name = builder.finish().hash;
  EXPECT_LE(most_held(*warm.service, name, body, 100'000, true), kMost);
}

}  // namespace
}  // namespace xet::testing

#include <gtest/gtest.h>

#include <algorithm>
#include <stop_token>

#include "format/xorb_footer.h"
#include "server/service.h"
#include "server/store/object_key.h"
#include "server/store/sqlite.h"
#include "support/generators.h"
#include "support/matchers.h"
#include "support/temp_dir.h"

namespace xet::testing {
namespace {

format::XorbFooter footer_of(const SampleXorb& xorb) {
  format::XorbFooterBuilder builder;
  ByteReader in(xorb.body);
  for (const auto& hash : xorb.chunk_hashes) {
    const auto bytes = *in.take(format::ChunkHeader::kEncodedSize);
    const auto header = *format::ChunkHeader::parse(bytes.first<format::ChunkHeader::kEncodedSize>());
    (void)builder.add(hash, header.packed_len, header.unpacked_len);
    (void)in.take(header.packed_len);
  }
  return builder.finish();
}

class XorbUploadTest : public ::testing::Test {
 protected:
  std::unique_ptr<core::XorbUpload> begin(const XorbHash& name, std::stop_token stop = {}) {
    return service_->begin_xorb(kOwner, name, std::move(stop)).value();
  }
  /// Feeds in pieces of `next()` bytes.
  template <class Next>
  Result<bool> put(const XorbHash& name, ByteSpan body, Next next) {
    const auto upload = begin(name);
    while (!body.empty()) {
      const ByteSpan piece = body.first(std::min<size_t>(body.size(), next()));
      body = body.subspan(piece.size());
      // A copy that is gone afterwards: nothing of a piece may be needed later.
      const ByteVector copy(piece.begin(), piece.end());
      XET_TRY_STATUS(upload->feed(copy));
    }
    return upload->finish();
  }
  Status execute(const char* sql) {
    XET_TRY(auto connection, store::sqlite::Connection::open(
                                 dir_ / "meta.sqlite", {.health = std::make_shared<store::SyncHealth>()}));
    return connection->execute(sql);
  }
  std::string key(uint32_t generation) const { return store::xorb_key(xorb_.hash, generation).path; }

  const TempDir dir_;
  Service service_{dir_.path()};
  const SampleXorb xorb_ = make_xorb(12, 7);
  const ByteVector object_ = [this] {
    ByteVector out = xorb_.body;
    footer_of(xorb_).append_to(out);
    return out;
  }();
};

TEST_F(XorbUploadTest, AnySplitStoresTheSameObject) {
  SplitMix64 random(5);
  for (int round = 0; round < 40; ++round) {
    const bool with_footer = round % 2 == 1;
    const size_t max_piece = round < 2 ? 1 : 1 + random.below(round < 20 ? 300 : 20'000);
    const TempDir dir;
    Service service(dir.path());
    const auto upload = service->begin_xorb(kOwner, xorb_.hash, {}).value();
    for (ByteSpan rest(with_footer ? object_ : xorb_.body); !rest.empty();) {
      const ByteSpan piece = rest.first(std::min<size_t>(rest.size(), random.below(max_piece) + 1));
      rest = rest.subspan(piece.size());
      const ByteVector copy(piece.begin(), piece.end());
      ASSERT_THAT(upload->feed(copy), IsOk());
    }
    const auto is_new = upload->finish();
    ASSERT_THAT(is_new, IsOk()) << max_piece;
    EXPECT_TRUE(*is_new);
    EXPECT_TRUE(read_bytes(dir / key(0)) == object_) << max_piece << with_footer;
    EXPECT_EQ(objects_in(dir.path()), std::vector{key(0)});
  }
}

TEST_F(XorbUploadTest, EmptyPiecesAreNothing) {
  const auto upload = begin(xorb_.hash);
  ASSERT_THAT(upload->feed({}), IsOk());
  ASSERT_THAT(upload->feed(xorb_.body), IsOk());
  ASSERT_THAT(upload->feed({}), IsOk());
  EXPECT_TRUE(*upload->finish());
  EXPECT_TRUE(read_bytes(dir_ / key(0)) == object_);
}

TEST_F(XorbUploadTest, AnUploadThatEndsInTheMiddleLeavesNothing) {
  for (const size_t n : {size_t{0}, size_t{1}, xorb_.body.size() / 2, xorb_.body.size()}) {
    const auto upload = begin(xorb_.hash);
    ASSERT_THAT(upload->feed(ByteSpan(xorb_.body).first(n)), IsOk());
  }
  EXPECT_TRUE(objects_in(dir_.path()).empty());
  EXPECT_FALSE(*service_->xorb_exists(xorb_.hash));
}

TEST_F(XorbUploadTest, SaysWhereABadChunkIsAsSoonAsItIsComplete) {
  auto body = xorb_.body;
  body[3] ^= std::byte{0x40};  // a length
  const auto upload = begin(xorb_.hash);
  EXPECT_THAT(upload->feed(body), FailsWith(ErrorCode::kCorruption, xorb_.hash.hex()));
}

TEST_F(XorbUploadTest, RefusesAFooterThatSaysSomethingElse) {
  SplitMix64 random(9);
  const size_t end = object_.size();
  for (size_t at = xorb_.body.size() + 8; at < end; at += 1 + random.below(20)) {
    if (at >= end - 20 && at < end - 4) continue;  // room that no hash covers
    auto body = object_;
    body[at] ^= std::byte{1};
    const size_t piece = 1 + random.below(400);
    EXPECT_THAT(put(xorb_.hash, body, [&] { return piece; }), FailsWith(ErrorCode::kCorruption))
        << at - xorb_.body.size();
  }
  for (const size_t n : {end - 1, end - 4, end - 30, xorb_.body.size() + 8}) {
    EXPECT_THAT(put(xorb_.hash, ByteSpan(object_).first(n), [] { return 100; }),
                FailsWith(ErrorCode::kCorruption));
  }
  EXPECT_TRUE(objects_in(dir_.path()).empty());
}

TEST_F(XorbUploadTest, TakesAFooterOfVersion0) {
  auto body = xorb_.body;
  ASSERT_THAT(footer_of(xorb_).write_to(
                  [&](ByteSpan piece) -> Status {
                    append_bytes(body, piece);
                    return {};
                  },
                  0),
              IsOk());
  EXPECT_THAT(put(xorb_.hash, body, [] { return 77; }), IsOk());
  EXPECT_TRUE(read_bytes(dir_ / key(0)) == object_);
}

TEST_F(XorbUploadTest, AStopEndsItAtTheNextPiece) {
  std::stop_source stop;
  const auto upload = begin(xorb_.hash, stop.get_token());
  ASSERT_THAT(upload->feed(ByteSpan(xorb_.body).first(100)), IsOk());
  stop.request_stop();
  EXPECT_THAT(upload->feed(ByteSpan(xorb_.body).subspan(100)), FailsWith(ErrorCode::kCancelled));
  EXPECT_THAT(service_->begin_xorb(kOwner, xorb_.hash, stop.get_token()), FailsWith(ErrorCode::kCancelled));

  std::stop_source late;
  const auto complete = begin(xorb_.hash, late.get_token());
  ASSERT_THAT(complete->feed(xorb_.body), IsOk());
  late.request_stop();
  EXPECT_THAT(complete->finish(), FailsWith(ErrorCode::kCancelled));
  EXPECT_FALSE(*service_->xorb_exists(xorb_.hash));
}

TEST_F(XorbUploadTest, AKnownXorbIsVerifiedAndNotWritten) {
  ASSERT_TRUE(*put(xorb_.hash, xorb_.body, [] { return 1000; }));
  const auto upload = begin(xorb_.hash);
  ASSERT_THAT(upload->feed(xorb_.body), IsOk());
  EXPECT_EQ(objects_in(dir_.path()), std::vector{key(0)});  // no temporary file either
  EXPECT_FALSE(*upload->finish());
  auto wrong = xorb_.body;
  wrong.back() ^= std::byte{1};
  EXPECT_THAT(put(xorb_.hash, wrong, [] { return 1000; }), FailsWith(ErrorCode::kCorruption));
}

TEST_F(XorbUploadTest, OfTwoAtOnceTheFirstToFinishWins) {
  const auto first = begin(xorb_.hash);
  const auto second = begin(xorb_.hash);
  ASSERT_THAT(first->feed(xorb_.body), IsOk());
  ASSERT_THAT(second->feed(xorb_.body), IsOk());
  EXPECT_TRUE(*second->finish());
  EXPECT_FALSE(*first->finish());
  EXPECT_EQ(objects_in(dir_.path()), std::vector{key(0)});
}

TEST_F(XorbUploadTest, ACondemnedXorbLivesAgain) {
  ASSERT_TRUE(*put(xorb_.hash, xorb_.body, [] { return 1000; }));
  ASSERT_THAT(execute("UPDATE xorbs SET state = 1"), IsOk());
  EXPECT_FALSE(*put(xorb_.hash, xorb_.body, [] { return 1000; }));
  EXPECT_EQ(service_->open_xorb(xorb_.hash)->row.state, store::XorbState::kLive);
  EXPECT_EQ(objects_in(dir_.path()), std::vector{key(0)});
}

TEST_F(XorbUploadTest, ACondemnedXorbThatIsDeletedMeanwhileIsStoredAnew) {
  ASSERT_TRUE(*put(xorb_.hash, xorb_.body, [] { return 1000; }));
  ASSERT_THAT(execute("UPDATE xorbs SET state = 1"), IsOk());
  const auto upload = begin(xorb_.hash);
  ASSERT_THAT(upload->feed(xorb_.body), IsOk());
  ASSERT_THAT(execute("UPDATE xorbs SET state = 2"), IsOk());
  EXPECT_TRUE(*upload->finish());
  EXPECT_EQ(service_->open_xorb(xorb_.hash)->row.generation, 1U);
  EXPECT_TRUE(read_bytes(dir_ / key(1)) == object_);
}

TEST_F(XorbUploadTest, PublishesUnderTheNextNameWhenDamagedObjectsAreInTheWay) {
  for (const uint32_t generation : {0U, 1U, 2U}) {
    std::filesystem::create_directories((dir_ / key(0)).parent_path());
    auto damaged = object_;
    damaged[damaged.size() / 2] ^= std::byte{1};
    write_bytes(dir_ / key(generation), generation == 1 ? xorb_.body : damaged);
  }
  EXPECT_TRUE(*put(xorb_.hash, xorb_.body, [] { return 500; }));
  EXPECT_EQ(objects_in(dir_.path()), (std::vector{key(0), key(1), key(2), key(3)}));
  EXPECT_EQ(service_->open_xorb(xorb_.hash)->row.generation, 3U);
  EXPECT_TRUE(read_bytes(dir_ / key(3)) == object_);
}

TEST_F(XorbUploadTest, GivesUpBeforeAWallOfDamagedObjects) {
  std::filesystem::create_directories((dir_ / key(0)).parent_path());
  for (uint32_t generation = 0; generation < 8; ++generation) {
    write_bytes(dir_ / key(generation), random_bytes(100, generation));
  }
  EXPECT_THAT(put(xorb_.hash, xorb_.body, [] { return 500; }), FailsWith(ErrorCode::kCorruption, "damaged"));
}

TEST_F(XorbUploadTest, AdoptsWhatACrashLeftWithoutStoringItTwice) {
  std::filesystem::create_directories((dir_ / key(0)).parent_path());
  write_bytes(dir_ / key(0), object_);
  EXPECT_TRUE(*put(xorb_.hash, xorb_.body, [] { return 500; }));
  EXPECT_EQ(objects_in(dir_.path()), std::vector{key(0)});
}

TEST_F(XorbUploadTest, OpensOneGenerationForSignedUrls) {
  ASSERT_TRUE(*put(xorb_.hash, xorb_.body, [] { return 1000; }));
  const auto open = service_->open_xorb(xorb_.hash, 0);
  ASSERT_THAT(open, IsOk());
  EXPECT_EQ(open->row.packed_bytes(), xorb_.body.size());
  const auto descriptor = open->object->file_descriptor();
  ASSERT_TRUE(descriptor.has_value());
  ByteVector read(object_.size());
  EXPECT_EQ(::pread(*descriptor, read.data(), read.size(), 0), static_cast<ssize_t>(read.size()));
  EXPECT_TRUE(read == object_);

  EXPECT_THAT(service_->open_xorb(xorb_.hash, 1), FailsWith(ErrorCode::kNotFound));
  EXPECT_THAT(service_->open_xorb(XorbHash(random_hash(3)), 0), FailsWith(ErrorCode::kNotFound));
  ASSERT_THAT(execute("UPDATE xorbs SET state = 4"), IsOk());
  EXPECT_THAT(service_->open_xorb(xorb_.hash, 0), FailsWith(ErrorCode::kNotFound));
}

}  // namespace
}  // namespace xet::testing

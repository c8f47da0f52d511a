#include "session/range_receiver.h"

#include <gtest/gtest.h>

#include <optional>

#include "codec/codec.h"
#include "support/generators.h"
#include "support/matchers.h"

namespace xet::session {
namespace {

using namespace testing;

constexpr size_t kBuffer = RangeReceiver::kBufferBytes;

/// A packed range, the receiver under test, and what it told.
class RangeReceiverTest : public ::testing::Test {
 protected:
  RangeReceiverTest() : pool_(budget_, kBuffer, 2, 2) {}

  /// Chunks of these lengths, stored or not.
  void pack(const std::vector<size_t>& lengths) {
    codec::Codec codec;
    ByteVector room(format::max_encoded_chunk(format::kMaxChunkBytes));
    for (const size_t length : lengths) {
      chunks_.push_back(chunks_.size() % 2 == 0 ? random_bytes(length, length) : text_bytes(length, length));
      begins_.push_back(packed_.size());
      append_bytes(packed_, ByteSpan(room).first(format::encode_chunk(chunks_.back(), codec, room)));
    }
  }

  std::shared_ptr<RangeReceiver> receiver(std::optional<cas::FetchRange> range = std::nullopt) {
    const cas::FetchRange all{
        {7, static_cast<uint32_t>(7 + chunks_.size())}, {1000, 1000 + packed_.size()}, {}, {}};
    return RangeReceiver::make(
        xorb_, range.value_or(all), pool_, [this](FramedBlock block) { take(block); },
        [this](Error error) {
          EXPECT_EQ(error_, std::nullopt);
          error_ = std::move(error);
        });
  }

  void take(const FramedBlock& block) {
    EXPECT_EQ(error_, std::nullopt);
    codec::Codec codec;
    ByteVector room(format::kMaxChunkBytes);
    for (const auto& chunk : block.chunks) {
      ASSERT_LT(received_.size(), chunks_.size());
      EXPECT_EQ(chunk.index, 7 + received_.size());
      EXPECT_EQ(chunk.packed_offset, 1000 + begins_[received_.size()]);
      EXPECT_EQ(chunk.unpacked_offset, unpacked_);
      const auto bytes = format::decode_chunk(chunk.header, chunk.payload, codec, room);
      ASSERT_THAT(bytes, IsOk());
      EXPECT_TRUE(std::ranges::equal(*bytes, chunks_[received_.size()]));
      unpacked_ += bytes->size();
      received_.push_back(chunk.index);
    }
  }

  /// Sends in pieces of at most this many bytes.
  static void send(RangeReceiver& to, ByteSpan bytes, size_t piece) {
    while (!bytes.empty()) {
      const auto room = to.room([] {});
      ASSERT_FALSE(room.empty());
      const size_t n = std::min({room.size(), piece, bytes.size()});
      std::copy_n(bytes.begin(), n, room.begin());
      to.filled(n);
      bytes = bytes.subspan(n);
    }
  }

  const XorbHash xorb_{random_hash(1)};
  exec::MemoryBudget budget_{16 * kBuffer};
  exec::BufferPool pool_;
  std::vector<ByteVector> chunks_;
  std::vector<size_t> begins_;
  ByteVector packed_;
  std::vector<uint32_t> received_;
  uint64_t unpacked_ = 0;
  std::optional<Error> error_;
};

TEST_F(RangeReceiverTest, CutsARangeIntoItsChunksHoweverItComes) {
  std::vector<size_t> lengths{1, 131072, 8128, 65536};
  for (size_t i = 0; i < 80; ++i) lengths.push_back(40'000 + i * 1000);  // several buffers, cut inside chunks
  pack(lengths);
  for (const size_t piece : {size_t{999}, size_t{65536}, kBuffer, packed_.size()}) {
    SCOPED_TRACE(piece);
    received_.clear();
    unpacked_ = 0;
    const auto receiver = this->receiver();
    send(*receiver, packed_, piece);
    EXPECT_EQ(received_.size(), chunks_.size());
    EXPECT_THAT(receiver->check_complete(), IsOk());
  }
  EXPECT_EQ(error_, std::nullopt);
}

TEST_F(RangeReceiverTest, TakesAByteAtATime) {
  pack({1, 20, 300, 1});
  send(*receiver(), packed_, 1);
  EXPECT_EQ(received_.size(), 4U);
}

TEST_F(RangeReceiverTest, NoticesThatARangeIsCutOff) {
  pack({1000, 2000, 3000});
  const auto receiver = this->receiver();
  send(*receiver, ByteSpan(packed_).first(packed_.size() - 1), 100);
  EXPECT_THAT(receiver->check_complete(), FailsWith(ErrorCode::kCorruption, xorb_.hex()));
}

TEST_F(RangeReceiverTest, ARangeOfFewerBytesThanItsChunksIsAnError) {
  pack({1000, 2000, 3000});
  send(*receiver(cas::FetchRange{{7, 10}, {1000, 1000 + packed_.size() - 1}, {}, {}}),
       ByteSpan(packed_).first(packed_.size() - 1), 100);
  ASSERT_TRUE(error_);
  EXPECT_EQ(error_->code, ErrorCode::kCorruption);
  EXPECT_NE(error_->message.find("chunk 9"), std::string::npos) << error_->message;
}

TEST_F(RangeReceiverTest, ARangeOfMoreChunksThanWereAskedForIsAnError) {
  pack({1000, 2000, 3000});
  send(*receiver(cas::FetchRange{{7, 9}, {1000, 1000 + packed_.size()}, {}, {}}), packed_, 100);
  ASSERT_TRUE(error_);
  EXPECT_EQ(error_->code, ErrorCode::kCorruption);
}

TEST_F(RangeReceiverTest, ARangeOfFewerChunksThanWereAskedForIsAnError) {
  pack({1000, 2000, 3000});
  send(*receiver(cas::FetchRange{{7, 11}, {1000, 1000 + packed_.size()}, {}, {}}), packed_, 100);
  ASSERT_TRUE(error_);
  EXPECT_EQ(error_->code, ErrorCode::kCorruption);
}

TEST_F(RangeReceiverTest, ABadHeaderIsReportedOnceWithChunkAndOffset) {
  std::vector<size_t> lengths(100, 100'000);
  pack(lengths);
  packed_[begins_[3]] = std::byte{9};  // a version that there is not
  send(*receiver(), packed_, 50'000);
  ASSERT_TRUE(error_);
  EXPECT_EQ(error_->code, ErrorCode::kCorruption);
  EXPECT_NE(error_->message.find("chunk 10 at offset " + std::to_string(1000 + begins_[3])),
            std::string::npos)
      << error_->message;
}

TEST_F(RangeReceiverTest, WaitsForABufferAndGoesOn) {
  pack({1000});
  exec::Buffer first = pool_.try_acquire();
  exec::Buffer second = pool_.try_acquire();
  const auto receiver = this->receiver();
  bool resumed = false;
  EXPECT_TRUE(receiver->room([&] { resumed = true; }).empty());
  EXPECT_FALSE(resumed);
  first = exec::Buffer();
  EXPECT_TRUE(resumed);
  send(*receiver, packed_, 1000);
  EXPECT_EQ(received_.size(), 1U);
}

TEST_F(RangeReceiverTest, MayBeGoneWhenTheBufferComes) {
  pack({1000});
  exec::Buffer first = pool_.try_acquire();
  exec::Buffer second = pool_.try_acquire();
  auto receiver = this->receiver();
  bool resumed = false;
  EXPECT_TRUE(receiver->room([&] { resumed = true; }).empty());
  receiver.reset();  // its fetch was stopped
  first = exec::Buffer();
  EXPECT_TRUE(resumed);
  EXPECT_TRUE(pool_.try_acquire());  // and the buffer is not lost
}

}  // namespace
}  // namespace xet::session

#include <gtest/gtest.h>

#include <future>
#include <optional>
#include <thread>
#include <vector>

#include "libxet/session_support.h"

namespace xet {
namespace {

using namespace std::chrono_literals;
using namespace testing;
using Wait = DownloadStream::Wait;

class StreamGroups : public NothingLeft {
 protected:
  std::shared_ptr<DownloadStreamGroup> open() {
    return session_->new_download_stream_group(in(store_)).value();
  }
  void TearDown() override {
    session_.reset();
    NothingLeft::TearDown();
  }
  const TempDir store_;
  std::shared_ptr<Session> session_ = make_session();
};

TEST_F(StreamGroups, GiveFilesInPieces) {
  const auto content = random_bytes(10 * kMiB, 1);
  const auto file = put_one(*session_, in(store_), content);
  const auto group = open();
  for (const bool knows_size : {true, false}) {
    auto asked = file;
    if (!knows_size) asked.size_bytes.reset();
    const auto stream = group->stream(asked, std::nullopt, std::nullopt).value();
    EXPECT_EQ(stream->progress().total_bytes, knows_size ? content.size() : 0);
    EXPECT_EQ(read_all(*stream).value(), content);
    EXPECT_EQ(stream->progress().total_bytes, content.size());
    EXPECT_EQ(stream->progress().done_bytes, content.size());
    EXPECT_EQ(stream->progress().name, file.hash);
    EXPECT_EQ(read_all(*stream).value(), ByteVector()) << "the end stays";
  }
}

TEST_F(StreamGroups, GiveRanges) {
  const auto content = random_bytes(300'000, 2);
  const auto file = put_one(*session_, in(store_), content);
  const auto group = open();
  using Place = std::optional<uint64_t>;
  const uint64_t size = content.size();
  for (const Place begin : {Place(), Place(0), Place(1), Place(150'000), Place(size - 1)}) {
    for (const Place end :
         {Place(), Place(size), Place(size + 1), Place(UINT64_MAX), Place(size - 1), Place(1), Place(0)}) {
      for (const bool knows_size : {true, false}) {
        SCOPED_TRACE(::testing::Message()
                     << begin.value_or(7777777) << " " << end.value_or(7777777) << knows_size);
        auto asked = file;
        if (!knows_size) asked.size_bytes.reset();
        const auto stream = group->stream(asked, begin, end);
        const uint64_t from = begin.value_or(0);
        if (end && from > *end) {
          EXPECT_THAT(stream, FailsWith(ErrorCode::kInvalidArgument, "start"));
          continue;
        }
        const uint64_t to = std::min(end.value_or(size), size);
        ASSERT_THAT(stream, IsOk());
        const ByteSpan expected = ByteSpan(content).subspan(from, to - from);
        EXPECT_EQ(read_all(**stream).value(), ByteVector(expected.begin(), expected.end()));
        EXPECT_EQ((*stream)->progress().total_bytes, to - from);
        EXPECT_EQ((*stream)->progress().done_bytes, to - from);
      }
    }
  }
}

TEST_F(StreamGroups, RefuseWhatIsNoRange) {
  const auto file = put_one(*session_, in(store_), random_bytes(100, 3));
  const auto group = open();
  EXPECT_THAT(group->stream(file, 2, 1), FailsWith(ErrorCode::kInvalidArgument, "start (2) > end (1)"));
  EXPECT_THAT(group->stream(file, 100, {}),
              FailsWith(ErrorCode::kInvalidArgument, "at or beyond the file size (100)"));
  EXPECT_THAT(group->stream(file, 101, 200), FailsWith(ErrorCode::kInvalidArgument));
  EXPECT_THAT(group->stream({.hash = "abc"}, {}, {}), FailsWith(ErrorCode::kCorruption, "'abc'"));
  EXPECT_THAT(read_all(*group->stream(file, 50, 50).value()), IsOk());
  // Where the size is not known, what lies past the end is empty.
  EXPECT_EQ(read_all(*group->stream({.hash = file.hash}, 100, {}).value()).value(), ByteVector());
}

TEST_F(StreamGroups, FailForAnotherSize) {
  auto file = put_one(*session_, in(store_), random_bytes(1000, 4));
  for (const uint64_t size : {999U, 1001U}) {
    file.size_bytes = size;
    EXPECT_THAT(stream_of(*session_, in(store_), file), FailsWith(ErrorCode::kCorruption, "were expected"));
  }
}

TEST_F(StreamGroups, GiveAnEmptyFileWithoutTheStore) {
  SlowServer server;
  server.hold([](const auto&) { return true; });
  const auto group = session_->new_download_stream_group(server.endpoint()).value();
  const auto any = hash_of(random_bytes(9, 5)).hex();
  EXPECT_EQ(read_all(*group->stream({.hash = any, .size_bytes = 0}, {}, {}).value()).value(), ByteVector());
  EXPECT_EQ(read_all(*group->stream({.hash = FileHash().hex()}, {}, {}).value()).value(), ByteVector());
  EXPECT_EQ(server.cas().http().n_requests(), 0U);
}

TEST_F(StreamGroups, FetchNothingBeforeTheFirstWait) {
  SlowServer server;
  const auto content = random_bytes(1000, 6);
  const auto hash = server.add(content);
  const auto group = session_->new_download_stream_group(server.endpoint()).value();
  const auto idle = group->stream({.hash = hash.hex()}, {}, {}).value();
  const auto used = group->stream({.hash = hash.hex()}, {}, {}).value();
  EXPECT_LT(idle->id(), used->id());
  EXPECT_EQ(server.cas().http().n_requests(), 0U);
  EXPECT_EQ(read_all(*used).value(), content);
}

TEST_F(StreamGroups, TellAnErrorOnce) {
  const auto stream = open()->stream({.hash = hash_of(random_bytes(9, 7)).hex()}, {}, {}).value();
  DownloadStream::Piece piece;
  EXPECT_THAT(stream->next_for(kLong, piece), FailsWith(ErrorCode::kNotFound));
  EXPECT_EQ(stream->next_for(kLong, piece).value(), Wait::kEnd);
  EXPECT_EQ(stream->next_for(0ms, piece).value(), Wait::kEnd);
}

TEST_F(StreamGroups, TellThatTheWholeIsWrongAfterItsLastByte) {
  SlowServer server;
  const auto content = random_bytes(5 * kMiB, 8);
  const auto hash = server.add(content);
  server.cas().store().edit_reconstructions(
      [](cas::Reconstruction& plan) { plan.terms.push_back(plan.terms.back()); });
  const auto group = session_->new_download_stream_group(server.endpoint()).value();
  const auto stream = group->stream({.hash = hash.hex()}, {}, {}).value();
  ByteVector got;
  DownloadStream::Piece piece;
  auto told = stream->next_for(kLong, piece);
  for (; told && *told == Wait::kPiece; told = stream->next_for(kLong, piece)) append_bytes(got, piece.bytes);
  EXPECT_THAT(told, FailsWith(ErrorCode::kCorruption, "hashes to"));
  EXPECT_EQ(got.size(), 2 * content.size());
  EXPECT_EQ(stream->next_for(kLong, piece).value(), Wait::kEnd);
}

TEST_F(StreamGroups, SayWhenNothingHasComeYet) {
  SlowServer server;
  const auto content = random_bytes(1000, 9);
  const auto hash = server.add(content);
  server.hold(SlowServer::is_data);
  const auto group = session_->new_download_stream_group(server.endpoint()).value();
  const auto stream = group->stream({.hash = hash.hex()}, {}, {}).value();
  DownloadStream::Piece piece;
  EXPECT_EQ(stream->next_for(0ms, piece).value(), Wait::kNotYet);
  ASSERT_TRUE(server.wait_for_held(1));
  EXPECT_EQ(stream->next_for(1ms, piece).value(), Wait::kNotYet);
  server.go_on();
  EXPECT_EQ(stream->next_for(std::chrono::milliseconds::max(), piece).value(), Wait::kPiece);
  EXPECT_EQ(piece.bytes, content);
}

/// A stream whose consumer waits for a silent server.
class WaitingStream : public StreamGroups {
 protected:
  void SetUp() override {
    StreamGroups::SetUp();
    const auto hash = server_.add(random_bytes(1000, 10));
    server_.hold(SlowServer::is_data);
    group_ = session_->new_download_stream_group(server_.endpoint()).value();
    stream_ = group_->stream({.hash = hash.hex()}, {}, {}).value();
    told_ = std::async(std::launch::async, [this] {
      DownloadStream::Piece piece;
      return stream_->next_for(kLong, piece);
    });
    ASSERT_TRUE(server_.wait_for_held(1));
  }
  void TearDown() override {
    EXPECT_EQ(told_.get().value(), Wait::kEnd);
    server_.go_on();
    stream_.reset();
    group_.reset();
  }
  SlowServer server_;
  std::shared_ptr<DownloadStreamGroup> group_;
  std::shared_ptr<DownloadStream> stream_;
  std::future<Result<Wait>> told_;
};

TEST_F(WaitingStream, EndsWithItsCancel) {
  stream_->cancel();
  stream_->cancel();
}

TEST_F(WaitingStream, EndsWithItsGroup) {
  group_->abort();
  group_->abort();
  EXPECT_THAT(group_->finish(), FailsWith(ErrorCode::kCancelled));
  EXPECT_THAT(group_->stream({.hash = FileHash().hex()}, {}, {}), FailsWith(ErrorCode::kCancelled));
}

TEST_F(WaitingStream, EndsWithTheSession) {
  session_->abort();
  EXPECT_THAT(group_->stream({.hash = FileHash().hex()}, {}, {}), FailsWith(ErrorCode::kCancelled));
}

TEST_F(StreamGroups, ThatAreFinishedGiveNoMoreStreamsAndGoOn) {
  const auto content = random_bytes(kMiB, 11);
  const auto file = put_one(*session_, in(store_), content);
  std::shared_ptr<DownloadStream> stream;
  {
    const auto group = open();
    stream = group->stream(file, {}, {}).value();
    EXPECT_THAT(group->finish(), IsOk());
    EXPECT_THAT(group->finish(), IsOk());
    EXPECT_THAT(group->stream(file, {}, {}), FailsWith(ErrorCode::kInvalidArgument, "finalized"));
  }
  EXPECT_EQ(read_all(*stream).value(), content);
  const auto group = open();
  EXPECT_THAT(group->finish(), IsOk());
  EXPECT_TRUE(has_threads(0)) << "it has nothing to do any more";
  group->abort();
  EXPECT_THAT(group->finish(), FailsWith(ErrorCode::kCancelled));
}

TEST_F(StreamGroups, EndWithoutAnErrorWhenAborted) {
  const auto file = put_one(*session_, in(store_), random_bytes(20 * kMiB, 12));
  const auto group = open();
  const auto begun = group->stream(file, {}, {}).value();
  const auto idle = group->stream(file, {}, {}).value();
  DownloadStream::Piece piece;
  EXPECT_EQ(begun->next_for(kLong, piece).value(), Wait::kPiece);
  group->abort();
  EXPECT_EQ(begun->next_for(kLong, piece).value(), Wait::kEnd);
  EXPECT_EQ(idle->next_for(kLong, piece).value(), Wait::kEnd);
  EXPECT_TRUE(has_threads(0));
}

TEST_F(StreamGroups, AbandonedHalfWayFreeTheirThreads) {
  const auto file = put_one(*session_, in(store_), random_bytes(20 * kMiB, 13));
  for (int i = 0; i < 5; ++i) {
    const auto stream = open()->stream(file, {}, {}).value();
    DownloadStream::Piece piece;
    EXPECT_EQ(stream->next_for(kLong, piece).value(), Wait::kPiece);
  }
  EXPECT_TRUE(has_threads(0));
}

/// One thread takes a piece of each stream in turn.
void read_in_turn(const std::vector<std::shared_ptr<DownloadStream>>& streams, uint64_t size) {
  std::vector<uint64_t> got(streams.size());
  for (bool any = true; any;) {
    any = false;
    for (size_t i = 0; i < streams.size(); ++i) {
      if (got[i] == size) continue;
      DownloadStream::Piece piece;
      ASSERT_EQ(streams[i]->next_for(kLong, piece).value(), Wait::kPiece)
          << "stream " << i << " at " << got[i];
      ASSERT_EQ(piece.offset, got[i]);
      got[i] += piece.bytes.size();
      any = true;
    }
  }
}

TEST_F(StreamGroups, ManyMayBeReadInTurnByOneThread) {
  const uint64_t size = (kSanitized ? 8 : 30) * kMiB;
  const auto file = put_one(*session_, in(store_), random_bytes(size, 14));
  const auto group = open();
  std::vector<std::shared_ptr<DownloadStream>> streams;
  for (int i = 0; i < 20; ++i) streams.push_back(group->stream(file, {}, {}).value());
  read_in_turn(streams, size);
}

// Fetches that wait for a consumer must not keep others from beginning.
TEST_F(StreamGroups, ManyMayBeReadInTurnOverFewConnections) {
  session_ = make_session({{"client.ac_initial_download_concurrency", uint64_t{2}},
                           {"client.ac_max_download_concurrency", uint64_t{2}}});
  SlowServer server;
  const uint64_t size = 40 * kMiB;
  const auto hash = server.add(random_bytes(size, 15));
  const auto group = session_->new_download_stream_group(server.endpoint()).value();
  std::vector<std::shared_ptr<DownloadStream>> streams;
  for (int i = 0; i < 5; ++i) streams.push_back(group->stream({.hash = hash.hex()}, {}, {}).value());
  read_in_turn(streams, size);
}

}  // namespace
}  // namespace xet

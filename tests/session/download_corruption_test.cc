#include <gtest/gtest.h>

#include "session/pipelines.h"
#include "support/generators.h"
#include "support/matchers.h"
#include "support/temp_dir.h"

namespace xet {
namespace {

using namespace testing;
using ::testing::HasSubstr;

/// A store whose bytes are changed after they were accepted. The parameter: whether it tells chunk hashes.
class DamagedStore : public ::testing::TestWithParam<bool> {
 protected:
  DamagedStore() {
    std::vector<ByteVector> chunks;
    for (uint64_t i = 0; i < 40; ++i) {
      chunks.push_back(i % 3 == 0   ? random_bytes(60'000 + i, i)
                       : i % 3 == 1 ? text_bytes(90'000 + i, i)
                                    : bf16_bytes(80'000 + 2 * i, i));
    }
    file_ = cas_->add_file(chunks);
    xorb_ = cas_->xorbs().front();
    begins_ = cas_->chunk_begins(xorb_);
  }

  /// Downloads both ways; nothing may appear under the name nor beside it.
  void expect_corruption(const std::string& says = "") {
    const TempDir dir;
    DownloadSession session(client_, {});
    session.add({.file = file_, .destination = dir / "out"});
    const auto result = std::move(session.wait().at(0));
    EXPECT_THAT(result, FailsWith(ErrorCode::kCorruption, says));
    if (!result) {
      EXPECT_THAT(result.error().message, HasSubstr((dir / "out").string()));
    }
    EXPECT_TRUE(names_in(dir.path()).empty());
    EXPECT_THAT(stream(client_, file_), FailsWith(ErrorCode::kCorruption, says));
  }

  const bool knows_hashes_ = GetParam();
  const std::shared_ptr<FakeCas> cas_ =
      std::make_shared<FakeCas>(FakeCas::Options{.tells_chunk_hashes = knows_hashes_});
  const std::shared_ptr<Client> client_ = client_of(cas_);
  FileHash file_;
  XorbHash xorb_;
  std::vector<uint64_t> begins_;
};
INSTANTIATE_TEST_SUITE_P(ChunkHashes, DamagedStore, ::testing::Bool(),
                         [](const auto& param) { return param.param ? "Known" : "Unknown"; });

TEST_P(DamagedStore, AnyBitOfAHeaderMatters) {
  for (size_t bit = 0; bit < 64; ++bit) {
    SCOPED_TRACE(bit);
    auto& byte = cas_->packed(xorb_)[begins_[7] + bit / 8];
    const auto flip = static_cast<std::byte>(1U << (bit % 8));
    byte ^= flip;
    expect_corruption();
    byte ^= flip;
  }
}

TEST_P(DamagedStore, AFlippedBitInAnyChunkIsFoundWhereverItIs) {
  for (size_t i = 0; i + 1 < begins_.size(); i += 3) {
    for (const uint64_t at : {begins_[i] + 8, begins_[i] + 5000, begins_[i + 1] - 1}) {
      SCOPED_TRACE(::testing::Message() << "chunk " << i << " offset " << at);
      cas_->packed(xorb_)[at] ^= std::byte{0x10};
      if (knows_hashes_) {
        expect_corruption("xorb " + xorb_.hex() + " chunk " + std::to_string(i) + " at offset " +
                          std::to_string(begins_[i]));
      } else {
        expect_corruption();
      }
      cas_->packed(xorb_)[at] ^= std::byte{0x10};
    }
  }
}

TEST_P(DamagedStore, TheMessageTellsWhatIsKnown) {
  cas_->packed(xorb_)[begins_[3] + 100] ^= std::byte{1};  // chunk 3 is stored as it is
  const auto outcome = download(client_, file_);
  ASSERT_THAT(outcome, FailsWith(ErrorCode::kCorruption));
  EXPECT_THAT(outcome.error().message, HasSubstr("hashes to "));
  EXPECT_THAT(outcome.error().message, HasSubstr(xorb_.hex()));
  EXPECT_THAT(outcome.error().message, HasSubstr(knows_hashes_ ? "chunk 3 at offset" : file_.hex()));
}

TEST_P(DamagedStore, AWrongListOfHashesIsFound) {
  cas_->edit_reconstructions([&](cas::Reconstruction& answer) {
    auto& range = answer.fetches.at(xorb_)[0];
    range.chunk_hashes.resize(range.chunks.size());
    range.chunk_hashes[5] = ChunkHash(random_hash(1));
  });
  // Without the others every chunk is wrong, and which of them is looked at first is up to
  // the threads.
  expect_corruption(knows_hashes_ ? "chunk 5 " : "chunk ");
}

TEST_P(DamagedStore, AnotherFileOfTheSameLengthIsNotAccepted) {
  const auto other = cas_->add_file({random_bytes(1000, 1)});
  const auto wrong = cas_->file(cas_->add_file({random_bytes(1000, 2)}))->terms[0].xorb;
  cas_->edit_reconstructions([&](cas::Reconstruction& answer) {
    if (answer.terms.empty()) return;
    answer.fetches[wrong] = {{{0, 1}, {0, 1008}, {}, {}}};
    answer.terms[0].xorb = wrong;
  });
  EXPECT_THAT(download(client_, other), FailsWith(ErrorCode::kCorruption, other.hex()));
  EXPECT_THAT(stream(client_, other), FailsWith(ErrorCode::kCorruption, other.hex()));
}

TEST_P(DamagedStore, AFetchThatEndsEarlyButSaysItIsDoneIsAnError) {
  const uint64_t size = begins_.back();
  for (const uint64_t end : {uint64_t{0}, uint64_t{5}, begins_[20], begins_[20] + 4, size - 1}) {
    SCOPED_TRACE(end);
    cas_->script_fetch([&](size_t, const auto&) { return FetchScript{.stop_after_bytes = end}; });
    expect_corruption(xorb_.hex());
    EXPECT_THAT(download(client_, file_, FileRange{1000, 3'000'000}), FailsWith(ErrorCode::kCorruption));
  }
}

TEST_P(DamagedStore, AFetchThatBreaksOffFailsWithItsOwnError) {
  cas_->script_fetch([&](size_t, const auto&) {
    return FetchScript{.stop_after_bytes = begins_[20], .outcome = fail(ErrorCode::kUnavailable, "cut off")};
  });
  EXPECT_THAT(download(client_, file_), FailsWith(ErrorCode::kUnavailable, "cut off"));
  EXPECT_THAT(stream(client_, file_), FailsWith(ErrorCode::kUnavailable, "cut off"));
}

TEST_P(DamagedStore, PiecesOfAnySizeAreTheSame) {
  const auto content = cas_->content(file_);
  for (const size_t piece : {size_t{1000}, size_t{65536}, kMiB}) {
    cas_->script_fetch([&](size_t, const auto&) { return FetchScript{.piece_bytes = piece}; });
    EXPECT_TRUE(download(client_, file_).value() == content);
    EXPECT_TRUE(stream(client_, file_).value() == content);
  }
}

struct Lie {
  const char* name;
  void (*tell)(cas::Reconstruction&);
};

/// What a store may wrongly say about a file of two xorbs, each term of which is a whole one.
class LyingStore : public ::testing::TestWithParam<std::tuple<Lie, bool>> {};

TEST_P(LyingStore, IsNotBelieved) {
  const auto& [lie, knows_hashes] = GetParam();
  const auto cas = std::make_shared<FakeCas>(FakeCas::Options{.tells_chunk_hashes = knows_hashes});
  const auto client = client_of(cas);
  const auto file = upload_one(client, random_bytes(20 * kMiB, 1)).hash;
  ASSERT_EQ(cas->file(file)->terms.size(), 2U);
  cas->edit_reconstructions(lie.tell);
  EXPECT_THAT(download(client, file), FailsWith(ErrorCode::kCorruption));
  EXPECT_THAT(stream(client, file), FailsWith(ErrorCode::kCorruption));
}

cas::FetchRange& range_of(cas::Reconstruction& answer, size_t term) {
  return answer.fetches.at(answer.terms.at(term).xorb).at(0);
}

INSTANTIATE_TEST_SUITE_P(
    Lies, LyingStore,
    ::testing::Combine(
        ::testing::Values(
            Lie{"NoTerms", [](auto& a) { a.terms.clear(); }},
            Lie{"FirstTermMissing", [](auto& a) { a.terms.erase(a.terms.begin()); }},
            Lie{"LastTermMissing", [](auto& a) { a.terms.pop_back(); }},
            Lie{"TermsSwapped", [](auto& a) { std::swap(a.terms[0], a.terms[1]); }},
            Lie{"TermTwice", [](auto& a) { a.terms.push_back(a.terms[1]); }},
            Lie{"TermShorterByAChunk",
                [](auto& a) {
                  --a.terms[0].chunks.end;
                  a.terms[0].unpacked_len -= 60'000;
                }},
            Lie{"LengthOneMore", [](auto& a) { ++a.terms[0].unpacked_len; }},
            Lie{"LengthOneLess", [](auto& a) { --a.terms[1].unpacked_len; }},
            Lie{"BytesOneLess", [](auto& a) { --range_of(a, 0).bytes.end; }},
            Lie{"BytesFromElsewhere", [](auto& a) { ++range_of(a, 0).bytes.begin; }},
            Lie{"ChunksOneMore",
                [](auto& a) {
                  ++range_of(a, 0).chunks.end;
                  range_of(a, 0).chunk_hashes.clear();
                }},
            Lie{"ChunksOneLess",
                [](auto& a) {
                  --range_of(a, 0).chunks.end;
                  --a.terms[0].chunks.end;
                  a.terms[0].unpacked_len -= 60'000;
                  range_of(a, 0).chunk_hashes.clear();
                }},
            Lie{"OffsetIntoTheFirst", [](auto& a) { a.offset_into_first_term = 1; }},
            Lie{"RangesOverlap",
                [](auto& a) {
                  auto more = range_of(a, 0);
                  more.chunks.end += 5;
                  a.fetches.at(a.terms[0].xorb).push_back(more);
                  a.terms.push_back({a.terms[0].xorb,
                                     {more.chunks.end - 3, more.chunks.end},
                                     100'000});
                }}),
        ::testing::Bool()),
    [](const auto& param) {
      return std::string(std::get<0>(param.param).name) + (std::get<1>(param.param) ? "Hashes" : "NoHashes");
    });

TEST(LyingStorePages, AStoreThatDoesNotGoOnWhereItEndedIsNotBelieved) {
  const auto cas = std::make_shared<FakeCas>();
  const auto client = client_of(cas, 2, 64 * kMiB, system_clock(),
                                {.download_page_bytes = 1'000'000, .stream_page_bytes = 1'000'000});
  const auto file = upload_one(client, random_bytes(3 * kMiB, 1)).hash;
  int n = 0;
  cas->edit_reconstructions([&](cas::Reconstruction& answer) {
    if (++n % 2 == 0 && !answer.terms.empty()) answer.offset_into_first_term = 1;
  });
  EXPECT_THAT(download(client, file), FailsWith(ErrorCode::kCorruption));
  n = 0;
  EXPECT_THAT(stream(client, file), FailsWith(ErrorCode::kCorruption));
}

}  // namespace
}  // namespace xet

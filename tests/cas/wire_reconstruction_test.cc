#include "cas/wire_reconstruction.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <string>

#include "cas/fetch_layout.h"
#include "support/matchers.h"

namespace xet::cas {
namespace {

using testing::FailsWith;
using testing::IsOk;

const std::string kA(64, 'a');
const std::string kB(64, 'b');
XorbHash xorb(std::string_view hex) {
  return XorbHash::from_hex(hex).value();
}

std::string term(const std::string& hash, uint64_t length, uint64_t start, uint64_t end) {
  return fmt::format(R"({{"hash":"{}","unpacked_length":{},"range":{{"start":{},"end":{}}}}})", hash, length,
                     start, end);
}
std::string v2(const std::string& terms, const std::string& xorbs, const std::string& offset = "7") {
  return fmt::format(R"({{"offset_into_first_range":{},"terms":[{}],"xorbs":{{{}}}}})", offset, terms, xorbs);
}
std::string wire_range(uint64_t first, uint64_t end, uint64_t byte, uint64_t last) {
  return fmt::format(R"({{"chunks":{{"start":{},"end":{}}},"bytes":{{"start":{},"end":{}}}}})", first, end,
                     byte, last);
}
std::string fetch(const std::string& url, const std::string& ranges) {
  return fmt::format(R"({{"url":"{}","ranges":[{}]}})", url, ranges);
}

TEST(WireReconstruction, ReadsTheNewerForm) {
  const auto out = parse_reconstruction_v2(as_byte_span(
      v2(term(kA, 100, 1, 4) + "," + term(kB, 4294967295, 0, 4294967295),
         fmt::format(R"("{}":[{},{}],"{}":[{}])", kA, fetch("u1", wire_range(1, 4, 50, 99)), fetch("u2", ""),
                     kB, fetch("u3", wire_range(0, 2, 0, 9) + "," + wire_range(5, 6, 70, 79))),
         "18446744073709551615")));
  ASSERT_THAT(out, IsOk());
  EXPECT_EQ(out->offset_into_first_term, UINT64_MAX);
  ASSERT_EQ(out->terms.size(), 2u);
  EXPECT_EQ(out->terms[0].xorb, xorb(kA));
  EXPECT_EQ(out->terms[0].chunks, (ChunkRange{1, 4}));
  EXPECT_EQ(out->terms[0].unpacked_len, 100u);
  EXPECT_EQ(out->terms[1].unpacked_len, UINT32_MAX);
  ASSERT_EQ(out->fetches.at(xorb(kA)).size(), 2u);
  EXPECT_EQ(out->fetches.at(xorb(kA))[0].url, "u1");
  EXPECT_EQ(out->fetches.at(xorb(kA))[0].ranges.at(0).bytes, (ByteRange{50, 100}));
  EXPECT_TRUE(out->fetches.at(xorb(kA))[1].ranges.empty());
  EXPECT_EQ(out->fetches.at(xorb(kB)).at(0).ranges.at(1).chunks, (ChunkRange{5, 6}));
}

TEST(WireReconstruction, ReadsTheOlderForm) {
  const auto out = parse_reconstruction_v1(as_byte_span(fmt::format(
      R"({{"fetch_info":{{"{}":[{{"url_range":{{"start":5,"end":9}},"range":{{"start":0,"end":1}},"url":"x"}},
          {{"range":{{"start":3,"end":4}},"url":"x","url_range":{{"start":15,"end":15}}}}]}},
          "terms":[{}],"offset_into_first_range":0}})",
      kA, term(kA, 1, 0, 1))));
  ASSERT_THAT(out, IsOk());
  const auto& fetches = out->fetches.at(xorb(kA));
  ASSERT_EQ(fetches.size(), 2u);
  EXPECT_EQ(fetches[0].ranges.at(0).bytes, (ByteRange{5, 10}));
  EXPECT_EQ(fetches[1].ranges.at(0).chunks, (ChunkRange{3, 4}));
}

TEST(WireReconstruction, ReadsSeveralFiles) {
  const auto out = parse_batch_reconstruction(as_byte_span(
      fmt::format(R"({{"files":{{"{}":[{}],"{}":[]}},"fetch_info":{{}}}})", kB, term(kA, 1, 0, 1), kA)));
  ASSERT_THAT(out, IsOk());
  ASSERT_EQ(out->files.size(), 2u);
  EXPECT_EQ(out->files[0].first, FileHash::from_hex(kB));
  EXPECT_EQ(out->files[0].second.size(), 1u);
  EXPECT_TRUE(out->files[1].second.empty());
}

TEST(WireReconstruction, PassesOverWhatItDoesNotKnow) {
  const std::string junk =
      R"("new":{"terms":[1,{"url":null}],"deep":[[[[{}]]]]},"list":[true,1.5,-1],"n":null,)";
  auto text = v2(term(kA, 1, 0, 1), fmt::format(R"("{}":[{}])", kA, fetch("u", wire_range(0, 1, 0, 9))));
  for (size_t at = text.find('{'); at != std::string::npos; at = text.find('{', at + junk.size() + 1)) {
    const auto before = text.substr(0, at);
    if (before.ends_with("\"xorbs\":")) continue;  // keys there are hashes
    text.insert(at + 1, junk);
  }
  const auto out = parse_reconstruction_v2(as_byte_span(text));
  ASSERT_THAT(out, IsOk());
  EXPECT_EQ(out->terms.size(), 1u);
  EXPECT_EQ(out->fetches.at(xorb(kA)).at(0).ranges.size(), 1u);
}

TEST(WireReconstruction, RefusesWhatIsNone) {
  const auto good_term = term(kA, 1, 0, 1);
  const auto good_fetches = fmt::format(R"("{}":[{}])", kA, fetch("u", wire_range(0, 1, 0, 9)));
  ASSERT_THAT(parse_reconstruction_v2(as_byte_span(v2(good_term, good_fetches))), IsOk());
  const auto with_fetch = [&](const std::string& json) {
    return v2(good_term, fmt::format(R"("{}":[{}])", kA, json));
  };
  for (const std::string& text : {
           std::string(),
           std::string("[]"),
           std::string("null"),
           std::string("{}"),
           std::string("1"),
           v2(good_term, good_fetches) + "x",
           v2(good_term, good_fetches).substr(1),
           v2(good_term, good_fetches, "-1"),
           v2(good_term, good_fetches, "1.0"),
           v2(good_term, good_fetches, "\"1\""),
           v2(good_term, good_fetches, "null"),
           v2(good_term, good_fetches, "18446744073709551616"),
           v2(good_term, good_fetches, "1,\"offset_into_first_range\":1"),
           v2("1", good_fetches),
           v2(fmt::format("[{}]", good_term), good_fetches),
           v2("null", good_fetches),
           v2(term(kA, 4294967296, 0, 1), good_fetches),
           v2(term(kA, 1, 0, 4294967296), good_fetches),
           v2(term(kA.substr(1), 1, 0, 1), good_fetches),
           v2(term(kA + "a", 1, 0, 1), good_fetches),
           v2(fmt::format(R"({{"hash":"{}","range":{{"start":0,"end":1}}}})", kA), good_fetches),
           v2(fmt::format(R"({{"hash":"{}","unpacked_length":1,"range":{{"start":0}}}})", kA), good_fetches),
           v2(fmt::format(R"({{"hash":"{}","unpacked_length":1,"range":[0,1]}})", kA), good_fetches),
           v2(good_term, R"("zz":[])"),
           v2(good_term, fmt::format(R"("{}":{{}})", kA)),
           v2(good_term, fmt::format(R"("{}":null)", kA)),
           v2(good_term, fmt::format("{0},{0}", good_fetches)),  // a xorb twice
           with_fetch("null"),
           with_fetch("\"u\""),
           with_fetch("{}"),
           with_fetch(R"({"url":"u"})"),
           with_fetch(R"({"ranges":[]})"),
           with_fetch(R"({"url":1,"ranges":[]})"),
           with_fetch(fetch("u", R"({"chunks":{"start":0,"end":1}})")),
           with_fetch(fetch("u", wire_range(0, 1, 10, 9))),
           with_fetch(fetch("u", wire_range(0, 1, 0, UINT64_MAX))),
           v2(good_term, good_fetches).substr(0, 40),
       }) {
    EXPECT_THAT(parse_reconstruction_v2(as_byte_span(text)), FailsWith(ErrorCode::kCorruption)) << text;
  }
  EXPECT_THAT(parse_reconstruction_v1(as_byte_span(v2(good_term, good_fetches))),
              FailsWith(ErrorCode::kCorruption, "fetch_info"));
}

TEST(WireReconstruction, SurvivesAnyCut) {
  const auto text =
      v2(term(kA, 1, 0, 1), fmt::format(R"("{}":[{}])", kA, fetch("u", wire_range(0, 1, 0, 9))));
  for (size_t n = 0; n < text.size(); ++n)
    EXPECT_THAT(parse_reconstruction_v2(as_byte_span(text.substr(0, n))), FailsWith(ErrorCode::kCorruption))
        << n;
}

TEST(WireReconstruction, DeepNestingTakesNoStack) {
  const std::string deep(1'000'000, '[');
  EXPECT_THAT(parse_reconstruction_v2(as_byte_span("{\"x\":" + deep)), FailsWith(ErrorCode::kCorruption));
}

// --- Layout

WireFetches one(const std::string& hex, std::vector<WireFetch> fetches) {
  WireFetches out;
  out[xorb(hex)] = std::move(fetches);
  return out;
}
const std::string kUrl = "http://h/";

TEST(FetchLayout, SortsByChunkAndJoinsWhatTouches) {
  const auto out = make_layout(one(kA, {{kUrl + "1", {{{4, 6}, {400, 600}}, {{0, 2}, {0, 200}}}},
                                        {kUrl + "2", {{{2, 4}, {200, 400}}, {{8, 9}, {800, 900}}}}}));
  ASSERT_THAT(out, IsOk());
  ASSERT_EQ(out->entries.size(), 2u);
  const auto& joined = out->entries[0];
  EXPECT_EQ(joined.chunks, (ChunkRange{0, 6}));
  EXPECT_EQ(joined.bytes, (ByteRange{0, 600}));
  ASSERT_EQ(joined.pieces.size(), 3u);
  EXPECT_EQ(joined.pieces[1].bytes, (ByteRange{200, 400}));
  EXPECT_EQ(out->urls[joined.pieces[1].url], kUrl + "2");
  EXPECT_EQ(out->entries[1].chunks, (ChunkRange{8, 9}));
  EXPECT_EQ(out->signed_ranges[0], (std::vector<ByteRange>{{400, 600}, {0, 200}}));
}

TEST(FetchLayout, KeepsApartWhatOnlyTouchesInChunks) {
  const auto out = make_layout(one(kA, {{kUrl, {{{0, 2}, {0, 200}}, {{2, 4}, {201, 400}}}}}));
  ASSERT_THAT(out, IsOk());
  EXPECT_EQ(out->entries.size(), 2u);
}

TEST(FetchLayout, LeavesOutWhatLiesInsideAnother) {
  const auto out = make_layout(
      one(kA, {{kUrl, {{{1, 2}, {100, 200}}}}, {kUrl, {{{0, 4}, {0, 400}}, {{0, 4}, {0, 400}}}}}));
  ASSERT_THAT(out, IsOk());
  ASSERT_EQ(out->entries.size(), 1u);
  EXPECT_EQ(out->entries[0].pieces.size(), 1u);
}

TEST(FetchLayout, RefusesRangesThatCannotBe) {
  const auto refuses = [](std::vector<WireRange> ranges, const std::string& url = kUrl) {
    EXPECT_THAT(make_layout(one(kA, {{url, std::move(ranges)}})), FailsWith(ErrorCode::kCorruption, kA));
  };
  refuses({{{0, 4}, {0, 400}}, {{2, 6}, {200, 600}}});  // overlap
  refuses({{{0, 2}, {0, 200}}, {{2, 4}, {150, 400}}});  // in bytes alone
  refuses({{{0, 2}, {200, 400}}, {{2, 4}, {0, 200}}});  // in another order
  refuses({{{0, 4}, {0, 400}}, {{1, 2}, {300, 500}}});  // inside in chunks alone
  refuses({{{2, 2}, {0, 200}}});
  refuses({{{3, 2}, {0, 200}}});
  for (const auto* url : {"", "ftp://h/", "/v1/x", "http://h/ x", "http://h/\r\nX: y", "http://h/\xc3\xa4"})
    refuses({{{0, 2}, {0, 200}}}, url);
}

}  // namespace
}  // namespace xet::cas

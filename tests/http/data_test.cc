// Bytes of xorbs by signed URL.
#include <gmock/gmock.h>
#include <sys/socket.h>

#include <fstream>

#include "http/http_fixture.h"
#include "server/core/signed_url.h"

namespace xet::testing {
namespace {

using ::testing::HasSubstr;

class Data : public ::testing::Test {
 protected:
  Data() : signer_(*core::UrlSigner::open(fixture_.service().meta(), fixture_.clock)) {
    fixture_.add_file(xorb_);
  }

  std::string url(std::vector<format::PackedRange> ranges, uint32_t generation = 0,
                  uint64_t lifetime_s = 60) {
    const auto now =
        std::chrono::duration_cast<std::chrono::seconds>(fixture_.clock.wall_now().time_since_epoch());
    return signer_->path_and_query({.xorb = xorb_.hash,
                                    .generation = generation,
                                    .ranges = std::move(ranges),
                                    .expires_at_s = static_cast<uint64_t>(now.count()) + lifetime_s,
                                    .repository = 0});
  }
  HttpAnswer get(const std::string& target, const std::string& range, HttpHeaders headers = {}) {
    if (!range.empty()) headers.emplace_back("Range", range);
    return client_.request("GET", target, headers);
  }
  std::string bytes(size_t begin, size_t end) const {
    return std::string(as_chars(ByteSpan(xorb_.body).subspan(begin, end - begin)));
  }
  std::string total() const { return std::to_string(xorb_.body.size()); }

  HttpFixture fixture_;
  const SampleXorb xorb_ = make_xorb(60, 1, 50'000, 131'072);
  const std::unique_ptr<core::UrlSigner> signer_;
  RawClient client_ = fixture_.connect();
};

TEST_F(Data, OfAnyPartOfAnAllowedRangeIsSent) {
  const auto target = url({{1000, 2000}, {500'000, 3'000'000}});
  struct Case {
    size_t begin, end;
  };
  for (const auto& [begin, end] :
       {Case{1000, 2000}, Case{1000, 1001}, Case{1999, 2000}, Case{500'000, 3'000'000}}) {
    const auto answer = get(target, "bytes=" + std::to_string(begin) + "-" + std::to_string(end - 1));
    ASSERT_EQ(answer.status, 206);
    EXPECT_EQ(answer.body, bytes(begin, end));
    EXPECT_EQ(answer.header("Content-Range"),
              "bytes " + std::to_string(begin) + "-" + std::to_string(end - 1) + "/" + total());
    EXPECT_EQ(answer.header("Content-Type"), "application/octet-stream");
    EXPECT_EQ(answer.header("ETag"), "\"" + xorb_.hash.hex() + ".0\"");
    EXPECT_EQ(answer.header("Cache-Control"), "public, immutable, max-age=60");
  }
}

TEST_F(Data, OfTheWholeXorbIsSentWhenAllOfItIsAllowed) {
  const auto target = url({{0, static_cast<uint32_t>(xorb_.body.size())}});
  for (const auto* range : {"bytes=0-", "bytes=-99999999"}) {
    const auto answer = get(target, range);
    ASSERT_EQ(answer.status, 206) << range;
    EXPECT_EQ(answer.body, as_chars(xorb_.body));
  }
}

TEST_F(Data, OfSeveralRangesIsSentInParts) {
  const auto answer =
      get(url({{1000, 2000}, {500'000, 600'000}}), "bytes=1000-1999,500000-500009,500010-599999");
  ASSERT_EQ(answer.status, 206);
  const auto type = answer.header("Content-Type");
  ASSERT_THAT(type, HasSubstr("multipart/byteranges; boundary="));
  const auto boundary = type.substr(type.find('=') + 1);
  const auto part = [&](size_t begin, size_t end) {
    return "--" + boundary + "\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes " +
           std::to_string(begin) + "-" + std::to_string(end - 1) + "/" + total() + "\r\n\r\n" +
           bytes(begin, end) + "\r\n";
  };
  EXPECT_EQ(answer.body,
            part(1000, 2000) + part(500'000, 500'010) + part(500'010, 600'000) + "--" + boundary + "--\r\n");
  EXPECT_EQ(get(url({{0, 10}}), "bytes=0-9").status, 206) << "the connection is in step";
}

TEST_F(Data, OutsideTheAllowedRangesIs403) {
  const auto target = url({{1000, 2000}, {3000, 4000}});
  for (const auto* range : {"bytes=999-1000", "bytes=1000-2000", "bytes=0-0", "bytes=1000-", "bytes=-1",
                            "bytes=1000-3999", "bytes=1000-1999,2000-2001"}) {
    EXPECT_EQ(get(target, range).status, 403) << range;
  }
  EXPECT_EQ(get(target, "").status, 403) << "no range is the whole";
}

TEST_F(Data, WithImpossibleRangesIs416) {
  const auto target = url({{0, static_cast<uint32_t>(xorb_.body.size())}});
  for (const auto& range :
       {std::string("bytes=x"), std::string("bytes=2-1"), std::string("chunks=0-1"), "bytes=" + total() + "-",
        "bytes=" + total() + "-99999999", std::string("bytes=5-9,0-4"), std::string("bytes=0-9,5-14")}) {
    const auto answer = get(target, range);
    EXPECT_EQ(answer.status, 416) << range;
    EXPECT_EQ(answer.header("Content-Range"), "bytes */" + total());
  }
  std::string many = "bytes=0-0";
  for (size_t i = 1; i <= 500; ++i) many += "," + std::to_string(2 * i) + "-" + std::to_string(2 * i);
  EXPECT_EQ(get(target, many).status, 416);
}

TEST_F(Data, ByAUrlThatIsNotOursIs403) {
  const auto good = url({{0, 100}});
  for (size_t at = good.find('?'); at < good.size(); at += 3) {
    std::string bad = good;
    bad[at] = bad[at] == '0' ? '1' : '0';
    const int status = get(bad, "bytes=0-9").status;
    EXPECT_TRUE(status == 403 || status == 404) << bad;
  }
  EXPECT_EQ(get(good + "&x=1", "bytes=0-9").status, 403);
  EXPECT_EQ(get(good.substr(0, good.find('?')), "bytes=0-9").status, 403);
  EXPECT_EQ(get("/d/x?e=1&k=1&r=1&s=1", "bytes=0-9").status, 403);
  EXPECT_EQ(get(url({{0, 100}}, 0, 0), "bytes=0-9").status, 403) << "expired";
  EXPECT_EQ(get(good, "bytes=0-9").status, 206);
}

TEST_F(Data, OfAGenerationThatIsGoneAsksForANewUrl) {
  EXPECT_EQ(get(url({{0, 100}}, 1), "bytes=0-9").status, 403) << "there is another generation";
  const auto other = signer_->path_and_query({.xorb = make_xorb(2, 5).hash,
                                              .generation = 0,
                                              .ranges = {{0, 10}},
                                              .expires_at_s = 99'999'999'999,
                                              .repository = 0});
  EXPECT_EQ(get(other, "bytes=0-9").status, 404) << "there is none at all";
}

TEST_F(Data, ThatIsKnownIsNotSentAgain) {
  const auto answer =
      get(url({{0, 100}}), "bytes=0-9", {{"If-None-Match", "\"" + xorb_.hash.hex() + ".0\""}});
  EXPECT_EQ(answer.status, 304);
  EXPECT_EQ(get(url({{0, 100}}), "bytes=0-9", {{"If-None-Match", "\"other\""}}).status, 206);
}

TEST_F(Data, NeedsNoToken) {
  EXPECT_EQ(get(url({{0, 100}}), "bytes=0-9", {{"Authorization", "Bearer rubbish"}}).status, 206);
}

TEST_F(Data, OfADamagedObjectIsCutOffNotFilledUp) {
  const auto target = url({{0, static_cast<uint32_t>(xorb_.body.size())}});
  for (const auto& name : objects_in(fixture_.dir / "store")) {
    if (name.find(xorb_.hash.hex()) == std::string::npos) continue;
    std::filesystem::resize_file(fixture_.dir / "store" / name, 1000);
  }
  EXPECT_EQ(get(target, "bytes=0-").status, 500) << "it is not what the row says";
}

TEST_F(Data, ForClientsThatDoNotReadIsGivenUp) {
  HttpFixture fixture([](auto& options) {
    options.limits.idle = std::chrono::milliseconds(100);
    options.admin_listen = "127.0.0.1:0";
  });
  // Far more than the buffers of both sockets.
  const auto large = make_xorb(400, 2, 131'000, 131'072);
  fixture.add_file(large);
  const auto signer = *core::UrlSigner::open(fixture.service().meta(), fixture.clock);
  const auto target = signer->path_and_query({.xorb = large.hash,
                                              .generation = 0,
                                              .ranges = {{0, static_cast<uint32_t>(large.body.size())}},
                                              .expires_at_s = 99'999'999'999,
                                              .repository = 0});
  auto client = fixture.connect();
  client.send(RawClient::head("GET", target, {{"Host", "h"}, {"Range", "bytes=0-"}}));
  EXPECT_TRUE(fixture.wait_for_metric("xet_connections_timed_out_total", 1));
  EXPECT_EQ(client.read_head().status, 206);
  EXPECT_ANY_THROW(client.read_bytes(large.body.size())) << "cut off";
}

}  // namespace
}  // namespace xet::testing

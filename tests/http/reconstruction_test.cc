// Reading through the server: reconstructions, sizes, dedup queries.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "format/shard.h"
#include "http/http_fixture.h"
#include "support/matchers.h"

namespace xet::testing {
namespace {

using ::testing::StartsWith;
using Json = nlohmann::json;

class Reconstructions : public ::testing::Test {
 protected:
  Reconstructions() : file_(fixture_.add_file(xorb_)), client_(fixture_.connect()) {}

  HttpAnswer get(const std::string& target, HttpHeaders headers = {}) {
    headers.push_back(fixture_.reader());
    return client_.request("GET", target, headers);
  }
  std::string v2() const { return "/v2/reconstructions/" + file_.hash.hex(); }
  uint64_t size() const { return content_of({{&xorb_, 0, 40}}).size(); }

  HttpFixture fixture_;
  const SampleXorb xorb_ = make_xorb(40, 1);
  const format::FileRecord file_;
  RawClient client_;
};

TEST_F(Reconstructions, OfAWholeFileLeadToItsBytes) {
  const auto answer = get(v2());
  ASSERT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("Content-Type"), "application/json");
  EXPECT_EQ(answer.header("Cache-Control"), "private, no-store");
  const auto json = Json::parse(answer.body);
  EXPECT_EQ(json["offset_into_first_range"], 0);
  ASSERT_EQ(json["terms"].size(), 1u);
  EXPECT_EQ(json["terms"][0]["hash"], xorb_.hash.hex());
  EXPECT_EQ(json["terms"][0]["unpacked_length"], size());
  const auto& entry = json["xorbs"][xorb_.hash.hex()][0];
  EXPECT_THAT(entry["url"].get<std::string>(), StartsWith("http://server.test/d/"));
  EXPECT_EQ(entry["ranges"][0]["bytes"], (Json{{"start", 0}, {"end", xorb_.body.size() - 1}}));
  const auto data = client_.request("GET", target_of(entry["url"].get<std::string>()),
                                    {{"Range", "bytes=0-" + std::to_string(xorb_.body.size() - 1)}});
  ASSERT_EQ(data.status, 206);
  EXPECT_EQ(data.body, as_chars(xorb_.body));
}

TEST_F(Reconstructions, InTheOldFormSayTheSame) {
  const auto json = Json::parse(get("/v1/reconstructions/" + file_.hash.hex()).body);
  const auto& entry = json["fetch_info"][xorb_.hash.hex()][0];
  EXPECT_EQ(entry["url_range"], (Json{{"start", 0}, {"end", xorb_.body.size() - 1}}));
  EXPECT_EQ(entry["range"], (Json{{"start", 0}, {"end", 40}}));
  const auto data =
      client_.request("GET", target_of(entry["url"].get<std::string>()), {{"Range", "bytes=1-10"}});
  EXPECT_EQ(data.status, 206);
  EXPECT_EQ(data.body, as_chars(ByteSpan(xorb_.body).subspan(1, 10)));
}

TEST_F(Reconstructions, OfARangeAreTrimmed) {
  const uint64_t first = xorb_.chunks[0].size();
  const uint64_t second = xorb_.chunks[1].size();
  const auto range = "bytes=" + std::to_string(first + 1) + "-" + std::to_string(first + second);
  const auto json = Json::parse(get(v2(), {{"Range", range}}).body);
  EXPECT_EQ(json["offset_into_first_range"], 1);
  EXPECT_EQ(json["terms"][0]["range"], (Json{{"start", 1}, {"end", 3}}));
}

TEST_F(Reconstructions, TakeAllFormsOfRanges) {
  const auto n = std::to_string(size());
  const auto whole = Json::parse(get(v2()).body)["terms"];
  for (const std::string& range :
       std::initializer_list<std::string>{"bytes=0-", "bytes=-" + n, "bytes=-99999999999",
                                          "bytes=0-99999999999", "bytes=0-18446744073709551615"}) {
    const auto answer = get(v2(), {{"Range", range}});
    ASSERT_EQ(answer.status, 200) << range;
    EXPECT_EQ(Json::parse(answer.body)["terms"], whole) << range;
  }
  const auto last = Json::parse(get(v2(), {{"Range", "bytes=-1"}}).body);
  EXPECT_EQ(last["terms"][0]["range"], (Json{{"start", 39}, {"end", 40}}));
  EXPECT_EQ(last["offset_into_first_range"], xorb_.chunks[39].size() - 1);
}

TEST_F(Reconstructions, BehindTheEndAre416) {
  for (const auto& range : {"bytes=" + std::to_string(size()) + "-", std::string("bytes=99999999999-"),
                            "bytes=" + std::to_string(size()) + "-" + std::to_string(size() + 5),
                            std::string("bytes=18446744073709551615-18446744073709551615")}) {
    for (const auto* version : {"/v1", "/v2"}) {
      EXPECT_EQ(get(version + ("/reconstructions/" + file_.hash.hex()), {{"Range", range}}).status, 416)
          << range;
    }
  }
}

TEST_F(Reconstructions, WithAMalformedRangeAre416) {
  for (const auto* range : {"bytes=5-1", "bytes=x-", "lines=0-1", "bytes=-0", "bytes=0-1,3-4", "bytes="}) {
    EXPECT_EQ(get(v2(), {{"Range", range}}).status, 416) << range;
  }
}

TEST_F(Reconstructions, OfTheEmptyFileBeginAtItsBeginningOnly) {
  const auto target = "/v2/reconstructions/" + FileHash{}.hex();
  const std::string nothing = R"({"offset_into_first_range":0,"terms":[],"xorbs":{}})";
  EXPECT_EQ(get(target).body, nothing);
  for (const auto* range : {"bytes=0-", "bytes=0-255999999", "bytes=-5"}) {
    const auto answer = get(target, {{"Range", range}});
    EXPECT_EQ(answer.status, 200) << range;
    EXPECT_EQ(answer.body, nothing) << range;
  }
  EXPECT_EQ(get(target, {{"Range", "bytes=1-"}}).status, 416);
}

TEST_F(Reconstructions, OfUnknownFilesAre404AndOfNonsense400) {
  const auto unknown = std::string(64, 'a');
  for (const auto* version : {"/v1", "/v2"}) {
    EXPECT_EQ(get(version + ("/reconstructions/" + unknown)).status, 404);
    EXPECT_EQ(get(version + ("/reconstructions/" + unknown), {{"Range", "bytes=-5"}}).status, 404);
    EXPECT_EQ(get(version + std::string("/reconstructions/abc")).status, 400);
  }
}

TEST_F(Reconstructions, UseThePublicUrlWhenThereIsOne) {
  HttpFixture fixture([](auto& options) { options.public_url = "https://cas.example.org/xet/"; });
  const auto xorb = make_xorb(2, 9);
  const auto file = fixture.add_file(xorb);
  auto client = fixture.connect();
  const auto json =
      Json::parse(client.request("GET", "/v2/reconstructions/" + file.hash.hex(), {fixture.reader()}).body);
  EXPECT_THAT(json["xorbs"][xorb.hash.hex()][0]["url"].get<std::string>(),
              StartsWith("https://cas.example.org/xet/d/"));
}

TEST_F(Reconstructions, ComeInBatches) {
  const auto other_xorb = make_xorb(3, 2);
  const auto other = fixture_.add_file(other_xorb);
  const auto foreign = fixture_.add_file(make_xorb(3, 3), "model/acme/two");
  const auto query = "file_id=" + file_.hash.hex() + "&file_id=" + std::string(64, 'a') +
                     "&file_id=zz&file_id=" + other.hash.hex() + "&file_id=" + foreign.hash.hex();
  for (const auto* path : {"/v1/reconstructions?", "/reconstructions?"}) {
    const auto answer = get(path + query);
    ASSERT_EQ(answer.status, 200);
    const auto json = Json::parse(answer.body);
    EXPECT_EQ(json["files"].size(), 2u) << "neither unknown files nor those of others";
    EXPECT_EQ(json["files"][file_.hash.hex()][0]["hash"], xorb_.hash.hex());
    EXPECT_EQ(json["fetch_info"][other_xorb.hash.hex()][0]["range"], (Json{{"start", 0}, {"end", 3}}));
    const auto url = json["fetch_info"][other_xorb.hash.hex()][0]["url"].get<std::string>();
    EXPECT_EQ(client_.request("GET", target_of(url), {{"Range", "bytes=0-3"}}).status, 206);
  }
  const auto body = R"([{"prefix":"default","hash":")" + file_.hash.hex() + R"("}])";
  for (const auto* path : {"/v1/reconstructions", "/reconstructions"}) {
    const auto answer = client_.request("POST", path, {fixture_.reader()}, body);
    ASSERT_EQ(answer.status, 200);
    EXPECT_EQ(Json::parse(answer.body)["files"].size(), 1u);
  }
  EXPECT_EQ(get("/v1/reconstructions?").body, R"({"files":{},"fetch_info":{}})");
  EXPECT_EQ(get("/v1/reconstructions?file_id=zz").status, 400);
}

TEST_F(Reconstructions, OfMoreFilesThanABatchMayHaveAre413) {
  std::string body = "[";
  for (size_t i = 0; i < 1001; ++i)
    body += (i ? R"(,{"hash":")" : R"({"hash":")") + std::string(64, 'a') + R"("})";
  EXPECT_EQ(client_.request("POST", "/v1/reconstructions", {fixture_.reader()}, body + "]").status, 413);
}

TEST_F(Reconstructions, StopWorkingWhenTheirUrlsExpire) {
  const auto json = Json::parse(get(v2()).body);
  const auto target = target_of(json["xorbs"][xorb_.hash.hex()][0]["url"].get<std::string>());
  EXPECT_EQ(client_.request("GET", target, {{"Range", "bytes=0-9"}}).status, 206);
  fixture_.clock.advance(std::chrono::hours(1) + std::chrono::seconds(1));
  EXPECT_EQ(client_.request("GET", target, {{"Range", "bytes=0-9"}}).status, 403);
}

TEST_F(Reconstructions, TellSizes) {
  const auto answer = client_.request("HEAD", "/v1/files/" + file_.hash.hex(), {fixture_.reader()});
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("Content-Length"), std::to_string(size()));
  EXPECT_EQ(
      client_.request("HEAD", "/v1/files/" + FileHash{}.hex(), {fixture_.reader()}).header("Content-Length"),
      "0");
  EXPECT_EQ(client_.request("HEAD", "/v1/files/" + std::string(64, 'a'), {fixture_.reader()}).status, 404);
  EXPECT_EQ(get(v2()).status, 200) << "the connection is still in step";
}

TEST_F(Reconstructions, DedupQueriesAreAnsweredWithAShard) {
  // The first chunk of a file is one that can be asked for.
  for (const auto* prefix : {"default", "default-merkledb"}) {
    const auto target = "/v1/chunks/" + (prefix + ("/" + xorb_.chunk_hashes[0].hex()));
    const auto answer = client_.request("GET", target, {fixture_.writer()});
    ASSERT_EQ(answer.status, 200);
    EXPECT_EQ(answer.header("Content-Type"), "application/octet-stream");
    EXPECT_THAT(format::Shard::parse(as_byte_span(answer.body)), IsOk());
    EXPECT_EQ(get(target).status, 404) << "for uploads only";
  }
  for (const auto& target :
       {"/v1/chunks/default/" + std::string(64, 'b'), "/v1/chunks/other/" + xorb_.chunk_hashes[0].hex()})
    EXPECT_EQ(client_.request("GET", target, {fixture_.writer()}).status, 404);
}

}  // namespace
}  // namespace xet::testing

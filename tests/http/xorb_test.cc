// Xorbs taken in: POST, HEAD, and the three steps of a grant.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "codec/crc64.h"
#include "format/xorb_stream.h"
#include "http/http_fixture.h"
#include "support/faulty_calls.h"
#include "support/generators.h"

namespace xet::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using Json = nlohmann::json;

std::string path_of(const SampleXorb& xorb, std::string_view route = "xorbs") {
  return fmt::format("/v1/{}/default/{}", route, xorb.hash.hex());
}

/// The same bytes in chunks of a chunked body, none as long as the one before.
std::string chunked(std::string_view body) {
  std::string out;
  for (size_t step = 1; !body.empty(); step = step * 3 + 1) {
    const auto piece = body.substr(0, step);
    out += fmt::format("{:x}\r\n{}\r\n", piece.size(), piece);
    body.remove_prefix(piece.size());
  }
  return out + "0\r\n\r\n";
}

ByteVector with_footer(const SampleXorb& xorb) {
  codec::Codec codec;
  format::XorbStreamReader reader(codec, format::XorbStreamReader::Footer::kForbidden, {});
  if (!reader.feed(xorb.body)) throw std::runtime_error("sample");
  ByteVector out = xorb.body;
  reader.finish()->append_to(out);
  return out;
}

class Xorbs : public ::testing::Test {
 protected:
  HttpAnswer post(const SampleXorb& xorb, std::string_view body) {
    return client_.request("POST", path_of(xorb), {fixture_.writer()}, body);
  }
  HttpAnswer post(const SampleXorb& xorb) { return post(xorb, as_chars(xorb.body)); }
  int head(const SampleXorb& xorb) {
    return client_.request("HEAD", path_of(xorb), {fixture_.writer()}).status;
  }
  /// Objects and whatever an upload may have left beside them.
  std::vector<std::string> files() { return objects_in(fixture_.dir / "store"); }

  HttpFixture fixture_{[](auto& options) { options.admin_listen = "127.0.0.1:0"; }};
  RawClient client_ = fixture_.connect();
  const SampleXorb xorb_ = make_xorb(30, 1);
};

TEST_F(Xorbs, AreStoredOnce) {
  EXPECT_EQ(head(xorb_), 404);
  const auto first = post(xorb_);
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(first.body, R"({"was_inserted":true})");
  EXPECT_EQ(head(xorb_), 200);
  const auto again = post(xorb_);
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(again.body, R"({"was_inserted":false})");
}

TEST_F(Xorbs, MayComeChunkedAndWithTheirFooter) {
  const auto other = make_xorb(20, 2);
  const auto path = "/v1/xorbs/default-merkledb/" + other.hash.hex();
  client_.send(
      RawClient::head("POST", path, {{"Host", "h"}, {"Transfer-Encoding", "chunked"}, fixture_.writer()}));
  client_.send(chunked(as_chars(with_footer(other))));
  EXPECT_EQ(client_.read_answer().body, R"({"was_inserted":true})");
  EXPECT_EQ(head(other), 200);
}

TEST_F(Xorbs, OfManyPiecesArriveWhole) {
  // Larger than any buffer on the way, so that both buffers of the server go round.
  const auto large = make_xorb(40, 3, 100'000, 131'072);
  EXPECT_EQ(post(large).body, R"({"was_inserted":true})");
  auto stored = fixture_.service().open_xorb(large.hash);
  ASSERT_TRUE(stored.has_value());
  ByteVector bytes(large.body.size());
  ASSERT_TRUE(stored->object->read_at(0, bytes).has_value());
  EXPECT_EQ(bytes, large.body);
}

TEST_F(Xorbs, ThatAreNotWhatTheySayAreRefusedAndLeaveNothing) {
  const auto before = files();
  const auto body = as_chars(xorb_.body);
  std::string flipped(body);
  flipped[body.size() / 2] ^= 1;
  struct Case {
    const char* what;
    std::string body;
  };
  for (const auto& each :
       {Case{"truncated", std::string(body.substr(0, body.size() - 1))}, Case{"flipped", flipped},
        Case{"empty", ""}, Case{"trailing", std::string(body) + "x"},
        Case{"garbage", std::string(100'000, 'x')},
        Case{"another", std::string(as_chars(make_xorb(3, 7).body))}}) {
    const auto answer = post(xorb_, each.body);
    EXPECT_EQ(answer.status, 400) << each.what;
    EXPECT_THAT(answer.body, HasSubstr(xorb_.hash.hex())) << each.what;
    EXPECT_EQ(head(xorb_), 404) << each.what;
    EXPECT_EQ(files(), before) << each.what;
  }
  EXPECT_EQ(post(xorb_).status, 200) << "the right one still can come";
  EXPECT_EQ(fixture_.metric(R"(xet_verify_failures_total{kind="xorb"})"), 6);
}

TEST_F(Xorbs, ThatAreKnownAreVerifiedAllTheSame) {
  ASSERT_EQ(post(xorb_).status, 200);
  EXPECT_EQ(post(xorb_, "garbage").status, 400) << "who sends garbage does not learn that it is there";
}

TEST_F(Xorbs, LargerThanAllowedAreRefusedBeforeTheyCome) {
  HttpFixture fixture([](auto& options) { options.limits.xorb_body_bytes = 100'000; });
  auto client = fixture.connect();
  client.send(RawClient::head("POST", path_of(xorb_),
                              {{"Host", "h"}, {"Content-Length", "100001"}, fixture.writer()}));
  const auto answer = client.read_answer();
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.header("Connection"), "close");
  auto other = fixture.connect();
  other.send(RawClient::head("POST", path_of(xorb_),
                             {{"Host", "h"}, {"Transfer-Encoding", "chunked"}, fixture.writer()}));
  other.send("186a0\r\n" + std::string(100'000, 'x') + "\r\n");
  other.send("1\r\nx\r\n");
  const int status = other.read_answer().status;
  EXPECT_TRUE(status == 413 || status == 400) << status << ": too long, and garbage before that";
}

TEST_F(Xorbs, AreAskedForWhenTheClientWaitsForThat) {
  const HttpHeaders headers = {{"Host", "h"},
                               {"Content-Length", std::to_string(xorb_.body.size())},
                               {"Expect", "100-continue"},
                               fixture_.writer()};
  client_.send(RawClient::head("POST", path_of(xorb_), headers));
  EXPECT_EQ(client_.read_answer().status, 100);
  client_.send(xorb_.body);
  EXPECT_EQ(client_.read_answer().status, 200);
  EXPECT_EQ(head(xorb_), 200) << "the connection stays";
}

TEST_F(Xorbs, AreNotAskedForWhenTheyAreRefusedAnyway) {
  client_.send(RawClient::head("POST", path_of(xorb_),
                               {{"Host", "h"}, {"Content-Length", "1000000"}, {"Expect", "100-continue"}}));
  const auto answer = client_.read_answer();
  EXPECT_EQ(answer.status, 401);
  EXPECT_EQ(answer.header("Connection"), "close") << "the body may come or not";
}

TEST_F(Xorbs, ClientsThatSendOnSeeAnEarlyAnswer) {
  // More than all socket buffers hold: the server has to read on, or the client would see a reset.
  const std::string body(16 << 20, 'x');
  const auto answer = client_.request("POST", path_of(xorb_), {}, body);
  EXPECT_EQ(answer.status, 401);
  EXPECT_EQ(answer.header("Connection"), "close");
  client_.finish();
  EXPECT_TRUE(client_.is_closed_by_peer());
}

TEST_F(Xorbs, WhoseClientGoesAwayLeaveNothing) {
  const auto before = files();
  const auto large = make_xorb(40, 3, 100'000, 131'072);
  for (const bool reset : {false, true}) {
    auto client = fixture_.connect();
    client.send(RawClient::head(
        "POST", path_of(large),
        {{"Host", "h"}, {"Content-Length", std::to_string(large.body.size())}, fixture_.writer()}));
    client.send(ByteSpan(large.body).first(3'000'000));
    if (reset) {
      client.reset();
    } else {
      client.finish();
    }
    // Written when everything is given back but the slot.
    ASSERT_THAT(fixture_.wait_for_log_lines(reset ? 2 : 1), Contains(HasSubstr(R"("status":499)")));
  }
  ASSERT_TRUE(fixture_.wait_for_metric("xet_body_slots_used", 0));
  EXPECT_EQ(files(), before);
  EXPECT_EQ(head(large), 404);
  EXPECT_THAT(fixture_.wait_for_log_lines(3), Contains(HasSubstr(R"("status":499)")));
}

TEST_F(Xorbs, OnAFullDiskAre507AndEverythingElseGoesOn) {
  FaultyCalls calls;
  std::atomic<bool> full{false};
  calls.on_pwritev = [&](int, size_t, off_t) { return full ? -ENOSPC : FaultyCalls::kAll; };
  const io::ScopedSystemCalls scope(calls);
  HttpFixture fixture;
  auto client = fixture.connect();
  const auto stored = fixture.add_file(xorb_);
  full = true;
  const auto other = make_xorb(20, 2);
  const auto answer = client.request("POST", path_of(other), {fixture.writer()}, as_chars(other.body));
  EXPECT_EQ(answer.status, 507);
  EXPECT_EQ(client.request("GET", "/v2/reconstructions/" + stored.hash.hex(), {fixture.reader()}).status,
            200);
  EXPECT_EQ(client.request("GET", "/readyz").status, 200);
  full = false;
  EXPECT_EQ(client.request("POST", path_of(other), {fixture.writer()}, as_chars(other.body)).status, 200);
}

TEST_F(Xorbs, AreNotAcknowledgedWhenASyncFailsAndTheServerIsNotReadyThen) {
  FaultyCalls calls;
  std::atomic<bool> broken{false};
  calls.on_fsync = [&](int) { return broken ? EIO : 0; };
  const io::ScopedSystemCalls scope(calls);
  HttpFixture fixture;
  auto client = fixture.connect();
  const auto stored = fixture.add_file(xorb_);
  broken = true;
  const auto other = make_xorb(20, 2);
  const auto answer = client.request("POST", path_of(other), {fixture.writer()}, as_chars(other.body));
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(fixture.events().size(), 1u) << "the cause is in the log";
  EXPECT_EQ(client.request("GET", "/readyz").status, 503);
  EXPECT_EQ(client.request("GET", "/healthz").status, 200);
  EXPECT_EQ(client.request("GET", "/v2/reconstructions/" + stored.hash.hex(), {fixture.reader()}).status,
            200);
}

class Grants : public Xorbs {
 protected:
  static std::string wish(std::string_view body) {
    return fmt::format(R"({{"length":{},"checksum":{{"algo":"crc64nvme","value":"{}"}}}})", body.size(),
                       codec::crc64(as_byte_span(body)));
  }
  HttpAnswer ask(const SampleXorb& xorb, const std::string& body) {
    return client_.request("POST", path_of(xorb, "xorb-grants"), {fixture_.writer()}, body);
  }
  /// The grant for a body; the test fails when there is none.
  Json grant(const SampleXorb& xorb, std::string_view body) {
    const auto answer = ask(xorb, wish(body));
    EXPECT_EQ(answer.status, 201) << answer.body;
    return Json::parse(answer.body);
  }
  HttpAnswer put(const Json& grant, std::string_view body,
                 const HttpHeaders& headers = {{"if-none-match", "*"}}) {
    return client_.request("PUT", target_of(grant["url"].get<std::string>()), headers, body);
  }
  HttpAnswer commit(const SampleXorb& xorb, const std::string& id) {
    // As the genuine client does it: a POST with no word about a body.
    client_.send(RawClient::head("POST", path_of(xorb, "xorb-commits") + "/grant/" + id,
                                 {{"Host", "h"}, fixture_.writer()}));
    return client_.read_answer();
  }
};

TEST_F(Grants, LeadToAStoredXorb) {
  const auto body = as_chars(xorb_.body);
  const auto granted = grant(xorb_, body);
  EXPECT_EQ(granted["method"], "PUT");
  EXPECT_EQ(granted["headers"], (Json{{"if-none-match", "*"}}));
  EXPECT_THAT(granted["url"].get<std::string>(), HasSubstr("http://server.test/"));
  const auto id = granted["id"].get<std::string>();
  EXPECT_EQ(commit(xorb_, id).status, 404) << "nothing was put yet";
  const auto stored = put(granted, body);
  EXPECT_EQ(stored.status, 200);
  EXPECT_EQ(stored.header("Content-Length"), "0");
  EXPECT_EQ(commit(xorb_, id).status, 200);
  EXPECT_EQ(commit(xorb_, id).status, 200) << "again is fine";
  EXPECT_EQ(commit(xorb_, "any%20id").status, 200) << "whoever stored it";
  EXPECT_EQ(head(xorb_), 200);
  EXPECT_EQ(put(granted, body).status, 412) << "there already";
  EXPECT_EQ(put(granted, body, {}).status, 200) << "and who does not mind may send it again";
  const auto again = ask(xorb_, wish(body));
  EXPECT_EQ(again.status, 200) << "no grant for what is stored";
  EXPECT_EQ(again.body, "");
}

TEST_F(Grants, MayBeUsedChunked) {
  const auto body = as_chars(xorb_.body);
  const auto granted = grant(xorb_, body);
  client_.send(RawClient::head("PUT", target_of(granted["url"].get<std::string>()),
                               {{"Host", "h"}, {"Transfer-Encoding", "chunked"}}));
  client_.send(chunked(body));
  EXPECT_EQ(client_.read_answer().status, 200);
  EXPECT_EQ(head(xorb_), 200);
}

TEST_F(Grants, AreForTheBytesTheyWereAskedFor) {
  const auto body = as_chars(xorb_.body);
  const auto granted = grant(xorb_, body);
  const auto before = files();
  EXPECT_EQ(put(granted, std::string(body) + "x").status, 400) << "length";
  EXPECT_EQ(put(granted, body.substr(1)).status, 400) << "length";
  // What was changed on the way is 400, so that the client asks for another grant, wherever the change is.
  for (const size_t at : {size_t{0}, body.size() / 2, body.size() - 1}) {
    std::string flipped(body);
    flipped[at] ^= 1;
    EXPECT_EQ(put(granted, flipped).status, 400) << at;
  }
  EXPECT_EQ(files(), before);
  EXPECT_EQ(put(granted, body).status, 200) << "the grant still stands";
}

TEST_F(Grants, ForWhatIsNotTheXorbAre422) {
  // The bytes come as announced, but are something else: the client has to hear that from its POST.
  for (const std::string& body : {std::string(1000, 'x'), std::string(as_chars(make_xorb(5, 9).body))}) {
    EXPECT_EQ(put(grant(xorb_, body), body).status, 422);
    EXPECT_EQ(commit(xorb_, "x").status, 404);
    EXPECT_EQ(post(xorb_, body).status, 400);
  }
}

TEST_F(Grants, ExpireAndCannotBeForged) {
  const auto body = as_chars(xorb_.body);
  auto granted = grant(xorb_, body);
  auto forged = granted;
  auto url = granted["url"].get<std::string>();
  url.back() = url.back() == 'A' ? 'B' : 'A';
  forged["url"] = url;
  EXPECT_EQ(put(forged, body).status, 403);
  forged["url"] = "http://h/v1/xorb-uploads/x";
  EXPECT_EQ(put(forged, body).status, 403);
  fixture_.clock.advance(std::chrono::hours(1) + std::chrono::seconds(1));
  EXPECT_EQ(put(granted, body).status, 403);
  EXPECT_EQ(head(xorb_), 404);
}

TEST_F(Grants, AskedForInAStrangeWayAre400) {
  for (const std::string& body :
       {std::string(), std::string("{"),
        std::string(R"({"length":1,"checksum":{"algo":"crc64nvme","value":1}})"),
        std::string(R"({"length":0,"checksum":{"algo":"crc64nvme","value":"1"}})"),
        std::string(R"({"length":99999999999,"checksum":{"algo":"crc64nvme","value":"1"}})")}) {
    EXPECT_EQ(ask(xorb_, body).status, 400) << body;
  }
  EXPECT_EQ(ask(xorb_, std::string((1 << 20) + 1, ' ')).status, 413);
}

TEST_F(Grants, OtherMethodsAreNotThere) {
  // 405 or 501 would end the upload of the genuine client; 404 makes it go on.
  for (const auto* method : {"GET", "PUT", "DELETE", "HEAD", "BREW"}) {
    EXPECT_EQ(client_.request(method, path_of(xorb_, "xorb-grants"), {fixture_.writer()}).status, 404)
        << method;
  }
}

}  // namespace
}  // namespace xet::testing

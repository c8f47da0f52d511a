// What genuine clients asked and were answered, asked of our server: the same, but for URLs and for what it
// does better on purpose.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <map>
#include <nlohmann/json.hpp>

#include "codec/codec.h"
#include "format/shard.h"
#include "format/xorb_stream.h"
#include "http/http_fixture.h"

namespace xet::testing {
namespace {

using Json = nlohmann::json;

ByteVector golden(const std::string& name) {
  return read_bytes(test_data("golden/" + name));
}

/// The recorded xorb of the newer client holds the chunks of the older one's, in another order.
ByteVector reordered_xorb(const format::Shard& shard) {
  std::map<ChunkHash, ByteVector> by_hash;
  codec::Codec codec;
  format::XorbStreamReader reader(
      codec, format::XorbStreamReader::Footer::kForbidden, [&](const format::StreamedChunk& chunk) -> Status {
        by_hash[chunk.hash] = ByteVector(chunk.encoded.begin(), chunk.encoded.end());
        return {};
      });
  if (!reader.feed(golden("xorb/recorded.bin"))) throw std::runtime_error("golden xorb");
  ByteVector out;
  for (const auto& chunk : shard.xorbs.at(0).chunks) append_bytes(out, by_hash.at(chunk.hash));
  return out;
}

/// URLs lead to wherever their server likes.
void forget_urls(Json& json) {
  if (json.is_object() && json.contains("url")) json["url"] = "URL";
  for (auto& each : json) {
    if (each.is_structured()) forget_urls(each);
  }
}

class RecordedExchanges : public ::testing::TestWithParam<std::string> {
 protected:
  RecordedExchanges() {
    const auto version = GetParam() == "1.8" ? "_1_8.bin" : "_1_6.bin";
    upload_ = golden(std::string("shard/upload") + version);
    edited_ = golden(std::string("shard/edited") + version);
    shard_ = *format::Shard::parse(upload_);
    xorb_ = GetParam() == "1.8" ? golden("xorb/recorded.bin") : reordered_xorb(shard_);
  }

  std::string_view body_of(const Json& exchange) {
    if (exchange.contains("request_body")) {
      body_ = exchange["request_body"].get<std::string>();
      return body_;
    }
    if (!exchange.contains("request_body_file")) return {};
    const auto name = exchange["request_body_file"].get<std::string>();
    if (name.ends_with("xorb.bin")) return as_chars(xorb_);
    return as_chars(n_shards_++ == 0 ? upload_ : edited_);
  }

  /// Where our server has what the recorded one had elsewhere.
  std::string target_of_ours(const std::string& path, const std::string& method) {
    if (method == "PUT") return target_of(grant_["url"].get<std::string>());
    if (const size_t at = path.find("/grant/"); at != std::string::npos) {
      return path.substr(0, at + 7) + grant_["id"].get<std::string>();
    }
    if (path.starts_with("/v1/fetch_term")) return target_of(urls_.at(path));
    return path;
  }

  void learn_urls(const Json& theirs, const Json& ours) {
    if (theirs.is_object() && theirs.contains("url") && ours.contains("url")) {
      urls_[target_of(theirs["url"].get<std::string>())] = ours["url"].get<std::string>();
    }
    if (!theirs.is_structured()) return;
    auto other = ours.begin();
    for (auto each = theirs.begin(); each != theirs.end() && other != ours.end(); ++each, ++other) {
      learn_urls(*each, *other);
    }
  }

  HttpFixture fixture_;
  RawClient client_ = fixture_.connect();
  ByteVector upload_, edited_, xorb_;
  format::Shard shard_;
  size_t n_shards_ = 0;
  std::string body_;
  Json grant_;
  std::map<std::string, std::string> urls_;
};

TEST_P(RecordedExchanges, GetTheSameAnswers) {
  const auto recorded = Json::parse(as_chars(golden("wire/" + GetParam() + "/exchanges.json")));
  ASSERT_GT(recorded.size(), 20u);
  for (const auto& exchange : recorded) {
    const auto method = exchange["method"].get<std::string>();
    const auto path = exchange["path"].get<std::string>();
    const auto what = fmt::format("{} {} {} {}", GetParam(), exchange["n"].get<std::string>(), method, path);
    HttpHeaders headers = {fixture_.writer()};
    for (const auto& [name, value] : exchange["request_headers"].items()) {
      if (name != "host" && name != "content-length") headers.emplace_back(name, value.get<std::string>());
    }
    if (path.starts_with("/v1/fetch_term") && !urls_.contains(path)) continue;  // of a plan that differs
    const auto body = body_of(exchange);
    const auto answer = client_.request(method, target_of_ours(path, method), headers, body);

    int expected = exchange["status"].get<int>();
    const bool is_unknown_file = path.find("abababab") != std::string::npos;
    if (is_unknown_file) expected = 404;  // that server says 416, the service 404
    // That server's old URLs carry no range, and it answers 200 to a part.
    if (path.starts_with("/v1/fetch_term")) expected = 206;
    ASSERT_EQ(answer.status, expected) << what << "\n" << answer.body;

    const std::string theirs = exchange.value("response_body", std::string());
    if (method == "HEAD") {
      EXPECT_EQ(answer.header("Content-Length"),
                exchange["response_headers"]["content-length"].get<std::string>());
    } else if (path.starts_with("/v1/fetch_term")) {
      const auto range = exchange["request_headers"]["range"].get<std::string>();
      const auto first = std::stoul(range.substr(6));
      const auto last = std::stoul(range.substr(range.find('-') + 1));
      EXPECT_EQ(answer.body, as_chars(ByteSpan(xorb_).subspan(first, last - first + 1))) << what;
    } else if (path.starts_with("/v1/xorb-grants")) {
      grant_ = Json::parse(answer.body);
      const auto recorded_grant = Json::parse(theirs);
      EXPECT_EQ(grant_["method"], recorded_grant["method"]);
      EXPECT_EQ(grant_["headers"], recorded_grant["headers"]);
      EXPECT_EQ(grant_.size(), recorded_grant.size());
    } else if (path == "/v2/shards") {
      std::vector<std::string> types;
      for (std::string_view rest = answer.body; !rest.empty(); rest.remove_prefix(rest.find('\n') + 1)) {
        types.push_back(Json::parse(rest.substr(0, rest.find('\n')))["type"]);
      }
      ASSERT_GE(types.size(), 4u);
      EXPECT_EQ(types.front(), "validating");
      EXPECT_EQ(types.back(), "result");
      EXPECT_EQ(answer.header("Content-Type"),
                exchange["response_headers"]["content-type"].get<std::string>());
    } else if (path.starts_with("/v1/chunks") && answer.status == 200) {
      // Ours keys the chunks and leaves the files out, so that it tells nobody what he does not know.
      const auto shard = format::Shard::parse(as_byte_span(answer.body));
      ASSERT_TRUE(shard.has_value());
      EXPECT_TRUE(shard->files.empty());
      EXPECT_EQ(shard->xorbs.size(), 1u);
      EXPECT_EQ(shard->xorbs[0].hash, shard_.xorbs[0].hash);
    } else if (answer.header("Content-Type") == "application/json") {
      auto ours = Json::parse(answer.body);
      auto recorded_body = Json::parse(theirs);
      if (GetParam() == "1.8" && path.find("/da450af8") != std::string::npos) {
        // Registered twice, the second time from other chunks. There the last one counts, here the first.
        EXPECT_EQ(ours["terms"][0]["unpacked_length"], 1'400'017);
        continue;
      }
      learn_urls(recorded_body, ours);
      forget_urls(ours);
      forget_urls(recorded_body);
      if (path == "/v1/shards") ours.erase("shard_hash");
      EXPECT_EQ(ours, recorded_body) << what;
    } else if (answer.status == 200) {
      EXPECT_EQ(answer.body, theirs) << what;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Clients, RecordedExchanges, ::testing::Values("1.6", "1.8"),
                         [](const auto& version) { return version.param == "1.6" ? "V1_6" : "V1_8"; });

}  // namespace
}  // namespace xet::testing

// What the genuine client 1.8.0 sent to its test server, and what that answered: our requests for the same
// things have to be the same.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "cas/http_fixture.h"
#include "cas/http_range.h"
#include "support/temp_dir.h"

namespace xet::cas {
namespace {

using nlohmann::json;
using testing::HttpFixture;
using testing::IsOk;
using testing::Reply;
using testing::reply;
using testing::SentRequest;

const std::string kServer = "http://127.0.0.1:18091";

std::string text_of(const std::string& name) {
  const auto bytes = testing::read_bytes(testing::test_data("golden/" + name));
  return std::string(as_chars(bytes));
}

/// The recorded answer, with the body where it is kept.
Reply recorded_reply(const json& exchange, const std::string& xorb) {
  net::Headers headers;
  for (const auto& [name, value] : exchange["response_headers"].items()) {
    if (exchange["method"] != "HEAD" && name == "content-length") continue;
    headers.push_back({name, value});
  }
  std::string body = exchange.value("response_body", "");
  if (body.find(": the xorb bytes of the Range") != std::string::npos) {
    const std::string range = exchange["request_headers"]["range"];
    const auto bytes = parse_content_range("bytes " + range.substr(6) + "/*").value().bytes;
    body = xorb.substr(bytes.begin, bytes.size());
  }
  if (exchange.contains("response_body_file")) body = text_of("shard/dedup_1_8.bin");
  return reply(exchange["status"], body, std::move(headers));
}

class RecordedExchanges : public ::testing::Test {
 protected:
  void open(const std::string& generation) {
    exchanges_ = json::parse(text_of("wire/" + generation + "/exchanges.json"));
    http_.emplace([this](const SentRequest& request) { return answer(request); },
                  [](HttpCasOptions& options) {
                    options.endpoint = kServer;
                    options.user_agent = "hf_xet/1.8.0";
                    options.session_id = "";
                  });
  }
  const json& exchange(size_t n) const { return exchanges_.at(n); }

  Reply answer(const SentRequest& request) {
    for (const auto& one : exchanges_) {
      if (one["method"] == request.method && one["path"] == request.path() &&
          one["request_headers"].value("range", "") == request.header("Range"))
        return recorded_reply(one, xorb_);
    }
    return reply(599,
                 "not recorded: " + request.method + " " + request.path() + " " + request.header("Range"));
  }

  /// What we sent as request `ours` against the recorded one.
  void expect_same(size_t ours, size_t recorded, const std::string& body = {}) {
    const auto sent = http_->transport->requests().at(ours);
    const auto& wanted = exchange(recorded);
    EXPECT_EQ(sent.method, std::string(wanted["method"]));
    EXPECT_EQ(sent.url, kServer + std::string(wanted["path"]));
    for (const auto& [name, value] : wanted["request_headers"].items()) {
      if (name == "host" || name == "accept") continue;  // the transport's
      if (name == "content-length") {
        EXPECT_EQ(std::to_string(sent.body.size()), std::string(value));
        EXPECT_TRUE(sent.has_body);
      } else {
        EXPECT_EQ(sent.header(name), std::string(value)) << name;
      }
    }
    EXPECT_EQ(sent.has_body, wanted["request_headers"].contains("content-length"));
    for (const auto& header : sent.headers) {
      if (header.name == "X-Xet-Session-Id") continue;  // left out of the records: it changes
      std::string name = header.name;
      std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
      EXPECT_TRUE(wanted["request_headers"].contains(name)) << header.name;
    }
    EXPECT_EQ(sent.header("X-Xet-Session-Id").size(), 36u);
    EXPECT_EQ(sent.body, wanted.contains("request_body") ? std::string(wanted["request_body"]) : body);
  }

  static FileHash file_of(const json& exchange) {
    const std::string path = exchange["path"];
    return FileHash::from_hex(path.substr(path.rfind('/') + 1)).value();
  }

  json exchanges_;
  const std::string xorb_ = text_of("xorb/recorded.bin");
  std::optional<HttpFixture> http_;
};

TEST_F(RecordedExchanges, UploadOf18) {
  open("1.8");
  const std::string path = exchange(6)["path"];
  const auto xorb = XorbHash::from_hex(path.substr(path.rfind('/') + 1)).value();
  const std::string chunk_path = exchange(0)["path"];
  const auto miss =
      http_->query_dedup(ChunkHash::from_hex(chunk_path.substr(chunk_path.rfind('/') + 1)).value());
  ASSERT_THAT(miss, IsOk());
  EXPECT_FALSE(miss->has_value());
  expect_same(0, 0);

  const auto put = http_->put_xorb(xorb, xorb_);
  ASSERT_THAT(put, IsOk());
  EXPECT_TRUE(put->was_inserted);
  EXPECT_EQ(put->sent_bytes, xorb_.size());
  expect_same(1, 6);
  expect_same(2, 7, xorb_);
  expect_same(3, 8);

  const auto shard = text_of("shard/upload_1_8.bin");
  EXPECT_THAT(http_->put_shard(shard), IsOk());
  expect_same(4, 9, shard);
}

TEST_F(RecordedExchanges, DedupAnswerOf18) {
  open("1.8");
  const std::string path = exchange(10)["path"];
  // the first of these queries was a miss, so only this one is asked for here
  exchanges_.erase(exchanges_.begin(), exchanges_.begin() + 10);
  const auto hit = http_->query_dedup(ChunkHash::from_hex(path.substr(path.rfind('/') + 1)).value());
  ASSERT_THAT(hit, IsOk());
  ASSERT_TRUE(hit->has_value());
  EXPECT_EQ(as_chars(**hit), text_of("shard/dedup_1_8.bin"));
}

TEST_F(RecordedExchanges, DownloadOf18) {
  open("1.8");
  size_t ours = 0;
  size_t n_fetched = 0;
  for (size_t i = 12; i < exchanges_.size(); ++i) {
    if (std::string(exchange(i)["path"]).find("/v2/reconstructions/") == std::string::npos) continue;
    const std::string range = exchange(i)["request_headers"]["range"];
    const auto bytes = parse_content_range("bytes " + range.substr(6) + "/*").value().bytes;
    const auto plan = http_->reconstruct(file_of(exchange(i)), bytes);
    ASSERT_THAT(plan, IsOk());
    expect_same(ours++, i);
    uint64_t length = 0;
    for (const auto& term : plan->terms) length += term.unpacked_len;
    EXPECT_EQ(length, bytes.size());
    for (const auto& [xorb, fetches] : plan->fetches) {
      for (const auto& fetch : fetches) {
        EXPECT_EQ(http_->fetch(xorb, fetch).value(), xorb_.substr(fetch.bytes.begin, fetch.bytes.size()));
        const auto sent = http_->transport->requests().at(ours++);
        size_t n_same = 0;
        for (size_t j = 12; j < exchanges_.size(); ++j) {
          if (exchange(j)["path"] != sent.path()) continue;
          expect_same(ours - 1, j);
          ++n_same;
        }
        EXPECT_GE(n_same, 1u);
        ++n_fetched;
      }
    }
  }
  EXPECT_GE(n_fetched, 6u);
}

TEST_F(RecordedExchanges, BothFormsOf16SayTheSame) {
  open("1.6");
  std::map<std::string, std::map<std::string, json>> by_question;  // "file range" -> version -> exchange
  size_t n_heads = 0;
  for (const auto& one : exchanges_) {
    const std::string path = one["path"];
    if (one["method"] == "HEAD") {
      EXPECT_EQ(std::to_string(http_->file_size(file_of(one)).value()),
                std::string(one["response_headers"]["content-length"]));
      ++n_heads;
    }
    if (path.find("/reconstructions/") == std::string::npos) continue;
    by_question[path.substr(4) + " " + one["request_headers"].value("range", "")][path.substr(0, 4)] = one;
  }
  EXPECT_EQ(n_heads, 3u);
  size_t n_compared = 0;
  for (const auto& [question, versions] : by_question) {
    if (versions.size() < 2 || versions.at("/v1/")["status"] != 200) continue;
    std::optional<ByteRange> range;
    if (const auto text = versions.at("/v1/")["request_headers"].value("range", ""); !text.empty())
      range = parse_content_range("bytes " + text.substr(6) + "/*").value().bytes;
    std::vector<Reconstruction> plans;
    for (const uint64_t version : {1, 2}) {
      HttpFixture http([this](const SentRequest& request) { return answer(request); },
                       [&](HttpCasOptions& options) {
                         options.endpoint = kServer;
                         options.reconstruction_api_version = version;
                       });
      const auto plan = http.reconstruct(file_of(versions.at("/v1/")), range);
      ASSERT_THAT(plan, IsOk()) << question;
      plans.push_back(*plan);
    }
    EXPECT_EQ(plans[0].offset_into_first_term, plans[1].offset_into_first_term);
    ASSERT_EQ(plans[0].terms.size(), plans[1].terms.size());
    for (const auto& [xorb, fetches] : plans[0].fetches) {
      const auto& others = plans[1].fetches.at(xorb);
      ASSERT_EQ(fetches.size(), others.size());
      for (size_t i = 0; i < fetches.size(); ++i) {
        EXPECT_EQ(fetches[i].chunks, others[i].chunks);
        EXPECT_EQ(fetches[i].bytes, others[i].bytes);
      }
    }
    ++n_compared;
  }
  EXPECT_EQ(n_compared, 3u);
}

}  // namespace
}  // namespace xet::cas

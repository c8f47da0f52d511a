// Whole uploads and downloads over real connections to a server that misbehaves.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>
#include <chrono>

#include "cas/cas_server.h"
#include "cas/http_cas.h"
#include "net/curl_transport.h"
#include "session/pipelines.h"
#include "support/generators.h"
#include "support/matchers.h"
#include "support/temp_dir.h"

namespace xet::cas {
namespace {

using namespace std::chrono_literals;
using testing::CasServer;
using testing::FailsWith;
using ::testing::HasSubstr;
using testing::IsOk;
using ::testing::Not;
using ::testing::SizeIs;
using Exchange = CasServer::Exchange;

constexpr size_t kContentBytes = 600'000;

class HttpFaults : public ::testing::Test {
 protected:
  void serve(CasServer::Options options = {}) { server_ = std::make_unique<CasServer>(std::move(options)); }

  std::shared_ptr<Client> client(const std::function<void(HttpCasOptions&)>& edit = {}) {
    HttpCasOptions options;
    options.endpoint = server_->url();
    options.transport = net::CurlTransport::make({});
    options.retry.base = 1ms;
    options.retry.cap = 4ms;
    options.on_trouble = [this](std::string_view line) { trouble_.lock()->emplace_back(line); };
    if (edit) edit(options);
    auto cas = open_http_cas(std::move(options));
    EXPECT_THAT(cas, IsOk());
    return testing::client_of(std::shared_ptr<Cas>(std::move(*cas)));
  }

  /// A file in the store, put there without HTTP.
  FileHash stored_file() {
    std::vector<ByteVector> chunks;
    for (size_t i = 0; i < 12; ++i) {
      const auto at = ByteSpan(content_).subspan(i * (kContentBytes / 12), kContentBytes / 12);
      chunks.emplace_back(at.begin(), at.end());
    }
    return server_->store().add_file(chunks);
  }

  void expect_downloads(const std::shared_ptr<Client>& from, const FileHash& file) {
    const auto got = testing::download(from, file);
    ASSERT_THAT(got, IsOk());
    EXPECT_TRUE(*got == content_);
  }

  void expect_no_file(const std::shared_ptr<Client>& from, const FileHash& file, ErrorCode code) {
    const testing::TempDir dir;
    DownloadSession session(from, {});
    session.add({.file = file, .destination = dir / "out"});
    const auto results = session.wait();
    ASSERT_THAT(results, SizeIs(1));
    EXPECT_THAT(results[0], FailsWith(code));
    if (!results[0]) {
      EXPECT_THAT(results[0].error().message, Not(HasSubstr("SECRET")));
    }
    EXPECT_THAT(testing::names_in(dir.path()), SizeIs(0));
  }

  void expect_uploads(const std::shared_ptr<Client>& to) {
    const auto report = testing::upload(to, {content_});
    ASSERT_THAT(report, IsOk());
    ASSERT_THAT(report->files.at(0), IsOk());
    EXPECT_TRUE(server_->store().content(report->files[0]->hash) == content_);
    for (const auto& line : *trouble_.lock()) EXPECT_THAT(line, Not(HasSubstr("SECRET")));
  }

  const ByteVector content_ = testing::random_bytes(kContentBytes, 1);
  Sync<std::vector<std::string>> trouble_;
  std::unique_ptr<CasServer> server_;
};

TEST_F(HttpFaults, WithoutFaultsThereAndBack) {
  for (const bool has_v2 : {true, false}) {
    for (const bool has_grants : {true, false}) {
      serve({.has_v2 = has_v2, .has_grants = has_grants});
      const auto both = client();
      const auto report = testing::upload(both, {content_, {}});
      ASSERT_THAT(report, IsOk());
      expect_downloads(both, report->files[0].value().hash);
      EXPECT_EQ(testing::download(both, report->files[1].value().hash).value().size(), 0u);
      EXPECT_THAT(testing::stream(both, report->files[0]->hash, FileRange{1000, 2000}), IsOk());
    }
  }
}

TEST_F(HttpFaults, AFlippedBitGivesNoFile) {
  serve();
  const auto file = stored_file();
  const auto from = client();
  std::atomic<size_t> position = 0;
  server_->intercept = [&](Exchange& exchange) {
    if (!CasServer::is_data(exchange)) return false;
    server_->send_data(exchange, [&](std::string& bytes) { bytes[position % bytes.size()] ^= 4; });
    return true;
  };
  for (position = 0; position < kContentBytes; position += 37'123)
    expect_no_file(from, file, ErrorCode::kCorruption);
  for (position = 0; position < 8; ++position) expect_no_file(from, file, ErrorCode::kCorruption);
  server_.reset();  // its handlers use what is above
}

TEST_F(HttpFaults, WrongBytesGiveNoFile) {
  serve();
  const auto file = stored_file();
  const auto from = client();
  testing::Hook<void(Exchange&)> answer;
  server_->intercept = [&](Exchange& exchange) {
    if (CasServer::is_data(exchange)) answer.get()(exchange);
    return CasServer::is_data(exchange);
  };
  const auto check = [&](std::function<void(Exchange&)> how, ErrorCode code = ErrorCode::kCorruption) {
    answer = std::move(how);
    expect_no_file(from, file, code);
  };
  check([&](auto& exchange) {  // another range, and it says so
    exchange.respond(206, {{"Content-Range", "bytes 1-1000/*"}}, std::string(1000, 'x'));
  });
  check([&](auto& exchange) {  // and it does not
    auto bytes = server_->data_for(exchange);
    std::rotate(bytes.begin(), bytes.begin() + 1, bytes.end());
    exchange.respond(206, {}, bytes);
  });
  check([&](auto& exchange) { exchange.respond(206, {}, server_->data_for(exchange) + "x"); });
  check([&](auto& exchange) { exchange.respond(206, {}, server_->data_for(exchange).substr(1)); });
  check([&](auto& exchange) { exchange.respond(200, {}, "<html>log in</html>"); });
  check([&](auto& exchange) { exchange.respond(404); }, ErrorCode::kNotFound);
  check([&](auto& exchange) { exchange.respond(403); }, ErrorCode::kUnauthorized);
  check([&](auto& exchange) { exchange.respond(500); }, ErrorCode::kUnavailable);
  check([&](auto& exchange) { exchange.reset(); }, ErrorCode::kUnavailable);
  server_.reset();  // its handlers use what is above
}

TEST_F(HttpFaults, TruncatedBodiesAreCompleted) {
  serve();
  const auto file = stored_file();
  const auto from = client();
  std::atomic<size_t> keep = 0;
  std::atomic<size_t> n_cut = 0;
  server_->intercept = [&](Exchange& exchange) {
    if (!CasServer::is_data(exchange) || n_cut++ > 0) return false;
    const auto bytes = server_->data_for(exchange);
    exchange.head(206, {{"Content-Length", std::to_string(bytes.size())}});
    exchange.raw(std::string_view(bytes).substr(0, keep));
    exchange.close_gently();
    return true;
  };
  for (keep = 0; keep < kContentBytes; keep += 50'021) {
    n_cut = 0;
    expect_downloads(from, file);
    EXPECT_GE(n_cut, 2u);
  }
  server_.reset();  // its handlers use what is above
}

TEST_F(HttpFaults, AResetAtEveryKthByte) {
  serve();
  const auto file = stored_file();
  const auto from = client();
  for (const size_t k : {7'001, 50'000, 131'072, 599'999}) {
    server_->intercept = [&, k](Exchange& exchange) {
      if (!CasServer::is_data(exchange)) return false;
      const auto bytes = server_->data_for(exchange);
      if (bytes.size() <= k) return false;
      exchange.head(206, {{"Content-Length", std::to_string(bytes.size())}});
      exchange.raw(std::string_view(bytes).substr(0, k));
      exchange.close_gently();  // so that the k bytes surely arrive
      return true;
    };
    expect_downloads(from, file);
  }
  // a reset may take bytes with it: there is progress now and then only
  std::atomic<size_t> nth = 0;
  server_->intercept = [&](Exchange& exchange) {
    if (!CasServer::is_data(exchange) || nth++ % 2 == 1) return false;
    const auto bytes = server_->data_for(exchange);
    exchange.head(206, {{"Content-Length", std::to_string(bytes.size())}});
    exchange.raw(std::string_view(bytes).substr(0, bytes.size() / 2));
    exchange.reset();
    return true;
  };
  expect_downloads(from, file);
  server_.reset();  // its handlers use what is above
}

TEST_F(HttpFaults, StormsPass) {
  for (const int status : {429, 503, 500, 408}) {
    for (const bool says_when : {false, true}) {
      serve();
      std::atomic<size_t> n = 0;
      server_->intercept = [&, status, says_when](Exchange& exchange) {
        // two of three
        if (n++ % 3 == 2) return false;
        exchange.respond(status, says_when ? net::Headers{{"Retry-After", "0"}} : net::Headers{});
        return true;
      };
      const auto both = client([](auto& options) { options.retry.max_retries = 30; });
      expect_uploads(both);
      expect_downloads(both, stored_file());
      server_.reset();  // its handlers use what is above
    }
  }
}

TEST_F(HttpFaults, RetryAfterIsObeyed) {
  serve();
  const auto file = stored_file();
  std::atomic<bool> first = true;
  server_->intercept = [&](Exchange& exchange) {
    if (!first.exchange(false)) return false;
    exchange.respond(503, {{"Retry-After", "1"}});
    return true;
  };
  const auto begin = std::chrono::steady_clock::now();
  expect_downloads(client(), file);
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_GE(took, 1s);
  EXPECT_LT(took, 10s);
  server_.reset();  // its handlers use what is above
}

TEST_F(HttpFaults, ABlackHoleInTheMiddleIsLeft) {
  serve();
  const auto file = stored_file();
  const auto from = client([](auto& options) { options.patience.stall = 1s; });
  std::atomic<bool> first = true;
  for (const size_t k : {0, 1, 100'000}) {
    first = true;
    server_->intercept = [&, k](Exchange& exchange) {
      if (!CasServer::is_data(exchange) || !first.exchange(false)) return false;
      const auto bytes = server_->data_for(exchange);
      exchange.head(206, {{"Content-Length", std::to_string(bytes.size())}});
      exchange.raw(std::string_view(bytes).substr(0, k));
      exchange.black_hole();
      return true;
    };
    const auto begin = std::chrono::steady_clock::now();
    expect_downloads(from, file);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
  }
  server_.reset();  // its handlers use what is above
}

TEST_F(HttpFaults, SilenceBeforeTheAnswerIsLeft) {
  serve();
  const auto file = stored_file();
  std::atomic<size_t> nth = 0;
  server_->intercept = [&](Exchange& exchange) {
    if (nth++ % 2 == 1) return false;
    exchange.black_hole();
    return true;
  };
  const auto begin = std::chrono::steady_clock::now();
  expect_downloads(client([](auto& options) { options.patience.answer = 1s; }), file);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
  server_.reset();  // its handlers use what is above
}

TEST_F(HttpFaults, UrlsThatAreGoodOnce) {
  serve();
  const auto file = stored_file();
  Sync<std::set<uint64_t>> used;
  server_->is_url_good = [&](uint64_t serial) { return used.lock()->insert(serial).second; };
  server_->intercept = [&](Exchange& exchange) {
    if (!CasServer::is_data(exchange) || server_->n_urls() >= 6) return false;
    // good once, and then it breaks
    const auto& target = exchange.request().target;
    if (!server_->is_url_good.get()(std::stoull(target.substr(target.find("serial=") + 7)))) {
      exchange.respond(403);
      return true;
    }
    const auto bytes = server_->data_for(exchange);
    exchange.head(206, {{"Content-Length", std::to_string(bytes.size())}});
    exchange.raw(std::string_view(bytes).substr(0, bytes.size() / 3));
    exchange.close_gently();
    return true;
  };
  expect_downloads(client(), file);
  EXPECT_GE(server_->n_urls(), 6u);
  server_.reset();  // its handlers use what is above
}

TEST_F(HttpFaults, TokensThatEndInTheMiddle) {
  serve({.checks_tokens = true});
  std::atomic<size_t> n = 0;
  server_->intercept = [&](Exchange&) {
    if (n++ % 3 == 2) server_->new_token();
    return false;
  };
  const auto both = client([this](auto& options) {
    options.credentials.refresh = [this]() -> Result<AccessToken> { return AccessToken{server_->token()}; };
  });
  expect_uploads(both);
  const auto file = stored_file();
  for (int i = 0; i < 5; ++i) expect_downloads(both, file);
  server_.reset();  // its handlers use what is above
}

TEST_F(HttpFaults, BrokenUploadsAreRepeated) {
  for (const std::string path : {"/v1/xorb-grants/", "/upload/", "/v1/xorb-commits/", "/v2/shards"}) {
    for (int how = 0; how < 4; ++how) {
      serve();
      std::atomic<bool> first = true;
      server_->intercept = [&, how](Exchange& exchange) {
        if (!exchange.request().path().starts_with(path) || !first.exchange(false)) return false;
        if (how == 0) exchange.reset();
        if (how == 1) {
          exchange.read_some(1000);
          exchange.reset();
        }
        if (how == 2) {
          (void)exchange.body();
          exchange.close();
        }
        if (how == 3) {
          (void)exchange.body();
          exchange.head(200, {{"Content-Length", "1000"}});
          exchange.raw("x");
          exchange.close_gently();
        }
        return true;
      };
      expect_uploads(client());
      EXPECT_FALSE(first) << path;
      server_.reset();  // its handlers use what is above
    }
  }
}

TEST_F(HttpFaults, ABlackHoleInAnUploadIsLeft) {
  // the receive buffer is small, so that most of the body stays with the client
  serve({.receive_buffer_bytes = 4096});
  std::atomic<bool> first = true;
  server_->intercept = [&](Exchange& exchange) {
    if (!exchange.request().path().starts_with("/upload/") || !first.exchange(false)) return false;
    exchange.read_some(10'000);
    exchange.black_hole();
    return true;
  };
  const auto begin = std::chrono::steady_clock::now();
  expect_uploads(client([](auto& options) {
    options.patience.stall = 1s;
    options.patience.slow_answer = 1s;
  }));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
  server_.reset();  // its handlers use what is above
}

TEST_F(HttpFaults, AnEarlyRefusalIsUnderstood) {
  serve({.has_grants = false});
  server_->intercept = [&](Exchange& exchange) {
    if (!exchange.request().path().starts_with("/v1/xorbs/")) return false;
    exchange.respond(413, {{"Connection", "close"}}, "too large for this store");
    exchange.close_gently();
    return true;
  };
  EXPECT_THAT(testing::upload(client(), {content_}),
              FailsWith(ErrorCode::kRefused, "too large for this store"));
  server_.reset();  // its handlers use what is above
}

TEST_F(HttpFaults, AShardStreamThatIsCutOrDoesNotEnd) {
  for (int how = 0; how < 3; ++how) {
    serve();
    std::atomic<bool> first = true;
    server_->intercept = [&, how](Exchange& exchange) {
      if (!exchange.request().path().starts_with("/v2/shards") || !first.exchange(false)) return false;
      (void)exchange.body();
      exchange.head(200, {{"Transfer-Encoding", "chunked"}});
      exchange.chunk("{\"type\":\"validating\",\"verified\":0,\"total\":1}\n");
      if (how == 0) exchange.close_gently();
      if (how == 1) exchange.black_hole();
      if (how == 2) {
        exchange.chunk("{\"type\":\"error\",\"message\":\"busy\",\"retryable\":true}\n");
        exchange.chunk("");
      }
      return true;
    };
    expect_uploads(client([](auto& options) {
      options.patience.stall = 1s;
      options.patience.frames = 1s;
    }));
    server_.reset();  // its handlers use what is above
  }
}

TEST_F(HttpFaults, AServerThatIsGoneIsUnavailable) {
  serve();
  const auto both = client([](auto& options) { options.retry.max_retries = 1; });
  const auto file = stored_file();
  server_.reset();
  expect_no_file(both, file, ErrorCode::kUnavailable);
  EXPECT_THAT(testing::upload(both, {content_}), FailsWith(ErrorCode::kUnavailable));
}

TEST_F(HttpFaults, AStopEndsEverythingAtOnce) {
  serve();
  const auto file = stored_file();
  server_->intercept = [&](Exchange& exchange) {
    exchange.black_hole();
    return true;
  };
  const auto both = client();
  const testing::StopSource stop;
  std::jthread stopper([&] {
    (void)server_->http().wait_until([&] { return server_->http().n_requests() > 0; });
    (void)stop.request_stop();
  });
  const testing::TempDir dir;
  DownloadSession session(both, {.session = {.stop = stop.get_token()}});
  session.add({.file = file, .destination = dir / "out"});
  EXPECT_THAT(session.wait().at(0), FailsWith(ErrorCode::kCancelled));
  server_.reset();  // its handlers use what is above
}

TEST_F(HttpFaults, MultirangeIsTheSameFile) {
  serve();
  const auto file = stored_file();
  // this storage knows no multipart: every try ends in single ranges
  expect_downloads(client([](auto& options) { options.enable_multirange_fetching = true; }), file);
}

}  // namespace
}  // namespace xet::cas

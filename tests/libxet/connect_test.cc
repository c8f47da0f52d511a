#include <fmt/format.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "libxet/session_support.h"

namespace xet {
namespace {

using namespace testing;

class Connect : public NothingLeft {
 protected:
  /// All three kinds of groups, with what they say when they cannot be made.
  static std::vector<Result<bool>> all(Session& session, const ConnectOptions& options) {
    const auto made = [](const auto& group) -> Result<bool> {
      if (!group) return tl::unexpected(group.error());
      return true;
    };
    return {made(session.new_upload_commit(options)), made(session.new_file_download_group(options)),
            made(session.new_download_stream_group(options))};
  }
  static ConnectOptions refreshing(std::string url) {
    ConnectOptions out;
    out.http.refresh_url = std::move(url);
    out.http.refresh_headers = {{"Authorization", "Bearer mine"}};
    return out;
  }
};

TEST_F(Connect, KnowsWhatItCanOpen) {
  const auto session = make_session();
  for (const auto& made : all(*session, to("ftp://x")))
    EXPECT_THAT(made, FailsWith(ErrorCode::kInvalidArgument));
  for (const auto& made : all(*session, to(""))) EXPECT_FALSE(made.has_value());
  const TempDir dir;
  write_bytes(dir / "file", {});
  for (const auto& made : all(*session, to("local:" + (dir / "file").string())))
    EXPECT_FALSE(made.has_value());
}

TEST_F(Connect, TakesTheEndpointOfTheConfiguration) {
  const TempDir dir;
  const auto session = make_session({{"data.default_cas_endpoint", "local:" + dir.path().string()}});
  const auto content = random_bytes(1000, 1);
  const auto file = put_one(*session, {}, content);
  EXPECT_EQ(stream_of(*session, in(dir), file).value(), content);
}

TEST_F(Connect, AsksARefreshUrlAtOnce) {
  CasServer server({.checks_tokens = true});
  const auto content = random_bytes(1000, 2);
  const FileToDownload file{.hash = server.store().add_file({content}).hex()};
  HttpScript hub([&](HttpScript::Exchange& exchange) {
    exchange.respond(200, {},
                     fmt::format(R"({{"casUrl":"{}","exp":99999999999,"accessToken":"{}"}})", server.url(),
                                 server.token()));
  });
  const auto session = make_session();
  const auto group = session->new_download_stream_group(refreshing(hub.url("/token"))).value();
  EXPECT_EQ(hub.n_requests(), 1U);
  EXPECT_EQ(hub.last_request().header("Authorization"), "Bearer mine");
  EXPECT_EQ(server.http().n_requests(), 0U);
  EXPECT_EQ(read_all(*group->stream(file, {}, {}).value()).value(), content);
  EXPECT_EQ(hub.n_requests(), 1U);
  EXPECT_EQ(server.http().last_request().header("X-Xet-Session-Id"), session->id());
}

TEST_F(Connect, SaysWhatARefreshUrlAnswers) {
  int status = 401;
  HttpScript hub([&](HttpScript::Exchange& exchange) { exchange.respond(status); });
  const auto session = make_session();
  for (const auto& made : all(*session, refreshing(hub.url())))
    EXPECT_THAT(made, FailsWith(ErrorCode::kUnauthorized));
}

/// A refresh URL that takes the request and says nothing.
class SilentHub : public Connect {
 protected:
  void TearDown() override {
    gate_.open();
    hub_.reset();
    session_.reset();
    Connect::TearDown();
  }
  void SetUp() override {
    Connect::SetUp();
    hub_ = std::make_unique<HttpScript>([this](HttpScript::Exchange& exchange) { exchange.wait(gate_); });
  }
  Gate gate_;
  std::unique_ptr<HttpScript> hub_;
  std::shared_ptr<Session> session_ = make_session();
};

TEST_F(SilentHub, IsLeftWhenTheTokenFires) {
  const StopSource stop;
  auto made = std::async(std::launch::async, [&] {
    return session_->new_upload_commit(refreshing(hub_->url()), {}, stop.get_token());
  });
  ASSERT_TRUE(hub_->wait_until([&] { return hub_->n_requests() == 1; }));
  stop.request_stop();
  EXPECT_THAT(made.get(), FailsWith(ErrorCode::kCancelled));
  EXPECT_FALSE(session_->is_aborted());
  EXPECT_THAT(session_->new_file_download_group(refreshing(hub_->url()), {}, stop.get_token()),
              FailsWith(ErrorCode::kCancelled));
}

TEST_F(SilentHub, IsLeftWhenTheSessionIsAborted) {
  auto made = std::async(std::launch::async, [&] { return all(*session_, refreshing(hub_->url())); });
  ASSERT_TRUE(hub_->wait_until([&] { return hub_->n_requests() == 1; }));
  session_->abort();
  for (const auto& group : made.get()) EXPECT_THAT(group, FailsWith(ErrorCode::kCancelled));
}

}  // namespace
}  // namespace xet

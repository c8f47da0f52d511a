#include <gmock/gmock.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "hub/hub_fixture.h"
#include "io/file.h"

namespace xet::testing {
namespace {

using hub::Reason;
using store::TokenRole;

class Accounts : public ::testing::Test, public HubFixture {};

TEST_F(Accounts, TokensAreKnownByTheirHashOnly) {
  const auto token = must(hub.accounts().create_token(
      {.user = "alice", .role = TokenRole::kWrite, .name_spaces = {}, .label = {}, .expires = {}}));
  EXPECT_TRUE(token.starts_with("hf_"));
  EXPECT_GE(token.size(), 64u);
  const auto who = must(hub.accounts().identify(token));
  EXPECT_EQ(who.user, "alice");
  EXPECT_TRUE(who.may_write("alice"));
  EXPECT_FALSE(who.may_write("bob"));
  for (const auto& other : {std::string(), token + "x", token.substr(1), std::string(10'000, 'a')}) {
    EXPECT_EQ(hub.accounts().identify(other).error().reason, Reason::kBadCredentials);
  }
  // Nothing in the directory has the text.
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir.path())) {
    if (!entry.is_regular_file()) continue;
    const auto content = must(io::read_file(entry.path(), UINT64_MAX));
    EXPECT_EQ(as_chars(content).find(token.substr(3)), std::string_view::npos) << entry.path();
  }
}

TEST_F(Accounts, TokensEnd) {
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(clock.wall_now().time_since_epoch());
  const auto brief = must(hub.accounts().create_token({.user = "bob",
                                                       .role = TokenRole::kRead,
                                                       .name_spaces = {},
                                                       .label = {},
                                                       .expires = now.count() + 1000}));
  const auto id = must(hub.accounts().identify(brief)).token_id;
  EXPECT_TRUE(must(hub.accounts().is_valid(id)));
  clock.advance(std::chrono::seconds(1));
  EXPECT_EQ(hub.accounts().identify(brief).error().reason, Reason::kBadCredentials);
  EXPECT_FALSE(must(hub.accounts().is_valid(id)));

  const auto revoked = must(hub.accounts().create_token(
      {.user = "bob", .role = TokenRole::kRead, .name_spaces = {}, .label = {}, .expires = {}}));
  const auto revoked_id = must(hub.accounts().identify(revoked)).token_id;
  EXPECT_TRUE(must(store.hub->revoke_token(revoked_id)));
  EXPECT_FALSE(must(store.hub->revoke_token(revoked_id))) << "once";
  EXPECT_EQ(hub.accounts().identify(revoked).error().reason, Reason::kBadCredentials);
  EXPECT_FALSE(must(hub.accounts().is_valid(revoked_id)));
  EXPECT_FALSE(must(hub.accounts().is_valid(12345)));
}

TEST_F(Accounts, RefuseUsersThatCannotBe) {
  EXPECT_EQ(hub.accounts().add_user("alice").error().reason, Reason::kExists);
  for (const char* name : {"", "me", "local", "admin", "a/b", "datasets"}) {
    EXPECT_EQ(hub.accounts().add_user(name).error().reason, Reason::kInvalid) << name;
  }
  EXPECT_EQ(
      hub.accounts()
          .create_token(
              {.user = "nobody", .role = TokenRole::kRead, .name_spaces = {}, .label = {}, .expires = {}})
          .error()
          .reason,
      Reason::kInvalid);
}

TEST_F(Accounts, OneOfManyGetsTheFirstAdminToken) {
  std::vector<std::jthread> threads;
  std::atomic<int> tokens{0};
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      const auto token = must(hub.accounts().first_admin_token());
      if (!token) return;
      ++tokens;
      EXPECT_TRUE(must(hub.accounts().identify(*token)).may_write("anything"));
    });
  }
  threads.clear();
  EXPECT_EQ(tokens.load(), 1);
}

}  // namespace
}  // namespace xet::testing

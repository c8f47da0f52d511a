#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "hash/sha256.h"
#include "http/http_fixture.h"
#include "server/hub/accounts.h"

namespace xet::testing {

using Json = nlohmann::json;

/// Bytes that do not compress.
inline std::string content_of_size(size_t size) {
  std::string out;
  uint64_t state = 99;
  while (out.size() < size) {
    state = state * 6364136223846793005 + 1442695040888963407;
    out.push_back(static_cast<char>(state >> 56));
  }
  return out;
}

/// A Hub with two users, alice and bob, and tokens of theirs.
class HubRoutes : public ::testing::Test {
 protected:
  HubRoutes() {
    for (const char* user : {"alice", "bob"}) EXPECT_TRUE(accounts_.add_user(user));
    writer_ = token("alice", store::TokenRole::kWrite);
    reader_ = token("alice", store::TokenRole::kRead);
    foreign_ = token("bob", store::TokenRole::kWrite);
  }

  std::string token(const std::string& user, store::TokenRole role) {
    return *accounts_.create_token(
        {.user = user, .role = role, .name_spaces = {}, .label = {}, .expires = {}});
  }
  HttpAnswer ask(std::string_view method, const std::string& target, const std::string& with_token = {},
                 std::string_view body = {}, HttpHeaders headers = {}) {
    if (!with_token.empty()) headers.push_back(HttpFixture::bearer(with_token));
    return client_.request(method, target, headers, body);
  }
  Json get(const std::string& target) {
    const auto answer = ask("GET", target, writer_);
    EXPECT_EQ(answer.status, 200) << target << ": " << answer.body;
    return Json::parse(answer.body, nullptr, false);
  }
  void make(const std::string& name, bool is_private = false, const char* type = "model") {
    const auto answer =
        ask("POST", "/api/repos/create", writer_,
            Json{{"name", name}, {"organization", "alice"}, {"type", type}, {"private", is_private}}.dump());
    ASSERT_EQ(answer.status, 200) << answer.body;
  }
  HttpAnswer commit(const std::string& name, const std::vector<Json>& lines, const std::string& parent = {}) {
    Json header{{"summary", "change"}};
    if (!parent.empty()) header["parentCommit"] = parent;
    std::string body = Json{{"key", "header"}, {"value", header}}.dump() + "\n";
    for (const auto& line : lines) body += line.dump() + "\n";
    return ask("POST", fmt::format("/api/models/alice/{}/commit/main", name), writer_, body);
  }
  static Json put(const std::string& path, const std::string& base64) {
    return {{"key", "file"}, {"value", {{"path", path}, {"content", base64}, {"encoding", "base64"}}}};
  }
  /// Uploads by Git LFS and commits.
  void put_large(const std::string& repository, const std::string& path, const std::string& content) {
    const auto oid = hash::sha256(as_byte_span(content)).hex();
    const auto batch =
        ask("POST", fmt::format("/alice/{}.git/info/lfs/objects/batch", repository), writer_,
            Json{{"operation", "upload"}, {"objects", {{{"oid", oid}, {"size", content.size()}}}}}.dump());
    ASSERT_EQ(batch.status, 200) << batch.body;
    const std::string href = Json::parse(batch.body)["objects"][0]["actions"]["upload"]["href"];
    const auto upload = ask("PUT", path_of(href), {}, content);
    ASSERT_EQ(upload.status, 200) << upload.body;
    const auto done = commit(
        repository, {{{"key", "lfsFile"}, {"value", {{"path", path}, {"algo", "sha256"}, {"oid", oid}}}}});
    ASSERT_EQ(done.status, 200) << done.body;
  }
  static std::string path_of(const std::string& url) {
    return url.substr(url.find('/', url.find("://") + 3));
  }

  HttpFixture fixture_;
  hub::Accounts accounts_{fixture_.hub(), fixture_.clock};
  RawClient client_ = fixture_.connect();
  std::string writer_, reader_, foreign_;
};

}  // namespace xet::testing

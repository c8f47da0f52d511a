// The Hub over HTTP: who may do what on every route, answers, bridge and plain uploads, and bodies that
// cannot be.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/base64.h"
#include "hash/sha256.h"
#include "http/hub_routes.h"
#include "server/http/route.h"
#include "server/http/standing.h"
#include "support/matchers.h"

namespace xet::testing {
namespace {

using http::Access;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;
std::string target_of(const http::Route& route) {
  std::string out(route.path);
  const std::vector<std::pair<std::string, std::string>> places = {
      {"{types}", "models"}, {"{ns}", "alice"}, {"{repo.git}", "secret.git"},
      {"{repo}", "secret"},  {"{rev}", "main"}, {"{ref}", "main"},
      {"{path...}", "f"}};
  for (const auto& [place, value] : places) {
    if (const size_t at = out.find(place); at != std::string::npos) out.replace(at, place.size(), value);
  }
  return out;
}

TEST_F(HubRoutes, LetInWhoMay) {
  for (const char* type : {"model", "dataset", "space"}) make("secret", /*is_private=*/true, type);
  ASSERT_EQ(ask("POST", "/api/buckets/alice/secret", writer_, R"({"private":true})").status, 200);
  size_t n_routes = 0;
  for (const auto& route : http::routes()) {
    if (!http::is_of_hub(route.access)) continue;
    ++n_routes;
    const auto target = target_of(route);
    const auto name = fmt::format("{} {}", route.method, target);
    const auto with = [&](const std::string& a_token) { return ask(route.method, target, a_token); };
    const auto nobody = with({});
    const auto foreign = with(foreign_);
    const auto reading = with(reader_);
    EXPECT_EQ(with("hf_garbage").status, 401) << name;
    EXPECT_EQ(ask(route.method, target, {}, {}, {{"Authorization", "Basic !"}}).status, 401) << name;
    EXPECT_EQ(ask(route.method, target, {}, {}, {{"Authorization", "Digest x"}}).status, 401) << name;
    for (const auto* answer : {&nobody, &foreign, &reading})
      EXPECT_LT(answer->status, 500) << name << answer->body;
    switch (route.access) {
      case Access::kHubOpen:
        EXPECT_THAT(nobody.status, AnyOf(200, 400)) << name;
        break;
      case Access::kHubUser:
        EXPECT_EQ(nobody.status, 401) << name;
        break;
      case Access::kHubRead:
        EXPECT_EQ(nobody.status, 404) << name;
        EXPECT_EQ(nobody.header("X-Error-Code"), "RepoNotFound") << name;
        EXPECT_EQ(foreign.status, 404) << name;
        EXPECT_EQ(foreign.header("X-Error-Code"), "RepoNotFound") << name;
        EXPECT_NE(reading.header("X-Error-Code"), "RepoNotFound") << name;
        EXPECT_THAT(reading.status, Not(AnyOf(401, 403))) << name;
        break;
      case Access::kHubWrite:
        EXPECT_EQ(nobody.status, 401) << name;
        EXPECT_EQ(foreign.status, 404) << name;
        EXPECT_EQ(foreign.header("X-Error-Code"), "RepoNotFound") << name;
        EXPECT_EQ(reading.status, 403) << name << reading.body;
        break;
      default:
        ADD_FAILURE() << name;
    }
  }
  EXPECT_GT(n_routes, 50u);
  for (const auto& line : fixture_.log_lines()) EXPECT_THAT(line, Not(HasSubstr(writer_)));
}

TEST_F(HubRoutes, TakeTheTokenAsAPassword) {
  make("secret", true);
  const auto basic = "Basic " + to_base64url(as_byte_span("any:" + writer_));
  // base64 and base64url are the same for letters and digits, which this is.
  const auto answer = ask("GET", "/api/models/alice/secret", {}, {}, {{"Authorization", basic}});
  EXPECT_EQ(answer.status, 200) << answer.body;
}

TEST_F(HubRoutes, EndWithTheTokenAndTheRepository) {
  make("secret", true);
  const auto told = get("/api/models/alice/secret/xet-read-token/main");
  const std::string cas_token = told["accessToken"];
  const auto unknown = "/v2/reconstructions/" + std::string(64, 'a');
  EXPECT_EQ(ask("GET", unknown, cas_token).status, 404);
  const auto id = accounts_.identify(writer_)->token_id;
  ASSERT_TRUE(*fixture_.hub().revoke_token(id));
  EXPECT_EQ(ask("GET", "/api/models/alice/secret", writer_).status, 401);
  // A token of the CAS that was got with it is remembered for some seconds.
  const auto until = std::chrono::steady_clock::now() + 10 * http::Standing::kRemembered;
  int status = 0;
  while (std::chrono::steady_clock::now() < until &&
         (status = ask("GET", unknown, cas_token).status) != 401) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_EQ(status, 401);
}

TEST_F(HubRoutes, SayThatThereIsNoRepositoryWithoutANamespace) {
  for (const auto& [method, target] :
       {std::pair("GET", "/api/models/gpt2"), std::pair("GET", "/api/datasets/squad/revision/main"),
        std::pair("HEAD", "/gpt2/resolve/main/f"), std::pair("GET", "/datasets/squad/resolve/main/f"),
        std::pair("DELETE", "/api/buckets/data"), std::pair("POST", "/api/models/gpt2/preupload/main")}) {
    const auto answer = ask(method, target, writer_);
    EXPECT_EQ(answer.status, 404) << target;
    EXPECT_EQ(answer.header("X-Error-Code"), "RepoNotFound") << target;
  }
  EXPECT_EQ(ask("GET", "/api/buckets/nobody", writer_).header("X-Error-Code"), "RepoNotFound");
  for (const char* target : {"/nothing", "/api/models/alice/one/nothing", "/v1/nothing"}) {
    const auto answer = ask("GET", target, writer_);
    EXPECT_EQ(answer.status, 404) << target;
    EXPECT_EQ(answer.header("X-Error-Code"), "") << target;
  }
  EXPECT_EQ(ask("DELETE", "/healthz", writer_).status, 405);
}

TEST_F(HubRoutes, FormatCommitsForPages) {
  make("one");
  const Json lines[] = {{{"key", "header"}, {"value", {{"summary", "a < \"b\" & c"}}}},
                        {{"key", "file"}, {"value", {{"path", "x"}, {"content", "YQ=="}}}}};
  ASSERT_EQ(
      ask("POST", "/api/models/alice/one/commit/main", writer_, lines[0].dump() + "\n" + lines[1].dump())
          .status,
      200);
  const std::string commits = "/api/models/alice/one/commits/main";
  EXPECT_FALSE(get(commits)[0].contains("formatted"));
  EXPECT_EQ(get(commits + "?expand%5B%5D=formatted")[0]["formatted"]["title"],
            "a &lt; &quot;b&quot; &amp; c");
}

TEST_F(HubRoutes, ListAllOfABucketUnlessToldOtherwise) {
  ASSERT_EQ(ask("POST", "/api/buckets/alice/data", writer_).status, 200);
  const nlohmann::json line = {
      {"type", "addFile"}, {"path", "a/b"}, {"xetHash", std::string(64, '0')}, {"mtime", 1}};
  ASSERT_EQ(ask("POST", "/api/buckets/alice/data/batch", writer_, line.dump()).status, 200);
  const std::string tree = "/api/buckets/alice/data/tree";
  EXPECT_EQ(get(tree)[0]["path"], "a/b");
  EXPECT_EQ(get(tree + "?recursive=true")[0]["path"], "a/b");
  EXPECT_EQ(get(tree + "?recursive=false")[0]["path"], "a");
}

TEST_F(HubRoutes, CreateOnceAndSaySo) {
  make("one");
  const auto again = ask("POST", "/api/repos/create", writer_, R"({"name":"alice/one"})");
  EXPECT_EQ(again.status, 409);
  EXPECT_THAT(Json::parse(again.body)["url"], HasSubstr("/alice/one"));
  const auto info = get("/api/models/alice/one");
  EXPECT_EQ(info["id"], "alice/one");
  EXPECT_EQ(info["sha"].get<std::string>().size(), 40u);
  EXPECT_EQ(ask("GET", "/api/models/alice/two", writer_).header("X-Error-Code"), "RepoNotFound");
  EXPECT_EQ(ask("GET", "/api/models/alice/one/revision/nope", writer_).header("X-Error-Code"),
            "RevisionNotFound");
  EXPECT_EQ(ask("GET", "/api/models/alice/one/tree/main/nope", writer_).header("X-Error-Code"),
            "EntryNotFound");
  const auto who = get("/api/whoami-v2");
  EXPECT_EQ(who["name"], "alice");
  EXPECT_TRUE(who["orgs"].is_array());
}

TEST_F(HubRoutes, CommitAndServeSmallFiles) {
  make("one");
  const auto head = get("/api/models/alice/one")["sha"].get<std::string>();
  const auto done = commit("one", {put("a/b.txt", "aGVsbG8K")}, head);
  ASSERT_EQ(done.status, 200) << done.body;
  EXPECT_THAT(Json::parse(done.body)["commitUrl"].get<std::string>(), HasSubstr("/alice/one/commit/"));
  const auto late = commit("one", {put("c", "")}, head);
  EXPECT_EQ(late.status, 412);
  const auto asked = ask("HEAD", "/alice/one/resolve/main/a%2Fb.txt");
  EXPECT_EQ(asked.status, 200);
  EXPECT_EQ(asked.header("Content-Length"), "6");
  EXPECT_EQ(asked.header("ETag"), "\"ce013625030ba8dba906f756967f9e9ca394464a\"");
  EXPECT_EQ(asked.header("X-Repo-Commit"), Json::parse(done.body)["commitOid"].get<std::string>());
  EXPECT_EQ(ask("GET", "/alice/one/resolve/main/a/b.txt").body, "hello\n");
  const auto part = ask("GET", "/alice/one/resolve/main/a/b.txt", {}, {}, {{"Range", "bytes=1-3"}});
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, "ell");
  EXPECT_EQ(part.header("Content-Range"), "bytes 1-3/6");
  const auto outside = ask("GET", "/alice/one/resolve/main/a/b.txt", {}, {}, {{"Range", "bytes=6-"}});
  EXPECT_EQ(outside.status, 416);
  EXPECT_EQ(outside.header("Content-Range"), "bytes */6");
  EXPECT_EQ(
      ask("GET", "/alice/one/resolve/main/a/b.txt", {}, {}, {{"Range", "bytes=1-3"}, {"If-Range", "\"x\""}})
          .status,
      200);
  const auto missing = ask("GET", "/alice/one/resolve/main/nope");
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(missing.header("X-Error-Code"), "EntryNotFound");
  EXPECT_EQ(missing.header("X-Repo-Commit").size(), 40u);
}

TEST_F(HubRoutes, ServeFilesOfTheCasAsTheyAre) {
  make("one");
  const auto content = content_of_size(5'000'000);
  put_large("one", "w.bin", content);
  const auto oid = hash::sha256(as_byte_span(content)).hex();
  const auto listed = get("/api/models/alice/one/tree/main?recursive=true");
  ASSERT_EQ(listed.size(), 2u);
  EXPECT_EQ(listed[1]["lfs"]["oid"], oid);
  EXPECT_EQ(listed[1]["size"], content.size());
  EXPECT_EQ(listed[1]["xetHash"].get<std::string>().size(), 64u);

  const auto asked = ask("HEAD", "/alice/one/resolve/main/w.bin");
  EXPECT_EQ(asked.status, 200) << "never redirected";
  EXPECT_EQ(asked.header("X-Linked-Size"), fmt::format("{}", content.size()));
  EXPECT_EQ(asked.header("X-Linked-ETag"), "\"" + oid + "\"");
  EXPECT_THAT(asked.header("Link"), HasSubstr("rel=\"xet-auth\""));

  const auto redirect = ask("GET", "/alice/one/resolve/main/w.bin");
  ASSERT_EQ(redirect.status, 302);
  const auto bridge = path_of(redirect.header("Location"));
  const auto whole = ask("GET", bridge);
  EXPECT_EQ(whole.status, 200);
  EXPECT_TRUE(whole.body == content);
  EXPECT_EQ(whole.header("ETag"), "\"" + oid + "\"");
  struct Case {
    std::string range;
    size_t begin, end;
  };
  for (const auto& [range, begin, end] :
       {Case{"bytes=0-0", 0, 1}, Case{"bytes=2500000-", 2'500'000, 5'000'000},
        Case{"bytes=-5", 4'999'995, 5'000'000}, Case{"bytes=1000000-4000000", 1'000'000, 4'000'001},
        Case{"bytes=4999999-9999999", 4'999'999, 5'000'000}}) {
    const auto part = ask("GET", bridge, {}, {}, {{"Range", range}});
    EXPECT_EQ(part.status, 206) << range;
    EXPECT_TRUE(part.body == content.substr(begin, end - begin)) << range;
    EXPECT_EQ(part.header("Content-Range"), fmt::format("bytes {}-{}/{}", begin, end - 1, content.size()));
  }
  EXPECT_EQ(ask("GET", bridge, {}, {}, {{"Range", "bytes=5000000-"}}).status, 416);
  EXPECT_EQ(ask("GET", bridge, {}, {}, {{"If-None-Match", "\"" + oid + "\""}}).status, 304);

  // The URL is for this file and this hour.
  std::string changed = bridge;
  changed[20] = changed[20] == 'A' ? 'B' : 'A';
  EXPECT_EQ(ask("GET", changed).status, 403);
  ASSERT_EQ(ask("DELETE", "/api/repos/delete", writer_, R"({"name":"one","organization":"alice"})").status,
            200);
  EXPECT_EQ(ask("GET", bridge).status, 404);
  fixture_.clock.advance(std::chrono::hours(2));
  EXPECT_EQ(ask("GET", bridge).status, 403);
}

TEST_F(HubRoutes, RefuseUploadsOfOtherBytes) {
  make("one");
  const auto content = content_of_size(100'000);
  const auto oid = hash::sha256(as_byte_span(content)).hex();
  const auto batch =
      ask("POST", "/alice/one.git/info/lfs/objects/batch", writer_,
          Json{{"operation", "upload"}, {"objects", {{{"oid", oid}, {"size", content.size()}}}}}.dump());
  const auto href = path_of(Json::parse(batch.body)["objects"][0]["actions"]["upload"]["href"]);
  std::string other = content;
  other[5] ^= 1;
  EXPECT_EQ(ask("PUT", href, {}, other).status, 400);
  EXPECT_EQ(ask("PUT", href, {}, content + "x").status, 400);
  const auto verify = Json{{"oid", oid}, {"size", content.size()}}.dump();
  EXPECT_EQ(ask("POST", "/alice/one.git/info/lfs/objects/verify", writer_, verify).status, 404);
  EXPECT_EQ(commit("one", {{{"key", "lfsFile"}, {"value", {{"path", "w"}, {"oid", oid}}}}}).status, 400);
  EXPECT_EQ(ask("PUT", href, {}, content).status, 200);
  EXPECT_EQ(ask("POST", "/alice/one.git/info/lfs/objects/verify", writer_, verify).status, 200);
  const auto again =
      ask("POST", "/alice/one.git/info/lfs/objects/batch", writer_,
          Json{{"operation", "upload"}, {"objects", {{{"oid", oid}, {"size", content.size()}}}}}.dump());
  EXPECT_FALSE(Json::parse(again.body)["objects"][0].contains("actions")) << "it is there already";
}

TEST_F(HubRoutes, AnswerWhatCannotBeWith4xxAndChangeNothing) {
  make("one");
  ASSERT_EQ(ask("POST", "/api/buckets/alice/data", writer_).status, 200);
  const auto before = get("/api/models/alice/one")["sha"].get<std::string>();
  const std::vector<std::string> bodies = {
      "",
      "{",
      "[]",
      "null",
      "1",
      "\"x\"",
      "{}",
      R"({"name":1})",
      R"({"name":null})",
      R"({"name":"../x"})",
      R"({"name":"a/b/c"})",
      R"({"name":"x","type":"kernel"})",
      R"({"name":"x","private":"yes"})",
      R"({"files":1})",
      R"({"files":[1]})",
      R"({"files":[{"path":1}]})",
      R"({"files":[{"path":"a","size":-1}]})",
      R"({"files":[{"path":"../a","size":1}]})",
      R"({"files":[{"path":"a","size":1,"sample":"!"}]})",
      R"({"paths":[1]})",
      R"({"paths":["\u0000"]})",
      R"({"paths":["../x"]})",
      R"({"objects":[{"oid":"x","size":1}]})",
      R"({"operation":"upload","objects":[{"oid":"x","size":1}]})",
      R"({"operation":"x","objects":[]})",
      R"({"tag":""})",
      R"({"tag":"a b"})",
      R"({"startingPoint":1})",
      R"({"startingPoint":"nope"})",
      "{\"key\":\"header\"}",
      R"({"key":"header","value":{"parentCommit":"x"}})",
      "{\"key\":\"header\",\"value\":{}}\n{\"key\":\"file\",\"value\":{\"path\":\"../x\",\"content\":\"\"}}",
      "{\"key\":\"header\",\"value\":{}}\n{\"key\":\"file\",\"value\":{\"path\":\"x\",\"content\":\"!\"}}",
      "{\"key\":\"header\",\"value\":{}}\n{\"key\":\"nope\",\"value\":{\"path\":\"x\"}}",
      "{\"key\":\"header\",\"value\":{}}\n{\"key\":\"header\",\"value\":{}}",
      R"({"type":"addFile","path":"a","xetHash":"x"})",
      R"({"type":"nope","path":"a"})",
      R"({"type":"copyFile","path":"a","xetHash":")" + std::string(64, 'a') + R"("})",
      std::string(20'000, '['),
      "\xff\xfe",
      std::string("a\0b", 3)};
  for (const auto& route : http::routes()) {
    if (!http::is_of_hub(route.access) || route.max_body == nullptr) continue;
    std::string target = target_of(route);
    const bool is_bucket =
        route.type == store::RepositoryType::kBucket || target.find("/buckets/") != std::string::npos;
    for (size_t at = 0; (at = target.find("secret", at)) != std::string::npos;)
      target.replace(at, 6, is_bucket ? "data" : "one");
    if (route.method == "DELETE" || target.find("settings") != std::string::npos ||
        target.find("super-squash") != std::string::npos) {
      continue;  // an empty body is a good one for these
    }
    for (const auto& body : bodies) {
      const auto answer = ask(route.method, target, writer_, body);
      EXPECT_LT(answer.status, 500) << route.method << " " << target << " " << body << ": " << answer.body;
      if (answer.status >= 400) {
        EXPECT_FALSE(answer.header("X-Request-Id").empty());
        EXPECT_THAT(answer.body, Not(HasSubstr("\n\n")));
      }
    }
  }
  EXPECT_EQ(get("/api/models/alice/one")["sha"], before);
  EXPECT_EQ(get("/api/buckets/alice/data")["totalFiles"], 0);
  for (const char* target :
       {"/api/models/alice/one/tree/main/..", "/api/models/alice/one/tree/main/a%2f..%2fb",
        "/api/models/alice/one/tree/main/%00", "/api/nope/alice/one", "/api/models/alice",
        "/alice/one/resolve/main/..%2fx", "/api/buckets/alice/data/tree/..",
        "/api/models/alice/one/commits/main?cursor=x", "/api/models?cursor=x"}) {
    const auto status = ask("GET", target, writer_).status;
    EXPECT_GE(status, 400) << target;
    EXPECT_LT(status, 500) << target;
  }
  EXPECT_EQ(ask("GET", "/api/models/alice/one/tree/main/" + std::string(5000, 'a'), writer_).status, 400);
}

}  // namespace
}  // namespace xet::testing

// The client's half of a Hub, against one that says what a test wants it to say.
#include "xet/hub.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "base/bytes.h"
#include "base/sync.h"
#include "hash/sha256.h"
#include "support/http_script.h"
#include "support/matchers.h"

namespace xet {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::HttpScript;
using testing::IsOk;
using ::testing::Not;
using Json = nlohmann::json;

TEST(HubAddress, IsReadInAllItsForms) {
  struct Row {
    const char* text;
    HubKind kind;
    const char* name;
    const char* revision;
  };
  for (const auto& row : std::initializer_list<Row>{
           {"hf:models/a/b", HubKind::kModel, "a/b", "main"},
           {"hf:model/a/b@v1", HubKind::kModel, "a/b", "v1"},
           {"hf://datasets/a/b-_.9@refs/pr/1", HubKind::kDataset, "a/b-_.9", "refs/pr/1"},
           {"hf:space/a/b@x@y", HubKind::kSpace, "a/b", "x@y"},
           {"hf:buckets/a/b", HubKind::kBucket, "a/b", ""},
       }) {
    const auto parsed = parse_hub_address(row.text);
    ASSERT_THAT(parsed, IsOk()) << row.text;
    EXPECT_EQ(parsed->kind, row.kind) << row.text;
    EXPECT_EQ(parsed->name, row.name);
    EXPECT_EQ(parsed->revision, row.revision);
  }
}

TEST(HubAddress, IsRefusedWhenItNamesNothing) {
  for (const char* text :
       {"", "hf", "hf:", "hf:a/b", "hf:models/a", "hf:models/a/", "hf:models//b", "hf:models/a/b/c",
        "hf:models/a/..", "hf:models/./b", "hf:models/a/b%2f", "hf:models/a/b?c", "hf:models/a/b c",
        "hf:models/a/b@", "hf:buckets/a/b@main", "hf:Models/a/b", "models/a/b", "hf:models/\xc3\xa9/b"}) {
    const auto parsed = parse_hub_address(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(parsed.error().message, HasSubstr("hf:TYPE/NAMESPACE/NAME")) << text;
  }
}

TEST(GitBlobId, IsThatOfGit) {
  EXPECT_EQ(git_blob_id({}), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
  EXPECT_EQ(git_blob_id(as_byte_span("hello\n")), "ce013625030ba8dba906f756967f9e9ca394464a");
}

constexpr const char* kToken = "hf_secret";

/// A Hub whose routes answer as the test sets them up; what is not set up is 404.
class FakeHub {
 public:
  struct Answer {
    int status = 200;
    net::Headers headers;
    std::string body;
    bool cut_off = false;  ///< the connection ends in place of an answer
  };

  FakeHub() : server_([this](HttpScript::Exchange& exchange) { serve(exchange); }) {}

  /// The answers to "METHOD /path" (without query), one after the other; the last one stays.
  void set(const std::string& route, std::vector<Answer> answers) {
    answers_.lock()->insert_or_assign(route, std::move(answers));
  }
  std::string url(std::string_view path) const { return server_.url(path); }
  std::vector<testing::SeenRequest> requests() const { return server_.requests(); }
  std::string last_body() { return *last_body_.lock(); }

  std::shared_ptr<Hub> open(std::string_view address = "hf:models/a/b") const {
    ClientOptions client;
    client.config = Config::from_environment();
    for (const auto& [name, value] :
         {std::pair{"client.retry_base_delay", "1ms"}, {"client.retry_max_attempts", "3"}})
      client.config = *client.config->with(name, std::string(value));
    return *Hub::open(*parse_hub_address(address), {.url = server_.url("/"), .token = kToken}, client);
  }

 private:
  void serve(HttpScript::Exchange& exchange) {
    *last_body_.lock() = std::string(as_chars(exchange.body()));
    Answer answer{.status = 404, .headers = {}, .body = "no such route"};
    {
      auto answers = answers_.lock();
      const auto found = answers->find(exchange.request().method + " " + exchange.request().path());
      if (found != answers->end()) {
        answer = found->second.front();
        if (found->second.size() > 1) found->second.erase(found->second.begin());
      }
    }
    if (answer.cut_off) return exchange.reset();
    exchange.respond(answer.status, answer.headers, answer.body);
  }

  Sync<std::map<std::string, std::vector<Answer>>> answers_;
  Sync<std::string> last_body_;
  HttpScript server_;
};

std::string file_line(std::string_view path, uint64_t size, std::string_view oid) {
  return Json{{"type", "file"}, {"path", path}, {"size", size}, {"oid", oid}}.dump();
}

TEST(Hub, ListsAllPagesInOrder) {
  FakeHub fake;
  const auto tree = "GET /api/models/a/b/tree/c0ffee";
  fake.set(tree, {{.headers = {{"Link", fmt::format("<{}>; rel=\"prev\", <{}>; rel=\"next\"", fake.url("/x"),
                                                    fake.url("/api/models/a/b/tree/c0ffee?cursor=2"))}},
                   .body = fmt::format("[{}]", file_line("z", 3, "1"))},
                  {.body = fmt::format(R"([{}, {{"type":"directory","path":"d","oid":"2"}}])",
                                       file_line("a", 4, "3"))}});
  const auto files = fake.open()->files("c0ffee", "");
  ASSERT_THAT(files, IsOk());
  ASSERT_EQ(files->size(), 2U);
  EXPECT_EQ((*files)[0].path, "a");
  EXPECT_EQ((*files)[1].path, "z");
  EXPECT_EQ((*files)[1].size_bytes, 3U);
  for (const auto& request : fake.requests()) EXPECT_EQ(request.header("Authorization"), "Bearer hf_secret");
}

TEST(Hub, IsNotLedToAnotherHost) {
  FakeHub fake;
  FakeHub other;
  for (const auto& url :
       {other.url("/api/models/a/b/tree/c"), std::string("file:///etc/passwd"), std::string("x")}) {
    fake.set("GET /api/models/a/b/tree/c",
             {{.headers = {{"Link", fmt::format("<{}>; rel=\"next\"", url)}}, .body = "[]"}});
    const auto files = fake.open()->files("c", "");
    ASSERT_FALSE(files) << url;
    EXPECT_EQ(files.error().code, ErrorCode::kCorruption);
  }
  EXPECT_TRUE(other.requests().empty());
}

TEST(Hub, TriesAgainWhatMayPass) {
  FakeHub fake;
  const auto route = "GET /api/models/a/b/revision/main";
  fake.set(route, {{.status = 503}, {.cut_off = true}, {.status = 500}, {.body = R"({"sha":"c0ffee"})"}});
  EXPECT_EQ(*fake.open()->head(), "c0ffee");
  EXPECT_EQ(fake.requests().size(), 4U);
  fake.set(route, {{.status = 502}});
  const auto head = fake.open()->head();
  ASSERT_FALSE(head);
  EXPECT_EQ(head.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(fake.requests().size(), 8U);
}

TEST(Hub, SendsACommitAgainOnlyWhenItWasSurelyNotMade) {
  FakeHub fake;
  const auto route = "POST /api/models/a/b/commit/main";
  const std::vector<HubAddition> additions{{.path = "f", .content = ByteVector{std::byte{'x'}}}};
  const FakeHub::Answer done{.body = R"({"success":true,"commitOid":"c0ffee"})"};
  fake.set(route, {{.status = 503}, {.status = 429}, done});
  EXPECT_EQ(*fake.open()->commit(additions, "m"), "c0ffee");
  for (const auto& unclear :
       {FakeHub::Answer{.status = 500}, FakeHub::Answer{.status = 504}, FakeHub::Answer{.cut_off = true}}) {
    const size_t before = fake.requests().size();
    fake.set(route, {unclear, done});
    EXPECT_FALSE(fake.open()->commit(additions, "m"));
    EXPECT_EQ(fake.requests().size(), before + 1);
  }
}

TEST(Hub, WritesCommitsAsLines) {
  FakeHub fake;
  fake.set("POST /api/models/a/b/commit/dev%2Fx", {{.body = R"({"commitOid":"c0ffee"})"}});
  const auto sha256 = hash::sha256(as_byte_span("large"));
  const std::vector<HubAddition> additions{
      {.path = "small \"é\".json", .content = ByteVector{std::byte{0xfb}, std::byte{0xff}}},
      {.path = "large", .content = {}, .file = {}, .sha256 = sha256, .size_bytes = 5}};
  ASSERT_THAT(fake.open("hf:models/a/b@dev/x")->commit(additions, "line\nfeed"), IsOk());
  std::vector<Json> lines;
  const std::string body = fake.last_body();
  for (size_t at = 0; at < body.size();) {
    const size_t end = body.find('\n', at);
    lines.push_back(Json::parse(body.substr(at, end - at)));
    at = end + 1;
  }
  EXPECT_THAT(
      lines,
      ElementsAre(
          Json{{"key", "header"}, {"value", {{"summary", "line\nfeed"}, {"description", ""}}}},
          Json{{"key", "file"},
               {"value", {{"path", "small \"é\".json"}, {"content", "+/8="}, {"encoding", "base64"}}}},
          Json{{"key", "lfsFile"},
               {"value", {{"path", "large"}, {"algo", "sha256"}, {"oid", sha256.hex()}, {"size", 5}}}}));
  const std::vector<HubAddition> nameless{{.path = "large"}};
  EXPECT_EQ(fake.open()->commit(nameless, "m").error().code, ErrorCode::kInvalidArgument);
}

TEST(Hub, AsksHowFilesAreUploaded) {
  FakeHub fake;
  fake.set("POST /api/models/a/b/preupload/main",
           {{.body = R"({"files":[{"path":"b","uploadMode":"regular","shouldIgnore":true,"oid":null},
                                  {"path":"a","uploadMode":"lfs","shouldIgnore":false,"oid":"12"}]})"}});
  const std::vector<HubCandidate> candidates{{.path = "a", .size_bytes = 1, .sample = {}},
                                             {.path = "b", .size_bytes = 2, .sample = {}}};
  const auto told = fake.open()->treatment(candidates);
  ASSERT_THAT(told, IsOk());
  EXPECT_FALSE((*told)[0].is_regular);
  EXPECT_FALSE((*told)[0].is_ignored);
  EXPECT_EQ((*told)[0].current_id, "12");
  EXPECT_TRUE((*told)[1].is_regular);
  EXPECT_TRUE((*told)[1].is_ignored);
  EXPECT_EQ((*told)[1].current_id, "");
  const std::vector<HubCandidate> more{{.path = "c", .size_bytes = 1, .sample = {}}};
  EXPECT_EQ(fake.open()->treatment(more).error().code, ErrorCode::kCorruption) << "it was not answered for";
}

TEST(Hub, ComparesWhatItHandsOutWithItsListing) {
  FakeHub fake;
  fake.set("GET /a/b/resolve/c/f", {{.body = "hello\n"}});
  const auto hub = fake.open();
  std::string got;
  const auto sink = [&](std::span<const std::byte> bytes) -> Status {
    got += as_chars(bytes);
    return {};
  };
  HubFile file{.path = "f",
               .size_bytes = 6,
               .file = {},
               .sha256 = {},
               .git_id = "ce013625030ba8dba906f756967f9e9ca394464a"};
  EXPECT_EQ(*hub->read("c", file, {}, sink), 6U);
  EXPECT_EQ(got, "hello\n");
  file.git_id[0] = 'd';
  EXPECT_EQ(hub->read("c", file, {}, sink).error().code, ErrorCode::kCorruption);
  file.sha256 = hash::sha256(as_byte_span("hello\n"));
  EXPECT_THAT(hub->read("c", file, {}, sink), IsOk());
  file.sha256 = hash::sha256(as_byte_span("other\n"));
  EXPECT_EQ(hub->read("c", file, {}, sink).error().code, ErrorCode::kCorruption);
  file = {.path = "f", .size_bytes = 7, .file = {}, .sha256 = {}, .git_id = {}};
  EXPECT_EQ(hub->read("c", file, {}, sink).error().code, ErrorCode::kCorruption) << "too short";
  EXPECT_EQ(hub->read("c", file, FileRange{2, 4}, sink).error().code, ErrorCode::kCorruption)
      << "the range was not heeded";
}

TEST(Hub, RefusesAnswersThatAreNone) {
  FakeHub fake;
  const auto hub = fake.open();
  for (const char* body : {"", "<html>", "{}", "null", "[1]", R"([{"type":"file","path":"f"}])",
                           R"([{"type":"file","path":"f","size":-1}])", R"([{"type":"file","size":1}])",
                           R"([{"type":"file","path":"f","size":1,"xetHash":"12"}])",
                           R"([{"type":"file","path":"f","size":1,"lfs":{"oid":"12"}}])"}) {
    fake.set("GET /api/models/a/b/tree/c", {{.body = body}});
    const auto files = hub->files("c", "");
    ASSERT_FALSE(files) << body;
    EXPECT_EQ(files.error().code, ErrorCode::kCorruption) << body;
    fake.set("GET /api/models/a/b/revision/main", {{.body = body}});
    EXPECT_EQ(hub->head().error().code, ErrorCode::kCorruption) << body;
  }
}

TEST(Hub, TellsWhatTheHubSaidButNeverTheToken) {
  FakeHub fake;
  const auto route = "GET /api/models/a/b/revision/main";
  const auto hub = fake.open();
  fake.set(route, {{.status = 404, .headers = {{"X-Error-Message", "Repository not found"}}, .body = "{}"}});
  EXPECT_EQ(hub->head().error().code, ErrorCode::kNotFound);
  EXPECT_THAT(hub->head().error().message, HasSubstr("404: Repository not found"));
  fake.set(route, {{.status = 403, .body = R"({"error":"not yours"})"}});
  EXPECT_EQ(hub->head().error().code, ErrorCode::kUnauthorized);
  EXPECT_THAT(hub->head().error().message, HasSubstr("not yours"));
  for (const auto& echo :
       {FakeHub::Answer{.status = 400, .headers = {{"X-Error-Message", kToken}}},
        FakeHub::Answer{.status = 400, .body = fmt::format(R"({{"error":"{}"}})", kToken)}}) {
    fake.set(route, {echo});
    EXPECT_THAT(hub->head().error().message, AllOf(HasSubstr("400"), Not(HasSubstr(kToken))));
  }
}

TEST(Hub, StopsSoonWhileItWaitsToTryAgain) {
  FakeHub fake;
  fake.set("GET /api/models/a/b/revision/main", {{.status = 503, .headers = {{"Retry-After", "600"}}}});
  std::stop_source stop;
  const std::jthread stopper([&] {
    while (fake.requests().empty()) std::this_thread::yield();
    stop.request_stop();
  });
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(fake.open()->head(stop.get_token()).error().code, ErrorCode::kCancelled);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(30));
}

TEST(Hub, SaysWhichFilesABatchDidNotTake) {
  FakeHub fake;
  fake.set(
      "POST /api/buckets/a/b/batch",
      {{.body =
            R"({"success":false,"failed":[{"path":"f","error":"unknown hash"},{"path":"g","error":"x"}]})"}});
  const std::vector<HubAddition> additions{{.path = "f"}, {.path = "g"}};
  const auto done = fake.open("hf:buckets/a/b")->commit(additions, "");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::kRefused);
  EXPECT_THAT(done.error().message, AllOf(HasSubstr("2 of the files"), HasSubstr("f: unknown hash")));
}

TEST(Hub, IsNotOpenedWithWhatCannotStandInARequest) {
  const HubAddress address{.kind = HubKind::kModel, .name = "a/b", .revision = "main"};
  EXPECT_EQ(Hub::open(address, {.url = "hub.example.org", .token = {}}).error().code,
            ErrorCode::kInvalidArgument);
  const auto split = Hub::open(address, {.url = "http://h", .token = "a\nb"});
  ASSERT_FALSE(split);
  EXPECT_EQ(split.error().code, ErrorCode::kUnauthorized);
}

}  // namespace
}  // namespace xet

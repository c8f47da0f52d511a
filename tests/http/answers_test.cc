// The pure writers of answers, logs and metrics, and the rules that need no connection.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "server/http/access_log.h"
#include "server/http/answer.h"
#include "server/http/json_out.h"
#include "server/http/metrics.h"
#include "server/http/multipart.h"
#include "server/http/pace.h"
#include "server/http/route.h"
#include "support/generators.h"

namespace xet::http {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;

core::Reconstruction sample_plan() {
  core::Reconstruction out;
  out.offset_into_first_term = 7;
  out.terms = {{.xorb = 0, .chunk_begin = 1, .chunk_end = 4, .unpacked_len = 263873},
               {.xorb = 1, .chunk_begin = 0, .chunk_end = 3, .unpacked_len = 143890},
               {.xorb = 0, .chunk_begin = 9, .chunk_end = 10, .unpacked_len = 5}};
  core::Reconstruction::Xorb first;
  first.row.hash = XorbHash(testing::random_hash(1));
  first.ranges = {{.chunk_begin = 1, .chunk_end = 4, .packed = {57980, 131072}, .chunk_hashes = {}},
                  {.chunk_begin = 9, .chunk_end = 10, .packed = {200000, 200013}, .chunk_hashes = {}}};
  core::Reconstruction::Xorb second;
  second.row.hash = XorbHash(testing::random_hash(2));
  second.ranges = {{.chunk_begin = 0, .chunk_end = 3, .packed = {0, 65671}, .chunk_hashes = {}}};
  out.xorbs = {first, second};
  return out;
}

std::string sample_url(const core::Reconstruction::Xorb& /*xorb*/,
                       std::span<const core::Reconstruction::Range> ranges) {
  return "u" + std::to_string(ranges.front().packed.begin) + "+" + std::to_string(ranges.size());
}

TEST(ReconstructionJson, V2PutsTheRangesOfAXorbUnderOneUrl) {
  const auto plan = sample_plan();
  const auto a = plan.xorbs[0].row.hash.hex();
  const auto b = plan.xorbs[1].row.hash.hex();
  EXPECT_EQ(
      reconstruction_v2_json(plan, sample_url, 500),
      R"({"offset_into_first_range":7,"terms":[{"hash":")" + a +
          R"(","unpacked_length":263873,"range":{"start":1,"end":4}},{"hash":")" + b +
          R"(","unpacked_length":143890,"range":{"start":0,"end":3}},{"hash":")" + a +
          R"(","unpacked_length":5,"range":{"start":9,"end":10}}],"xorbs":{")" + a +
          R"(":[{"url":"u57980+2","ranges":[{"chunks":{"start":1,"end":4},"bytes":{"start":57980,"end":131071}},)"
          R"({"chunks":{"start":9,"end":10},"bytes":{"start":200000,"end":200012}}]}],")" +
          b +
          R"(":[{"url":"u0+1","ranges":[{"chunks":{"start":0,"end":3},"bytes":{"start":0,"end":65670}}]}]}})");
}

TEST(ReconstructionJson, V2SplitsWhatIsTooMuchForOneUrl) {
  const auto json = Json::parse(reconstruction_v2_json(sample_plan(), sample_url, 1));
  const auto& entries = json["xorbs"][sample_plan().xorbs[0].row.hash.hex()];
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0]["url"], "u57980+1");
  EXPECT_EQ(entries[1]["url"], "u200000+1");
  EXPECT_EQ(entries[1]["ranges"].size(), 1u);
}

TEST(ReconstructionJson, V1HasAUrlForEachRange) {
  const auto json = Json::parse(reconstruction_v1_json(sample_plan(), sample_url));
  const auto& entries = json["fetch_info"][sample_plan().xorbs[0].row.hash.hex()];
  EXPECT_EQ(
      entries,
      Json::parse(R"([{"range":{"start":1,"end":4},"url":"u57980+1","url_range":{"start":57980,"end":131071}},
                                     {"range":{"start":9,"end":10},"url":"u200000+1","url_range":{"start":200000,"end":200012}}])"));
  EXPECT_EQ(json["offset_into_first_range"], 7);
  EXPECT_EQ(json["terms"].size(), 3u);
}

TEST(ReconstructionJson, OfTheEmptyFileIsEmpty) {
  EXPECT_EQ(reconstruction_v2_json({}, sample_url, 500),
            R"({"offset_into_first_range":0,"terms":[],"xorbs":{}})");
  EXPECT_EQ(reconstruction_v1_json({}, sample_url),
            R"({"offset_into_first_range":0,"terms":[],"fetch_info":{}})");
  EXPECT_EQ(batch_json({}, sample_url), R"({"files":{},"fetch_info":{}})");
}

TEST(BatchJson, NamesFilesAndXorbsOnce) {
  core::BatchReconstruction batch;
  batch.xorbs = sample_plan().xorbs;
  batch.files = {{.hash = FileHash(testing::random_hash(3)), .terms = sample_plan().terms},
                 {.hash = FileHash{}, .terms = {}}};
  const auto json = Json::parse(batch_json(batch, sample_url));
  EXPECT_EQ(json["files"].size(), 2u);
  EXPECT_EQ(json["files"][std::string(64, '0')], Json::array());
  EXPECT_EQ(json["files"][FileHash(testing::random_hash(3)).hex()].size(), 3u);
  EXPECT_EQ(json["fetch_info"].size(), 2u);
}

TEST(Multipart, TellsItsLengthBeforeItIsWritten) {
  const std::vector<ByteRange> ranges = {{0, 3}, {10, 12}};
  const MultipartLayout layout(ranges, 100);
  const std::string body =
      layout.before(0) + "abc" + layout.before(1) + "de" + std::string(MultipartLayout::end());
  EXPECT_EQ(body.size(), layout.content_length());
  const std::string boundary(
      MultipartLayout::content_type().substr(MultipartLayout::content_type().find('=') + 1));
  EXPECT_EQ(
      body,
      "--" + boundary +
          "\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes 0-2/100\r\n\r\nabc\r\n--" +
          boundary +
          "\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes 10-11/100\r\n\r\nde\r\n--" +
          boundary + "--\r\n");
}

TEST(Pace, EndsWhoMovesTooLittleInAWindow) {
  const Pace::Time start{};
  Pace pace(milliseconds(100), 10, start, start + milliseconds(250));
  EXPECT_EQ(pace.deadline(), start + milliseconds(100));
  pace.moved(9, start + milliseconds(50));
  EXPECT_EQ(pace.deadline(), start + milliseconds(100));
  pace.moved(1, start + milliseconds(60));
  EXPECT_EQ(pace.deadline(), start + milliseconds(160));
  pace.moved(100, start + milliseconds(159));
  EXPECT_EQ(pace.deadline(), start + milliseconds(250)) << "the end of all patience";
}

TEST(Status, IsOneForEachErrorOnAllRoutes) {
  struct Case {
    ErrorCode code;
    Blame blame;
    int status;
  };
  for (const auto& each :
       {Case{ErrorCode::kNotFound, Blame::kStore, 404}, Case{ErrorCode::kCorruption, Blame::kRequest, 400},
        Case{ErrorCode::kCorruption, Blame::kStore, 500},
        Case{ErrorCode::kUnauthorized, Blame::kRequest, 401}, Case{ErrorCode::kNoSpace, Blame::kRequest, 507},
        Case{ErrorCode::kRefused, Blame::kRequest, 413}, Case{ErrorCode::kUnavailable, Blame::kStore, 503},
        Case{ErrorCode::kCancelled, Blame::kRequest, 503}, Case{ErrorCode::kIo, Blame::kRequest, 500},
        Case{ErrorCode::kInternal, Blame::kStore, 500},
        Case{ErrorCode::kInvalidArgument, Blame::kRequest, 400}}) {
    const auto answer =
        error_answer({.code = each.code, .message = "secret /srv/path"}, each.blame, std::chrono::seconds(7));
    EXPECT_EQ(answer.status, each.status);
    const auto text = std::get<std::string>(answer.body);
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
    if (each.status >= 500) {
      EXPECT_THAT(text, Not(HasSubstr("/srv"))) << "paths are for the log";
    }
    if (each.status == 503) {
      ASSERT_EQ(answer.headers.size(), 1u);
      EXPECT_EQ(answer.headers[0], (std::pair<std::string_view, std::string>("Retry-After", "7")));
    }
  }
}

TEST(ErrorText, IsOneLineWhateverItQuotes) {
  EXPECT_EQ(std::get<std::string>(text_answer(400, "a\r\nb\tc").body), "a  b c\n");
}

TEST(Dates, AreThoseOfHttpAndOfLogs) {
  const auto time = std::chrono::system_clock::time_point(milliseconds(1'700'000'000'123));
  EXPECT_EQ(http_date(time), "Tue, 14 Nov 2023 22:13:20 GMT");
  EXPECT_EQ(log_time(time), "2023-11-14T22:13:20.123Z");
}

TEST(AccessLog, IsOneLineOfJsonThatCannotBeBrokenOutOf) {
  const std::string session = "s\"\\\n\xff" + std::string(100, 'x');
  const auto line =
      access_line({.time = std::chrono::system_clock::time_point(milliseconds(1'700'000'000'123)),
                   .request_id = "0123",
                   .session_id = session,
                   .method = "GET",
                   .route = "/v1/files/{file}",
                   .status = 200,
                   .bytes_in = 1,
                   .bytes_out = 2,
                   .took = std::chrono::microseconds(1500),
                   .principal = "somebody"});
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto json = Json::parse(line);
  EXPECT_EQ(json["session"], "s\"\\??" + std::string(59, 'x'));
  EXPECT_EQ(json["ms"], 1.5);
  EXPECT_EQ(json["status"], 200);
  EXPECT_EQ(json["route"], "/v1/files/{file}");
  EXPECT_EQ(json["time"], "2023-11-14T22:13:20.123Z");
}

TEST(Metrics, CountByRouteAndStatus) {
  Metrics metrics;
  metrics.answered(&routes()[0], 200, std::chrono::microseconds(1));
  metrics.answered(&routes()[0], 200, std::chrono::seconds(2));
  metrics.answered(nullptr, 404, std::chrono::microseconds(1));
  core::StoreStats stats;
  stats.files = 3;
  const auto text = metrics.text({.ready = false, .slots = 16, .slots_used = 2, .store = &stats});
  EXPECT_THAT(
      text,
      HasSubstr(
          R"(xet_http_requests_total{method="GET",route="/v2/reconstructions/{file}",status="200"} 2)"));
  EXPECT_THAT(text, HasSubstr(R"(xet_http_requests_total{method="",route="",status="404"} 1)"));
  EXPECT_THAT(
      text,
      HasSubstr(
          R"(xet_http_request_seconds_bucket{method="GET",route="/v2/reconstructions/{file}",le="0.001"} 1)"));
  EXPECT_THAT(
      text,
      HasSubstr(
          R"(xet_http_request_seconds_bucket{method="GET",route="/v2/reconstructions/{file}",le="2.5"} 2)"));
  EXPECT_THAT(
      text,
      HasSubstr(R"(xet_http_request_seconds_count{method="GET",route="/v2/reconstructions/{file}"} 2)"));
  EXPECT_THAT(text, HasSubstr("xet_body_slots 16\n"));
  EXPECT_THAT(text, HasSubstr("xet_body_slots_used 2\n"));
  EXPECT_THAT(text, HasSubstr("xet_ready 0\n"));
  EXPECT_THAT(text, HasSubstr("xet_store_files 3\n"));
  EXPECT_THAT(text, Not(HasSubstr("xet_store_free_bytes"))) << "not known";
}

TEST(Metrics, HaveAHelpAndATypeForEachFamily) {
  const std::string text = Metrics().text({});
  std::string family;
  size_t begin = 0;
  while (begin < text.size()) {
    const size_t end = text.find('\n', begin);
    const auto line = text.substr(begin, end - begin);
    begin = end + 1;
    if (line.starts_with("# TYPE ")) {
      family = line.substr(7, line.find(' ', 7) - 7);
    } else if (!line.starts_with("#")) {
      EXPECT_TRUE(line.starts_with(family)) << line;
    }
  }
}

const std::string kHash(64, 'a');

TEST(Routes, AreFoundByMethodAndPath) {
  for (const auto& route : routes()) {
    std::string path(route.path);
    for (const auto& [place, value] : {std::pair<std::string, std::string>("{file}", kHash),
                                       {"{hash}", kHash},
                                       {"{prefix}", "default"},
                                       {"{name}", "some%2Fthing%20x"},
                                       {"{types}", "datasets"},
                                       {"{ns}", "ns"},
                                       {"{repo.git}", "repo.git"},
                                       {"{repo}", "repo"},
                                       {"{rev}", "rev"},
                                       {"{ref}", "rev"},
                                       {"{path...}", "some/path"}}) {
      if (const size_t at = path.find(place); at != std::string::npos) path.replace(at, place.size(), value);
    }
    // An escaped slash is refused everywhere; take it out again for what should be found.
    if (const size_t at = path.find("%2F"); at != std::string::npos) path.replace(at, 3, "-");
    const bool is_admin = route.access == Access::kAdmin;
    const auto match = find_route(route.method, path, is_admin);
    ASSERT_EQ(match.kind, RouteMatch::Kind::kFound) << route.method << " " << path;
    EXPECT_EQ(match.route, &route);
    if (path.find(kHash) != std::string::npos) {
      EXPECT_EQ(match.values.hash.hex(), kHash);
    }
    if (route.path.find("{name}") != std::string_view::npos) {
      EXPECT_EQ(match.values.name, "some-thing x");
    }
    EXPECT_EQ((route.handler != nullptr) + (route.streamer != nullptr) + (route.hub != nullptr), 1);
    EXPECT_EQ(route.hub != nullptr, is_of_hub(route.access));
  }
}

TEST(Routes, AdminOnesAreOnTheAdminListenerOnly) {
  EXPECT_EQ(find_route("GET", "/metrics", false).kind, RouteMatch::Kind::kUnknown);
  EXPECT_EQ(find_route("GET", "/v2/reconstructions/" + kHash, true).kind, RouteMatch::Kind::kUnknown);
  EXPECT_EQ(find_route("GET", "/healthz", true).kind, RouteMatch::Kind::kFound);
  EXPECT_EQ(find_route("GET", "/healthz", false).kind, RouteMatch::Kind::kFound);
}

TEST(Routes, TellUnknownPathsFromWrongMethodsAndBadValues) {
  using Kind = RouteMatch::Kind;
  struct Case {
    std::string method, path;
    Kind kind;
    std::string allow;
  };
  const Case cases[] = {
      {"GET", "/", Kind::kUnknown, ""},
      {"GET", "/v1", Kind::kUnknown, ""},
      {"GET", "/v3/reconstructions/" + kHash, Kind::kUnknown, ""},
      {"GET", "/v1/reconstructions/" + kHash + "/x", Kind::kUnknown, ""},
      {"GET", "/v1/chunks/other/" + kHash, Kind::kUnknown, ""},
      {"GET", "/v1/chunks/default/" + kHash + "?x", Kind::kBadValue, ""},
      {"GET", "/v1/reconstructions/" + kHash.substr(1), Kind::kBadValue, ""},
      {"GET", "/v1/reconstructions/" + kHash + "a", Kind::kBadValue, ""},
      {"GET", "/v1/reconstructions/g" + kHash.substr(1), Kind::kBadValue, ""},
      {"POST", "/v1/reconstructions/" + kHash, Kind::kWrongMethod, "GET"},
      {"DELETE", "/v1/xorbs/default/" + kHash, Kind::kWrongMethod, "POST, HEAD"},
      {"GET", "/v2/shards", Kind::kWrongMethod, "POST"},
      {"get", "/healthz", Kind::kWrongMethod, "GET"},
      {"GET", "/v1/xorb-grants/default/" + kHash, Kind::kUnknown, ""},
      {"PUT", "/v1/xorb-grants/default/" + kHash, Kind::kUnknown, ""},
      {"GET", "/v1/chunks/default-merkledb/" + kHash, Kind::kFound, ""},
      {"GET", "/v1/chunks/default/../" + kHash, Kind::kUnknown, ""},
      {"GET", "/d/" + std::string(5000, 'x'), Kind::kBadValue, ""},
  };
  for (const auto& each : cases) {
    const auto match = find_route(each.method, each.path, false);
    EXPECT_EQ(match.kind, each.kind) << each.method << " " << each.path;
    EXPECT_EQ(match.allow, each.allow) << each.method << " " << each.path;
  }
}

}  // namespace
}  // namespace xet::http

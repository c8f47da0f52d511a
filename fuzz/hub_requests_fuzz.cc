// Everything that a route of the Hub makes of a request: path, query and body go to the handlers themselves,
// on a store with one repository and one bucket. The first line is "METHOD TARGET", the rest the body.
// Whatever it is, the answer must never be a failure of ours, and an error must say what it is.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "server/core/embedded_store.h"
#include "server/http/app.h"
#include "server/http/hub_call.h"
#include "server/http/route.h"
#include "server/http/target.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace {

using namespace xet;

class Server {
 public:
  Server() {
    app_.auth = false;
    app_.fallback_url = "http://127.0.0.1:1";
    app_.clock = &clock_;
    app_.event_log = [](std::string_view line) {
      std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
    };
    app_.tokens = core::TokenAuthority::open(store_.service->meta(), clock_).value();
    app_.signer = core::UrlSigner::open(store_.service->meta(), clock_).value();
    app_.hub = std::make_unique<hub::Hub>(*store_.hub, clock_);
    ask("POST", "/api/repos/create", R"({"name":"r"})");
    ask("POST", "/api/buckets/local/b", "{}");
    ask("POST", "/api/models/local/r/commit/main",
        "{\"key\":\"header\",\"value\":{\"summary\":\"s\"}}\n"
        "{\"key\":\"file\",\"value\":{\"path\":\"d/f\",\"content\":\"eA==\",\"encoding\":\"base64\"}}\n");
  }

  void ask(std::string_view method, std::string_view target, std::string_view body) {
    http::Request request;
    request.id = "0";
    request.head.method = method;
    request.head.target = target;
    request.head.host = "127.0.0.1:1";
    request.base_url = app_.fallback_url;
    const auto parsed = http::Target::parse(request.head.target);
    if (!parsed) return;
    request.path = parsed->path;
    request.query = parsed->query;
    auto match = http::find_route(method, parsed->path, /*is_admin_listener=*/false);
    if (match.kind != http::RouteMatch::Kind::kFound || match.route->hub == nullptr) return;
    request.values = std::move(match.values);
    const auto bytes = as_byte_span(body);
    if (match.route->max_body) request.body.assign(bytes.begin(), bytes.end());
    const auto answer = http::answer_hub(app_, *match.route, request);
    // 501 is said of what there is not.
    if (answer.status >= 500 && answer.status != 501) std::abort();
    if (answer.status < 400) return;
    bool is_explained = false;
    for (const auto& [name, value] : answer.headers)
      is_explained |= name == "X-Error-Message" && !value.empty();
    if (!is_explained && method != "HEAD" && match.route->path.find("info/lfs") == std::string_view::npos)
      std::abort();
  }

 private:
  testing::FakeClock clock_;
  testing::TempDir directory_;
  core::EmbeddedStore store_ = core::open_embedded_store(directory_ / "store", {.clock = &clock_}).value();
  http::App app_{*store_.service, http::ServerLimits{}, 1, 1};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Server server;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t end = text.find('\n');
  const auto line = text.substr(0, end);
  const size_t space = line.find(' ');
  if (end == text.npos || space == line.npos) return 0;
  server.ask(line.substr(0, space), line.substr(space + 1), text.substr(end + 1));
  return 0;
}

#include "http/http_fixture.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <thread>

namespace xet::testing {

namespace {

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return *std::move(result);
}

constexpr std::chrono::seconds kPatience{30};

}  // namespace

HttpFixture::HttpFixture(const std::function<void(http::ServerOptions&)>& edit)
    : store_(must(core::open_embedded_store(dir / "store", {.clock = &clock}))),
      tokens_(must(core::TokenAuthority::open(store_.service->meta(), clock))) {
  http::ServerOptions options;
  options.listen = "127.0.0.1:0";
  options.clock = &clock;
  options.hub = store_.hub.get();
  options.lfs_directory = dir / "lfs";
  options.access_log = [this](std::string_view line) { log_lines_.lock()->emplace_back(line); };
  options.event_log = [this](std::string_view line) { events_.lock()->emplace_back(line); };
  if (edit) edit(options);
  server_ = must(http::Server::start(*store_.service, options));
}

std::string HttpFixture::token(core::Scope scope, std::string_view repository,
                               std::chrono::seconds lifetime) {
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(clock.wall_now().time_since_epoch());
  return must(tokens_->issue({.repository = must(store_.service->repository(repository, true)),
                              .repository_name = std::string(repository),
                              .scope = scope,
                              .expires_at_s = static_cast<uint64_t>((now + lifetime).count()),
                              .principal = "somebody",
                              .id = "t1"}));
}

core::Principal HttpFixture::principal(std::string_view repository) {
  return {.repository = must(store_.service->repository(repository, true)), .reads_every_file = false};
}

format::FileRecord HttpFixture::add_file(const std::vector<ChunkRun>& runs,
                                         const std::vector<const SampleXorb*>& xorbs,
                                         std::string_view repository) {
  const auto who = principal(repository);
  for (const auto* xorb : xorbs) {
    const ByteSpan body(xorb->body);
    (void)must(service().put_xorb(who, xorb->hash, std::span(&body, 1), {}));
  }
  auto file = make_file(runs);
  const auto shard = make_shard({file}, xorbs);
  (void)must(service().put_shard(who, shard, {}, {}));
  return file;
}

format::FileRecord HttpFixture::add_file(const SampleXorb& xorb, std::string_view repository) {
  return add_file({{&xorb, 0, static_cast<uint32_t>(xorb.chunks.size())}}, {&xorb}, repository);
}

std::vector<std::string> HttpFixture::log_lines() {
  return *log_lines_.lock();
}

std::vector<std::string> HttpFixture::wait_for_log_lines(size_t n) {
  // A line is written after its answer was sent, so a client may be here first.
  const auto until = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    auto lines = log_lines();
    if (lines.size() >= n || std::chrono::steady_clock::now() > until) return lines;
    std::this_thread::yield();
  }
}

std::vector<std::string> HttpFixture::events() {
  return *events_.lock();
}

double HttpFixture::metric(std::string_view name_and_labels) {
  RawClient client(server_->admin_port().value());
  const auto answer = client.request("GET", "/metrics", {{"Connection", "close"}});
  std::string_view text = answer.body;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const auto line = text.substr(0, end);
    if (line.starts_with(name_and_labels) && line.substr(name_and_labels.size(), 1) == " ") {
      return std::stod(std::string(line.substr(name_and_labels.size() + 1)));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return -1;
}

bool HttpFixture::wait_for_metric(std::string_view name_and_labels, double value) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (metric(name_and_labels) != value) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

std::string target_of(std::string_view url) {
  const size_t host = url.find("://");
  return std::string(url.substr(url.find('/', host + 3)));
}

}  // namespace xet::testing

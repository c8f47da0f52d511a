#include "xet/hub.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "base/bytes.h"
#include "base/text.h"
#include "base/try.h"
#include "cas/token_source.h"
#include "hash/sha1.h"
#include "hash/sha256.h"
#include "libxet/endpoint.h"
#include "libxet/http_endpoint.h"
#include "libxet/hub_http.h"
#include "libxet/hub_wire.h"
#include "net/url.h"
#include "xet/version.h"

namespace xet {

namespace {

/// Of what the Hub hands out itself, at once; in memory.
constexpr uint64_t kReadBytes = uint64_t{8} << 20;
constexpr size_t kMaxPerPreupload = 256;
constexpr size_t kMaxPerBatch = 1000;

std::string_view access_route(Hub::Access access) {
  return access == Hub::Access::kRead ? "/xet-read-token" : "/xet-write-token";
}

hash::Sha1 begin_blob(uint64_t size_bytes) {
  hash::Sha1 out;
  std::string header = fmt::format("blob {}", size_bytes);
  header += '\0';
  out.update(as_byte_span(header));
  return out;
}

/// Of a whole file, as far as the listing says what it has to be.
class ContentCheck {
 public:
  explicit ContentCheck(const HubFile& file) : file_(file), blob_(begin_blob(file.size_bytes)) {}

  void update(ByteSpan bytes) {
    if (file_.sha256) {
      sha256_.update(bytes);
    } else {
      blob_.update(bytes);
    }
  }

  Status finish() {
    if (file_.sha256 ? sha256_.finish() == *file_.sha256
                     : file_.git_id.empty() || to_hex(blob_.finish()) == file_.git_id)
      return {};
    return fail(ErrorCode::kCorruption, "the content from the Hub is not what its listing says it is");
  }

 private:
  const HubFile& file_;
  hash::Sha256 sha256_;
  hash::Sha1 blob_;
};

}  // namespace

std::string git_blob_id(std::span<const std::byte> content) {
  auto blob = begin_blob(content.size());
  blob.update(content);
  return to_hex(blob.finish());
}

class Hub::Impl {
 public:
  Impl(HubAddress at, ClientOptions options, HubHttpOptions hub)
      : address(std::move(at)), client(std::move(options)), http(std::move(hub)) {}

  /// A body sent to a route of this repository.
  Result<net::Response> post(std::string_view route, hub_wire::Body body, Repeat repeat,
                             const std::stop_token& stop) const {
    return http.call({.method = "POST",
                      .url = hub_wire::api(address, route),
                      .content_type = std::move(body.type),
                      .body = std::move(body.text),
                      .headers = {},
                      .repeat = repeat},
                     stop);
  }

  bool is_bucket() const { return address.kind == HubKind::kBucket; }
  /// "/NAME/REVISION" behind a route; nothing for buckets.
  std::string at_revision(std::string_view route) const {
    if (is_bucket()) return std::string(route);
    return fmt::format("{}/{}", route, net::percent_encode_segment(address.revision));
  }

  Result<std::vector<hub_wire::Entry>> look_up(std::string_view commit, std::string_view path,
                                               const std::stop_token& stop) const {
    const std::string route =
        is_bucket() ? "/paths-info" : fmt::format("/paths-info/{}", net::percent_encode_segment(commit));
    XET_TRY(const auto answer,
            post(route, hub_wire::paths_info(address, path), Repeat::kWheneverItFailed, stop));
    return hub_wire::parse_entries(answer.body);
  }

  Result<std::vector<HubFile>> everything_below(std::string_view commit, std::string_view folder,
                                                const std::stop_token& stop) const {
    std::vector<HubFile> out;
    std::optional<std::string> next = hub_wire::tree(address, commit, folder);
    while (next) {
      XET_TRY(const auto answer, http.call({.url = *std::move(next), .headers = {}}, stop));
      XET_TRY(auto entries, hub_wire::parse_entries(answer.body));
      for (auto& entry : entries) {
        if (!entry.is_folder) out.push_back(std::move(entry.file));
      }
      next = hub_wire::next_page(answer.head.headers);
    }
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
    return out;
  }

  const HubAddress address;
  const ClientOptions client;
  const HubHttp http;
};

Result<std::shared_ptr<Hub>> Hub::open(HubAddress address, HubOptions options, const ClientOptions& client) {
  while (options.url.ends_with('/')) options.url.pop_back();
  if (!options.url.starts_with("http://") && !options.url.starts_with("https://"))
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("the address of the Hub, '{}', is no http(s) URL (HF_ENDPOINT)", options.url));
  if (!options.token.empty()) XET_TRY_STATUS(cas::check_token_text(options.token));

  ClientOptions with_config = client;
  if (!with_config.config) with_config.config = Config::from_environment();
  const Config& config = *with_config.config;
  HubHttpOptions http{.url = options.url,
                      .token = std::move(options.token),
                      .headers = {},
                      .retry = retry_ladder_of(config),
                      .transport = make_transport(config),
                      .on_trouble = client.http.on_notice};
  http.headers.push_back({"User-Agent", client.http.user_agent.empty() ? fmt::format("libxet/{}", kVersion)
                                                                       : client.http.user_agent});
  for (const auto& [name, value] : client.http.headers) http.headers.push_back({name, value});
  return std::make_shared<Hub>(
      std::make_unique<Impl>(std::move(address), std::move(with_config), std::move(http)));
}

Hub::Hub(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Hub::~Hub() = default;

const HubAddress& Hub::address() const {
  return impl_->address;
}

Result<std::shared_ptr<Client>> Hub::connect(Access access, const std::stop_token& stop) const {
  const auto& hub = impl_->http.options();
  ClientOptions client = impl_->client;
  client.http.token.reset();
  client.http.refresh_url = hub.url + hub_wire::api(impl_->address, impl_->at_revision(access_route(access)));
  client.http.refresh_headers = {{"User-Agent", hub.headers.front().value}};
  if (!hub.token.empty()) client.http.refresh_headers.emplace_back("Authorization", "Bearer " + hub.token);
  return open_endpoint_on("", client, {.engine = nullptr, .transport = hub.transport}, stop);
}

Status Hub::create(const std::stop_token& stop) const {
  const auto& address = impl_->address;
  auto body = hub_wire::create(address);
  const auto made =
      impl_->http.call({.method = "POST",
                        .url = impl_->is_bucket() ? hub_wire::api(address) : "/api/repos/create",
                        .content_type = std::move(body.type),
                        .body = std::move(body.text),
                        .headers = {}},
                       stop);
  if (made || made.error().http_status == 409) return {};
  return tl::unexpected(made.error());
}

Result<std::string> Hub::head(const std::stop_token& stop) const {
  if (impl_->is_bucket()) return std::string();
  XET_TRY(const auto answer,
          impl_->http.call(
              {.url = hub_wire::api(impl_->address, impl_->at_revision("/revision")), .headers = {}}, stop));
  return hub_wire::parse_member(answer.body, "sha");
}

Result<std::vector<HubFile>> Hub::files(std::string_view commit, std::string_view path,
                                        const std::stop_token& stop) const {
  if (path.empty()) return impl_->everything_below(commit, {}, stop);
  XET_TRY(auto entries, impl_->look_up(commit, path, stop));
  const auto missing = [&] {
    return fail(ErrorCode::kNotFound, fmt::format("{} has no '{}'", impl_->address.name, path));
  };
  if (!entries.empty() && !entries.front().is_folder) return std::vector{std::move(entries.front().file)};
  if (entries.empty() && !impl_->is_bucket()) return missing();
  XET_TRY(auto out, impl_->everything_below(commit, path, stop));
  // A bucket has no folders but those that its files' names make.
  if (out.empty()) return missing();
  return out;
}

Result<uint64_t> Hub::read(std::string_view commit, const HubFile& file, std::optional<FileRange> range,
                           const Sink& sink, const std::stop_token& stop) const {
  const uint64_t begin = range ? std::min(range->begin, file.size_bytes) : 0;
  const uint64_t end = range ? std::min(range->end, file.size_bytes) : file.size_bytes;
  const bool is_whole = begin == 0 && end == file.size_bytes;
  const std::string url = hub_wire::resolve(impl_->address, commit, file.path);
  ContentCheck check(file);
  for (uint64_t at = begin; at < end;) {
    const uint64_t n = std::min(kReadBytes, end - at);
    HubRequest request{.url = url, .headers = {}, .max_body_bytes = kReadBytes};
    if (n < file.size_bytes) request.headers = {{"Range", fmt::format("bytes={}-{}", at, at + n - 1)}};
    XET_TRY(const auto answer, impl_->http.call(std::move(request), stop));
    if (answer.body.size() != n)
      return fail(ErrorCode::kCorruption, fmt::format("the Hub sent {} bytes of '{}' where it has {}",
                                                      answer.body.size(), file.path, n));
    if (is_whole) check.update(answer.body);
    XET_TRY_STATUS(sink(answer.body));
    at += n;
  }
  if (is_whole) XET_TRY_STATUS(check.finish());
  return end > begin ? end - begin : 0;
}

Result<std::vector<HubTreatment>> Hub::treatment(std::span<const HubCandidate> candidates,
                                                 const std::stop_token& stop) const {
  std::vector<HubTreatment> out;
  out.reserve(candidates.size());
  if (impl_->is_bucket()) {
    out.resize(candidates.size());
    return out;
  }
  for (size_t i = 0; i < candidates.size(); i += kMaxPerPreupload) {
    const auto some = candidates.subspan(i, std::min(kMaxPerPreupload, candidates.size() - i));
    XET_TRY(const auto answer, impl_->post(impl_->at_revision("/preupload"), hub_wire::preupload(some),
                                           Repeat::kWheneverItFailed, stop));
    XET_TRY(auto treatments, hub_wire::parse_treatment(answer.body, some));
    std::move(treatments.begin(), treatments.end(), std::back_inserter(out));
  }
  return out;
}

Result<std::string> Hub::commit(std::span<const HubAddition> additions, std::string_view message,
                                const std::stop_token& stop) const {
  if (!impl_->is_bucket()) {
    for (const auto& each : additions) {
      if (!each.content && !each.sha256)
        return fail(ErrorCode::kInvalidArgument,
                    fmt::format("'{}' cannot be committed without its SHA-256", each.path));
    }
    XET_TRY(const auto answer,
            impl_->post(impl_->at_revision("/commit"), hub_wire::commit(additions, message),
                        Repeat::kUnlessItMayHaveDone, stop));
    return hub_wire::parse_member(answer.body, "commitOid");
  }
  for (size_t i = 0; i < additions.size(); i += kMaxPerBatch) {
    const auto some = additions.subspan(i, std::min(kMaxPerBatch, additions.size() - i));
    XET_TRY(const auto answer, impl_->post("/batch", hub_wire::batch(some), Repeat::kWheneverItFailed, stop));
    XET_TRY_STATUS(hub_wire::check_batch(answer.body));
  }
  return std::string();
}

}  // namespace xet

#pragma once

#include <future>
#include <memory>
#include <string>
#include <vector>

#include "cas/fake_transport.h"
#include "cas/http_cas.h"
#include "support/fake_clock.h"
#include "support/matchers.h"

namespace xet::testing {

/// A FetchSink that gathers.
class GatheringSink final : public cas::FetchSink {
 public:
  explicit GatheringSink(size_t piece_bytes = 10'000) : buffer_(piece_bytes) {}
  MutableByteSpan room(UniqueFunction<void()> /*resume*/) override { return buffer_; }
  void filled(size_t n_bytes) override { data += as_chars(ByteSpan(buffer_).first(n_bytes)); }
  std::string data;

 private:
  ByteVector buffer_;
};

/// A CAS over a scripted transport, with a clock that jumps on whenever the calls wait for it.
class HttpFixture {
 public:
  static inline const std::string kEndpoint = "http://cas.test";

  /// `edit` changes the options before the CAS is opened.
  explicit HttpFixture(FakeTransport::Handler handler,
                       const std::function<void(cas::HttpCasOptions&)>& edit = {})
      : transport(std::make_shared<FakeTransport>(std::move(handler))) {
    cas::HttpCasOptions options;
    options.endpoint = kEndpoint;
    options.session_id = "session";
    options.transport = transport;
    options.clock = &clock;
    options.random = [] { return 0.5; };
    options.on_trouble = [this](std::string_view line) { trouble_.lock()->emplace_back(line); };
    if (edit) edit(options);
    auto opened = cas::open_http_cas(std::move(options));
    if (!opened) throw std::runtime_error(opened.error().message);
    cas = std::move(*opened);
  }

  /// Runs one call to its end: `start(callback)`.
  template <class T, class Start>
  Result<T> run(Start start) {
    std::promise<Result<T>> promise;
    auto future = promise.get_future();
    start([&](Result<T> result) { promise.set_value(std::move(result)); });
    while (future.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) {
      clock.advance(std::chrono::milliseconds(500));
    }
    return future.get();
  }

  Result<cas::Reconstruction> reconstruct(const FileHash& file, std::optional<cas::ByteRange> range = {}) {
    return run<cas::Reconstruction>([&](auto done) { cas->reconstruct(file, range, {}, std::move(done)); });
  }
  Result<uint64_t> file_size(const FileHash& file) {
    return run<uint64_t>([&](auto done) { cas->file_size(file, {}, std::move(done)); });
  }
  Result<std::string> fetch(const XorbHash& xorb, const cas::FetchRange& range) {
    const auto sink = std::make_shared<GatheringSink>();
    const auto status = run<void>([&](auto done) { cas->fetch({xorb, range, sink}, {}, std::move(done)); });
    if (!status) return tl::unexpected(status.error());
    return sink->data;
  }
  Result<cas::PutXorbOutcome> put_xorb(const XorbHash& hash, std::string_view bytes) {
    const size_t half = bytes.size() / 2;
    cas::XorbBody body{.hash = hash,
                       .pieces = {as_byte_span(bytes.substr(0, half)), as_byte_span(bytes.substr(half))},
                       .size_bytes = bytes.size()};
    return run<cas::PutXorbOutcome>([&](auto done) { cas->put_xorb(std::move(body), {}, std::move(done)); });
  }
  Status put_shard(std::string_view bytes) {
    const auto span = as_byte_span(bytes);
    return run<void>(
        [&](auto done) { cas->put_shard(ByteVector(span.begin(), span.end()), {}, std::move(done)); });
  }
  Result<std::optional<ByteVector>> query_dedup(const ChunkHash& chunk) {
    return run<std::optional<ByteVector>>([&](auto done) { cas->query_dedup(chunk, {}, std::move(done)); });
  }

  std::vector<std::string> trouble() { return *trouble_.lock(); }

  FakeClock clock;
  std::shared_ptr<FakeTransport> transport;
  std::unique_ptr<cas::Cas> cas;

 private:
  Sync<std::vector<std::string>> trouble_;
};

}  // namespace xet::testing

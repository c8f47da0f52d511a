#include "cas/fake_transport.h"

#include <algorithm>
#include <cstring>

namespace xet::testing {

using net::Fault;

namespace {

net::TransportError failed(Fault fault, Error error = {ErrorCode::kUnavailable, "the fake network failed"}) {
  return {fault, std::move(error), std::nullopt};
}

/// Waits until a sink has room again, or for a stop.
class Doorbell {
 public:
  void ring() {
    *rung_.lock() = true;
    heard_.notify_all();
  }
  void wait(const std::stop_token& stop) {
    const std::stop_callback on_stop(stop, [this] { ring(); });
    auto rung = rung_.lock();
    rung.wait(heard_, [&] { return *rung; });
  }

 private:
  Sync<bool> rung_{false};
  std::condition_variable heard_;
};

std::optional<net::TransportError> feed(net::ResponseSink& sink, std::string_view body, size_t piece_bytes,
                                        const std::stop_token& stop) {
  while (!body.empty()) {
    if (stop.stop_requested()) return failed(Fault::kCancelled, {ErrorCode::kCancelled, "cancelled"});
    const auto bell = std::make_shared<Doorbell>();
    const auto room = sink.room([bell] { bell->ring(); });
    if (room.empty()) {
      bell->wait(stop);
      continue;
    }
    const size_t n = std::min({room.size(), body.size(), piece_bytes});
    std::memcpy(room.data(), body.data(), n);
    body.remove_prefix(n);
    if (auto status = sink.filled(n); !status) return failed(Fault::kRefusedByReceiver, status.error());
  }
  return std::nullopt;
}

}  // namespace

std::string SentRequest::path() const {
  const size_t host = url.find("://") + 3;
  return url.substr(url.find('/', host));
}
std::string SentRequest::route() const {
  const auto whole = path();
  return method + " " + whole.substr(0, whole.find('?'));
}
std::string SentRequest::header(std::string_view name) const {
  return std::string(net::find_header(headers, name).value_or(""));
}

Reply reply(int status, std::string body, net::Headers headers) {
  Reply out;
  out.status = status;
  out.body = std::move(body);
  out.headers = std::move(headers);
  return out;
}
Reply fault(net::Fault what) {
  Reply out;
  out.fault = what;
  out.has_head = false;
  return out;
}

void FakeTransport::start(net::Request request, std::stop_token stop,
                          UniqueFunction<void(net::Outcome)> done) {
  SentRequest sent{.method = request.method,
                   .url = request.url,
                   .headers = request.headers,
                   .body = {},
                   .has_body = request.has_body,
                   .patience = request.patience};
  for (const auto& piece : request.body) sent.body += as_chars(piece);
  {
    auto state = state_.lock();
    sent.nth = state->requests.size();
    sent.nth_of_path = state->n_by_route[sent.route()]++;
    state->requests.push_back(sent);
  }
  threads_.submit([this, token = in_flight_.token(), request = std::move(request), sent = std::move(sent),
                   stop = std::move(stop), done = std::move(done)]() mutable {
    auto outcome = exchange(request, sent, stop);
    done(std::move(outcome));
  });
}

net::Outcome FakeTransport::exchange(net::Request& request, const SentRequest& sent,
                                     const std::stop_token& stop) {
  const auto cancelled = [] {
    return tl::unexpected(failed(Fault::kCancelled, {ErrorCode::kCancelled, "cancelled"}));
  };
  if (stop.stop_requested()) return cancelled();
  auto answer = handler_(sent);
  if (answer.before) answer.before();
  if (answer.hangs) {
    Doorbell never;
    never.wait(stop);
    return cancelled();
  }
  if (request.on_sent && request.has_body) request.on_sent(sent.body.size());
  if (answer.fault && !answer.has_head) return tl::unexpected(failed(*answer.fault));
  net::Response response{.head = {answer.status, answer.headers}, .body = {}};
  const bool has_length = net::find_header(answer.headers, "Content-Length").has_value();
  if (answer.tells_length && !has_length && !answer.fault) {
    response.head.headers.push_back({"Content-Length", std::to_string(answer.body.size())});
  }
  if (request.sink && response.is_success()) {
    if (auto status = request.sink->begin(response.head); !status)
      return tl::unexpected(failed(Fault::kRefusedByReceiver, status.error()));
    if (auto error = feed(*request.sink, answer.body, answer.piece_bytes, stop))
      return tl::unexpected(std::move(*error));
  } else if (sent.method != "HEAD") {
    if (response.is_success() && answer.body.size() > request.max_body_bytes)
      return tl::unexpected(failed(Fault::kTooLarge, {ErrorCode::kCorruption, "too large"}));
    append_bytes(response.body, as_byte_span(answer.body));
  }
  if (answer.fault) return tl::unexpected(failed(*answer.fault));
  return response;
}

std::vector<SentRequest> FakeTransport::requests() const {
  return state_.lock()->requests;
}
std::vector<std::string> FakeTransport::routes() const {
  std::vector<std::string> out;
  for (const auto& request : requests()) out.push_back(request.route());
  return out;
}
size_t FakeTransport::n_requests(std::string_view route) const {
  const auto all = routes();
  return static_cast<size_t>(std::count(all.begin(), all.end(), route));
}

}  // namespace xet::testing

#include "server/http/request_parser.h"

#include <fmt/format.h>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/parser.hpp>
#include <limits>
#include <string>

namespace xet::http {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using Field = beast::http::field;

constexpr std::string_view kSessionId = "X-Xet-Session-Id";

tl::unexpected<Error> malformed(std::string_view what) {
  return fail(ErrorCode::kInvalidArgument, std::string(what));
}

tl::unexpected<Error> from_beast(const beast::error_code& error) {
  if (error == beast::http::error::header_limit) {
    return fail(ErrorCode::kRefused, "the header is too large");
  }
  return fail(ErrorCode::kInvalidArgument, fmt::format("no HTTP request: {}", error.message()));
}

}  // namespace

struct RequestParser::State {
  beast::http::request_parser<beast::http::buffer_body> parser;
  size_t max_header_bytes = 0;
  size_t header_bytes = 0;  // so far
};

RequestParser::RequestParser(size_t max_header_bytes) : state_(std::make_unique<State>()) {
  state_->max_header_bytes = max_header_bytes;
  auto& parser = state_->parser;
  parser.header_limit(
      static_cast<uint32_t>(std::min<size_t>(max_header_bytes, std::numeric_limits<uint32_t>::max())));
  parser.body_limit(boost::none);  // each route has its own
}

RequestParser::~RequestParser() = default;

Result<RequestParser::Progress> RequestParser::parse_head(ByteSpan in) {
  auto& parser = state_->parser;
  Progress out;
  while (out.consumed < in.size() && !parser.is_header_done()) {
    const auto rest = in.subspan(out.consumed);
    beast::error_code error;
    const size_t n = parser.put(asio::const_buffer(rest.data(), rest.size()), error);
    out.consumed += n;
    state_->header_bytes += n;
    if (error == beast::http::error::need_more) break;
    if (error) return from_beast(error);
  }
  // Beast's limit holds for what comes in pieces, not for what comes at once.
  if (state_->header_bytes > state_->max_header_bytes) return from_beast(beast::http::error::header_limit);
  out.complete = parser.is_header_done();
  return out;
}

Result<RequestHead> RequestParser::head() const {
  const auto& parser = state_->parser;
  const auto& message = parser.get();
  if (message.version() != 10 && message.version() != 11) return malformed("no HTTP/1.0 or HTTP/1.1");
  RequestHead out;
  out.method = std::string(message.method_string());
  out.target = std::string(message.target());
  out.http_1_0 = message.version() == 10;
  out.keep_alive = parser.keep_alive();
  out.chunked = parser.chunked();
  if (const auto length = parser.content_length()) out.content_length = *length;

  // Beast has refused a length beside an encoding, and two lengths; of encodings it takes any, if chunked is
  // last.
  const auto encodings = message.equal_range(Field::transfer_encoding);
  for (auto at = encodings.first; at != encodings.second; ++at) {
    if (!beast::iequals(at->value(), "chunked"))
      return malformed("no Transfer-Encoding but 'chunked' is known");
  }
  if (std::distance(encodings.first, encodings.second) > 1) return malformed("two Transfer-Encoding fields");
  if (out.chunked && out.http_1_0) return malformed("HTTP/1.0 has no chunked bodies");

  const auto single = [&](auto name, std::string& into) {
    const auto values = message.equal_range(name);
    if (values.first == values.second) return true;
    into = std::string(values.first->value());
    return std::next(values.first) == values.second;
  };
  std::string expect;
  if (!single(Field::host, out.host) || !single(Field::authorization, out.authorization) ||
      !single(Field::range, out.range) || !single(Field::if_none_match, out.if_none_match) ||
      !single(Field::if_range, out.if_range) || !single(Field::expect, expect)) {
    return malformed("a header field is there twice that may be there once");
  }
  (void)single(kSessionId, out.session_id);  // for logs only: the first one will do
  if (!expect.empty()) {
    if (!beast::iequals(expect, "100-continue"))
      return malformed("nothing is known to expect but '100-continue'");
    out.expects_continue = !out.http_1_0;
  }
  return out;
}

Result<RequestParser::Progress> RequestParser::decode_chunked(ByteSpan in, MutableByteSpan out) {
  auto& parser = state_->parser;
  auto& body = parser.get().body();
  Progress progress;
  while (!parser.is_done()) {
    const auto room = out.subspan(progress.produced);
    const auto rest = in.subspan(progress.consumed);
    if (room.empty() || rest.empty()) break;
    body.data = room.data();
    body.size = room.size();
    body.more = true;
    beast::error_code error;
    const size_t n = parser.put(asio::const_buffer(rest.data(), rest.size()), error);
    progress.consumed += n;
    progress.produced += room.size() - body.size;
    if (error == beast::http::error::need_more) break;
    if (error && error != beast::http::error::need_buffer) return from_beast(error);
  }
  progress.complete = parser.is_done();
  return progress;
}

}  // namespace xet::http

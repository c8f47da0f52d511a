// Everything the server reads of a request before it is known who sends it, and the JSON after that: the
// first byte says what the rest is. What is accepted has to hold what its reader promises.
#include <algorithm>
#include <cstdlib>
#include <string>

#include "server/http/address.h"
#include "server/http/byte_ranges.h"
#include "server/http/json_in.h"
#include "server/http/request_parser.h"
#include "server/http/route.h"
#include "server/http/target.h"

namespace {

using namespace xet::http;
using xet::ByteSpan, xet::ByteVector, xet::MutableByteSpan;

void expect(bool holds) {
  if (!holds) std::abort();
}

void try_ranges(std::string_view text) {
  constexpr size_t kMax = 8;
  const auto specs = parse_range_header(text, kMax);
  if (!specs) return;
  expect(!specs->empty() && specs->size() <= kMax);
  for (const auto& spec : *specs) {
    for (const uint64_t size : {uint64_t{0}, uint64_t{1}, uint64_t{1000}, UINT64_MAX}) {
      const auto range = spec.resolve(size);
      if (range) expect(range->begin < range->end && range->end <= size);
    }
  }
}

void try_target(std::string_view text) {
  const auto target = Target::parse(text);
  if (!target) return;
  expect(target->path.starts_with('/'));
  const auto segments = split_path(target->path);
  if (segments) {
    for (const auto raw : *segments) {
      const auto segment = decode_segment(raw);
      if (!segment) continue;
      expect(!segment->empty() && *segment != "." && *segment != ".." &&
             segment->find('/') == std::string::npos && segment->find('\0') == std::string::npos);
    }
  }
  (void)query_values(target->query, "file_id");
  (void)form_values(target->query, "paths");
  for (const bool is_admin : {false, true}) {
    const auto match = find_route("GET", target->path, is_admin);
    if (match.kind == RouteMatch::Kind::kFound)
      expect(match.route != nullptr && match.route->method == "GET");
  }
}

void try_json(std::string_view text) {
  const auto bytes = xet::as_byte_span(text);
  constexpr size_t kMax = 16;
  (void)GrantRequest::parse(bytes);
  const auto body = parse_batch_body(bytes, kMax);
  if (body) expect(body->size() <= kMax);
  const auto query = parse_batch_query(text, kMax);
  if (query) expect(query->size() <= kMax);
}

void try_address(std::string_view text) {
  (void)ListenAddress::parse(text);
  const auto url = parse_public_url(text);
  // Both are printed into JSON as they are.
  const auto harmless = [](std::string_view printed) {
    return std::ranges::all_of(printed, [](char c) { return c > 0x20 && c < 0x7f && c != '"' && c != '\\'; });
  };
  if (url) expect(harmless(*url) && !url->ends_with('/'));
  if (is_valid_host(text)) expect(harmless(text));
}

/// A request and its body, in pieces of `step` bytes: how it is cut must not matter.
std::string read_request(std::string_view text, size_t step) {
  RequestParser parser(1024);
  ByteVector input;
  ByteVector room(7);
  std::string out;
  bool in_body = false;
  for (size_t at = 0; at < text.size(); at += step) {
    xet::append_bytes(input, xet::as_byte_span(text.substr(at, step)));
    for (;;) {
      const auto progress = in_body ? parser.decode_chunked(input, room) : parser.parse_head(input);
      if (!progress) return out + "!";
      expect(progress->consumed <= input.size() && progress->produced <= room.size());
      input.erase(input.begin(), input.begin() + static_cast<ptrdiff_t>(progress->consumed));
      if (in_body) out += xet::as_chars(ByteSpan(room).first(progress->produced));
      if (progress->complete) {
        if (in_body) return out + "$";
        const auto head = parser.head();
        if (!head) return out + "?";
        out += head->method + " " + head->target + " " + head->range + "\n";
        if (!head->chunked) return out + (head->content_length ? std::to_string(*head->content_length) : "");
        in_body = true;
        continue;
      }
      if (progress->consumed == 0 && progress->produced == 0) break;
    }
  }
  return out + "...";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 8) {
    case 0:
      try_ranges(text);
      break;
    case 1:
      try_target(text);
      break;
    case 2:
      try_json(text);
      break;
    case 3:
      try_address(text);
      break;
    default: {
      const auto whole = read_request(text, std::max<size_t>(text.size(), 1));
      const auto cut = read_request(text, 3);
      // That something is wrong is noticed earlier or later, so only what was read to its end is compared.
      const auto is_complete = [](const std::string& read) {
        return !read.ends_with('!') && !read.ends_with("...");
      };
      if (is_complete(whole)) expect(cut == whole);
      if (is_complete(cut)) expect(cut == whole);
    }
  }
  return 0;
}

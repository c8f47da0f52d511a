#include "cas/multipart.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace xet::cas {

namespace {

constexpr std::string_view kType = "multipart/byteranges";
constexpr size_t kMaxBoundary = 70;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
bool equals_without_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}
std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}
bool is_boundary_char(char c) {
  return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') ||
         std::string_view("'()+_,-./:=? ").find(c) != std::string_view::npos;
}

tl::unexpected<Error> bad(std::string_view what) {
  return fail(ErrorCode::kCorruption, fmt::format("multipart answer: {}", what));
}

/// The one Content-Range among header lines that each end in CRLF.
Result<ContentRange> find_content_range(std::string_view lines) {
  std::optional<ContentRange> found;
  while (!lines.empty()) {
    const size_t end = lines.find("\r\n");
    const auto line = lines.substr(0, end);
    lines.remove_prefix(end + 2);
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return bad("a header line without colon");
    if (!equals_without_case(line.substr(0, colon), "content-range")) continue;
    if (found) return bad("a part with two Content-Range headers");
    found = parse_content_range(trimmed(line.substr(colon + 1)));
    if (!found) return bad("a part with a Content-Range that is none");
  }
  if (!found) return bad("a part without Content-Range");
  return *found;
}

}  // namespace

std::optional<std::string> multipart_boundary(std::string_view content_type) {
  const size_t type_end = content_type.find(';');
  if (!equals_without_case(trimmed(content_type.substr(0, type_end)), kType)) return std::nullopt;
  while (true) {
    const size_t semicolon = content_type.find(';');
    if (semicolon == std::string_view::npos) return std::nullopt;
    content_type.remove_prefix(semicolon + 1);
    // a quoted value may hold a semicolon, but no boundary does: the next round only sees a broken rest
    const auto parameter = trimmed(content_type.substr(0, content_type.find(';')));
    const size_t equals = parameter.find('=');
    if (equals == std::string_view::npos || !equals_without_case(parameter.substr(0, equals), "boundary"))
      continue;
    auto value = parameter.substr(equals + 1);
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
      value = value.substr(1, value.size() - 2);
    if (value.empty() || value.size() > kMaxBoundary || value.back() == ' ' ||
        !std::all_of(value.begin(), value.end(), is_boundary_char)) {
      return std::nullopt;
    }
    return std::string(value);
  }
}

Result<MultipartParser::Event> MultipartParser::next(ByteSpan& in) {
  while (!in.empty()) {
    switch (state_) {
      case State::kAfter:
        in = {};
        break;
      case State::kBody: {
        if (body_left_ == 0) {
          state_ = State::kHead;
          break;
        }
        const auto data = in.first(static_cast<size_t>(std::min<uint64_t>(in.size(), body_left_)));
        in = in.subspan(data.size());
        body_left_ -= data.size();
        return Event{.kind = Kind::kData, .part = {}, .data = data};
      }
      case State::kHead: {
        // Byte by byte: a head is short, and what follows it is not ours to take.
        head_.push_back(static_cast<char>(in.front()));
        in = in.subspan(1);
        if (head_.size() > kMaxPartHead) return bad("the head of a part is too long");
        XET_TRY(auto event, parse_head());
        if (event) return *event;
        break;
      }
    }
  }
  return Event{};
}

Result<std::optional<MultipartParser::Event>> MultipartParser::parse_head() {
  std::string_view head = head_;
  // The line break before a delimiter belongs to it; before the first it may be missing.
  if (head.starts_with("\r\n")) {
    head.remove_prefix(2);
  } else if (!is_first_ || head == "\r") {
    if (head == "\r") return std::optional<Event>{};
    return bad("a part is longer than its Content-Range says");
  }
  const auto comparable = std::min(head.size(), delimiter_.size());
  if (head.substr(0, comparable) != std::string_view(delimiter_).substr(0, comparable)) {
    return bad("no delimiter where one is due");
  }
  head.remove_prefix(comparable);
  if (head.size() < 2) return std::optional<Event>{};
  if (head.starts_with("--")) {
    state_ = State::kAfter;
    head_.clear();
    return std::optional<Event>(Event{.kind = Kind::kEnd, .part = {}, .data = {}});
  }
  if (!head.starts_with("\r\n")) return bad("no line break behind a delimiter");
  if (!head.ends_with("\r\n\r\n")) return std::optional<Event>{};
  head.remove_prefix(2);
  head.remove_suffix(2);
  XET_TRY(const auto range, find_content_range(head));
  state_ = State::kBody;
  is_first_ = false;
  body_left_ = range.bytes.size();
  head_.clear();
  return std::optional<Event>(Event{.kind = Kind::kPart, .part = range, .data = {}});
}

}  // namespace xet::cas

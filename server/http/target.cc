#include "server/http/target.h"

#include <algorithm>

#include "base/text.h"

namespace xet::http {

namespace {

bool is_visible(char c) {
  return c > 0x20 && c < 0x7f;
}

tl::unexpected<Error> bad(std::string_view what) {
  return fail(ErrorCode::kInvalidArgument, std::string(what));
}

}  // namespace

Result<Target> Target::parse(std::string_view target) {
  if (!std::ranges::all_of(target, is_visible)) return bad("the request target has characters that none may");
  if (target.find('#') != std::string_view::npos) return bad("a request target has no fragment");
  if (!target.starts_with('/')) {
    const size_t scheme = target.find("://");
    if (scheme == std::string_view::npos) return bad("the request target is no path");
    const auto name = target.substr(0, scheme);
    if (name != "http" && name != "https") return bad("the request target is no path");
    const size_t path = target.find('/', scheme + 3);
    if (path == std::string_view::npos) return bad("the request target has no path");
    target.remove_prefix(path);
  }
  const size_t mark = std::min(target.find('?'), target.size());
  return Target{.path = target.substr(0, mark),
                .query = mark == target.size() ? std::string_view() : target.substr(mark + 1)};
}

std::optional<std::string> decode_percent(std::string_view text) {
  auto out = decode_percent_utf8(text);
  if (out && std::ranges::any_of(*out, [](char c) { return static_cast<unsigned char>(c) >= 0x80; })) {
    return std::nullopt;
  }
  return out;
}

std::optional<std::string> decode_percent_utf8(std::string_view text) {
  auto out = percent_decode(text);
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (out && std::ranges::any_of(*out, is_control)) return std::nullopt;
  return out;
}

Result<std::vector<std::string_view>> split_path(std::string_view path) {
  if (!path.starts_with('/')) return bad("the path does not begin with a slash");
  std::vector<std::string_view> out;
  for (;;) {
    path.remove_prefix(1);
    const size_t end = std::min(path.find('/'), path.size());
    out.push_back(path.substr(0, end));
    if (end == path.size()) return out;
    path.remove_prefix(end);
  }
}

std::optional<std::string> decode_segment(std::string_view segment) {
  auto out = decode_percent(segment);
  if (!out || out->empty() || *out == "." || *out == ".." || out->find('/') != std::string::npos) {
    return std::nullopt;
  }
  return out;
}

namespace {

template <class Decode>
Result<std::vector<std::string>> values_of(std::string_view query, std::string_view name, Decode decode) {
  std::vector<std::string> out;
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const auto pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const size_t equals = std::min(pair.find('='), pair.size());
    if (decode(pair.substr(0, equals)) != name) continue;
    auto value = decode(equals == pair.size() ? std::string_view() : pair.substr(equals + 1));
    if (!value) return bad("the query has an escape that stands for nothing");
    out.push_back(*std::move(value));
  }
  return out;
}

}  // namespace

Result<std::vector<std::string>> query_values(std::string_view query, std::string_view name) {
  return values_of(query, name, decode_percent);
}

Result<std::vector<std::string>> form_values(std::string_view form, std::string_view name) {
  return values_of(form, name, [](std::string_view text) {
    std::string spaced(text);
    std::ranges::replace(spaced, '+', ' ');
    return decode_percent_utf8(spaced);
  });
}

}  // namespace xet::http

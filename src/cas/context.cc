#include "cas/context.h"

#include <algorithm>
#include <utility>

namespace xet::cas {

namespace {
// One thread may wait for a token while the other parses.
constexpr size_t kThreads = 2;

net::Headers session_headers(const std::string& id) {
  if (id.empty()) return {};
  return {{"X-Xet-Session-Id", id}};
}

bool same_name(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}
}  // namespace

HttpContext::HttpContext(HttpCasOptions from)
    : options(std::move(from)),
      session_header(session_headers(options.session_id)),
      standing(merged(options.headers, session_header)),
      uploads(options.uploads, *options.clock),
      downloads(options.downloads, *options.clock),
      timer(*options.clock),
      pool(kThreads) {
  if (!options.user_agent.empty()) {
    standing = merged(std::exchange(standing, {}), {{"User-Agent", options.user_agent}});
  }
}

net::Headers merged(const net::Headers& standing, net::Headers own) {
  net::Headers out;
  for (const auto& header : standing) {
    const bool is_replaced = std::any_of(own.begin(), own.end(),
                                         [&](const auto& mine) { return same_name(mine.name, header.name); });
    if (!is_replaced) out.push_back(header);
  }
  std::move(own.begin(), own.end(), std::back_inserter(out));
  return out;
}

std::string one_line(std::string_view text, size_t max_bytes) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    auto byte = static_cast<unsigned char>(text[i]);
    // C0 and DEL, and C1 in its two-byte form: terminals obey them
    if (byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0) {
      ++i;
      byte = ' ';
    }
    if (byte < 0x20 || byte == 0x7f) byte = ' ';
    if (byte == ' ' && (out.empty() || out.back() == ' ')) continue;
    if (out.size() == max_bytes) {
      // not in the middle of a character
      if ((byte & 0xc0) == 0x80) {
        while (!out.empty() && (static_cast<unsigned char>(out.back()) & 0xc0) == 0x80) out.pop_back();
        if (!out.empty()) out.pop_back();
      }
      break;
    }
    out.push_back(static_cast<char>(byte));
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

}  // namespace xet::cas

#include "cas/fetch_layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <tuple>
#include <utility>

namespace xet::cas {

namespace {

constexpr size_t kMaxUrlBytes = size_t{64} << 10;

struct Candidate {
  WireRange range;
  size_t url;
};

tl::unexpected<Error> bad(const XorbHash& xorb, std::string_view what) {
  return fail(ErrorCode::kCorruption,
              fmt::format("the store's reconstruction is wrong: xorb {}: {}", xorb.hex(), what));
}

bool is_usable(std::string_view url) {
  if (url.size() > kMaxUrlBytes || !(url.starts_with("http://") || url.starts_with("https://"))) return false;
  return std::all_of(url.begin(), url.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

Status add_xorb(const XorbHash& xorb, std::vector<Candidate> candidates, FetchLayout& out) {
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    return std::tuple(a.range.chunks.begin, b.range.chunks.end) <
           std::tuple(b.range.chunks.begin, a.range.chunks.end);
  });
  const size_t first = out.entries.size();
  WireRange before;  // the last one taken
  for (const auto& [range, url] : candidates) {
    if (range.chunks.begin >= range.chunks.end) return bad(xorb, "a range without chunks");
    if (out.entries.size() == first) {
      out.entries.push_back({xorb, range.chunks, range.bytes, {{range.bytes, url}}});
      before = range;
      continue;
    }
    auto& last = out.entries.back();
    if (before.chunks.contains(range.chunks) && before.bytes.begin <= range.bytes.begin &&
        range.bytes.end <= before.bytes.end) {
      continue;
    }
    if (range.chunks.begin < before.chunks.end || range.bytes.begin < before.bytes.end) {
      return bad(xorb, "ranges to fetch overlap");
    }
    if (range.chunks.begin == before.chunks.end && range.bytes.begin == before.bytes.end) {
      last.chunks.end = range.chunks.end;
      last.bytes.end = range.bytes.end;
      last.pieces.push_back({range.bytes, url});
    } else {
      out.entries.push_back({xorb, range.chunks, range.bytes, {{range.bytes, url}}});
    }
    before = range;
  }
  return {};
}

}  // namespace

Result<FetchLayout> make_layout(WireFetches fetches) {
  std::vector<XorbHash> xorbs;
  xorbs.reserve(fetches.size());
  for (const auto& [xorb, ignored] : fetches) xorbs.push_back(xorb);
  std::sort(xorbs.begin(), xorbs.end());

  FetchLayout out;
  for (const auto& xorb : xorbs) {
    std::vector<Candidate> candidates;
    for (auto& fetch : fetches[xorb]) {
      if (!is_usable(fetch.url)) return bad(xorb, "a URL that cannot be used");
      auto& ranges = out.signed_ranges.emplace_back();
      for (const auto& range : fetch.ranges) {
        candidates.push_back({range, out.urls.size()});
        ranges.push_back(range.bytes);
      }
      out.urls.push_back(std::move(fetch.url));
    }
    XET_TRY_STATUS(add_xorb(xorb, std::move(candidates), out));
  }
  return out;
}

}  // namespace xet::cas

#include "server/http/json_out.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

namespace xet::http {

namespace {

using core::Reconstruction;

/// Appends to text what is known to need no escaping. Much faster than a document built first: this is what a
/// server of many small requests spends its time on.
class JsonText {
 public:
  explicit JsonText(std::string& out) : out_(out) {}
  JsonText& raw(std::string_view text) {
    out_ += text;
    return *this;
  }
  JsonText& number(uint64_t value) {
    const fmt::format_int digits(value);
    out_.append(digits.data(), digits.size());
    return *this;
  }
  JsonText& comma_unless(bool first) { return first ? *this : raw(","); }
  /// {"start":1,"end":2}
  JsonText& range(uint64_t start, uint64_t end) {
    return raw("{\"start\":").number(start).raw(",\"end\":").number(end).raw("}");
  }

 private:
  std::string& out_;
};

std::vector<std::string> names_of(std::span<const Reconstruction::Xorb> xorbs) {
  std::vector<std::string> out;
  out.reserve(xorbs.size());
  for (const auto& xorb : xorbs) out.push_back(xorb.row.hash.hex());
  return out;
}

void append_terms(JsonText& out, std::span<const Reconstruction::Term> terms,
                  std::span<const std::string> names) {
  out.raw("[");
  for (size_t i = 0; i < terms.size(); ++i) {
    const auto& term = terms[i];
    out.comma_unless(i == 0).raw("{\"hash\":\"").raw(names[term.xorb]).raw("\",\"unpacked_length\":");
    out.number(term.unpacked_len).raw(",\"range\":").range(term.chunk_begin, term.chunk_end).raw("}");
  }
  out.raw("]");
}

void append_fetch_v2(JsonText& out, std::string_view url, std::span<const Reconstruction::Range> ranges) {
  out.raw("{\"url\":\"").raw(url).raw("\",\"ranges\":[");
  for (size_t i = 0; i < ranges.size(); ++i) {
    const auto& range = ranges[i];
    out.comma_unless(i == 0).raw("{\"chunks\":").range(range.chunk_begin, range.chunk_end);
    out.raw(",\"bytes\":").range(range.packed.begin, range.packed.end - 1).raw("}");
  }
  out.raw("]}");
}

void append_fetch_info(JsonText& out, std::span<const Reconstruction::Xorb> xorbs,
                       std::span<const std::string> names, const UrlOf& url_of) {
  out.raw("{");
  for (size_t i = 0; i < xorbs.size(); ++i) {
    out.comma_unless(i == 0).raw("\"").raw(names[i]).raw("\":[");
    const std::span ranges(xorbs[i].ranges);
    for (size_t r = 0; r < ranges.size(); ++r) {
      const auto& range = ranges[r];
      out.comma_unless(r == 0).raw("{\"range\":").range(range.chunk_begin, range.chunk_end);
      out.raw(",\"url\":\"").raw(url_of(xorbs[i], ranges.subspan(r, 1)));
      out.raw("\",\"url_range\":").range(range.packed.begin, range.packed.end - 1).raw("}");
    }
    out.raw("]");
  }
  out.raw("}");
}

size_t expected_size(const Reconstruction& plan) {
  return 100 + plan.terms.size() * 150 + plan.xorbs.size() * 700;
}

}  // namespace

std::string reconstruction_v2_json(const Reconstruction& plan, const UrlOf& url_of,
                                   size_t max_ranges_per_url) {
  std::string text;
  text.reserve(expected_size(plan));
  JsonText out(text);
  const auto names = names_of(plan.xorbs);
  out.raw("{\"offset_into_first_range\":").number(plan.offset_into_first_term).raw(",\"terms\":");
  append_terms(out, plan.terms, names);
  out.raw(",\"xorbs\":{");
  for (size_t i = 0; i < plan.xorbs.size(); ++i) {
    out.comma_unless(i == 0).raw("\"").raw(names[i]).raw("\":[");
    const std::span ranges(plan.xorbs[i].ranges);
    for (size_t at = 0; at < ranges.size(); at += max_ranges_per_url) {
      const auto some = ranges.subspan(at, std::min(max_ranges_per_url, ranges.size() - at));
      out.comma_unless(at == 0);
      append_fetch_v2(out, url_of(plan.xorbs[i], some), some);
    }
    out.raw("]");
  }
  out.raw("}}");
  return text;
}

std::string reconstruction_v1_json(const Reconstruction& plan, const UrlOf& url_of) {
  std::string text;
  text.reserve(expected_size(plan));
  JsonText out(text);
  const auto names = names_of(plan.xorbs);
  out.raw("{\"offset_into_first_range\":").number(plan.offset_into_first_term).raw(",\"terms\":");
  append_terms(out, plan.terms, names);
  out.raw(",\"fetch_info\":");
  append_fetch_info(out, plan.xorbs, names, url_of);
  out.raw("}");
  return text;
}

std::string batch_json(const core::BatchReconstruction& batch, const UrlOf& url_of) {
  std::string text;
  JsonText out(text);
  const auto names = names_of(batch.xorbs);
  out.raw("{\"files\":{");
  for (size_t i = 0; i < batch.files.size(); ++i) {
    out.comma_unless(i == 0).raw("\"").raw(batch.files[i].hash.hex()).raw("\":");
    append_terms(out, batch.files[i].terms, names);
  }
  out.raw("},\"fetch_info\":");
  append_fetch_info(out, batch.xorbs, names, url_of);
  out.raw("}");
  return text;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else {
      out.push_back(c >= 0x20 && c < 0x7f ? c : '?');
    }
  }
  out.push_back('"');
  return out;
}

}  // namespace xet::http

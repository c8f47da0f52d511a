#include "config/values.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cfloat>
#include <charconv>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "base/try.h"
#include "config/printed.h"

namespace xet::config {

namespace {

using Kind = Config::Kind;
using Uint128 = unsigned __int128;

bool is_blank(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

/// The whole of `text` as a number; nothing for what is none, or is not finite.
template <class T>
std::optional<T> number_of(std::string_view text) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::nullopt;
  }
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

tl::unexpected<Error> refuse(std::string message) {
  return fail(ErrorCode::kInvalidArgument, std::move(message));
}

template <class Factor>
struct Unit {
  std::string_view name;
  Factor factor;
};

constexpr std::array kByteUnits = {
    // longest names first: every one ends in b
    Unit<double>{"kib", 1024.0},
    Unit<double>{"mib", 1048576.0},
    Unit<double>{"gib", 1073741824.0},
    Unit<double>{"tib", 1099511627776.0},
    Unit<double>{"pib", 1125899906842624.0},
    Unit<double>{"kb", 1e3},
    Unit<double>{"mb", 1e6},
    Unit<double>{"gb", 1e9},
    Unit<double>{"tb", 1e12},
    Unit<double>{"pb", 1e15},
    Unit<double>{"b", 1},
};

constexpr uint64_t kMicrosecond = 1'000;  // in nanoseconds
constexpr uint64_t kMillisecond = 1'000 * kMicrosecond;
constexpr uint64_t kSecond = 1'000 * kMillisecond;
constexpr uint64_t kMinute = 60 * kSecond;
constexpr uint64_t kHour = 60 * kMinute;
constexpr uint64_t kDay = 24 * kHour;
constexpr uint64_t kMonth = kDay / 100 * 3044;
constexpr uint64_t kYear = kDay / 4 * 1461;

constexpr std::array kDurationUnits = {
    Unit<uint64_t>{"ns", 1},
    Unit<uint64_t>{"nsec", 1},
    Unit<uint64_t>{"nanos", 1},
    Unit<uint64_t>{"us", kMicrosecond},
    Unit<uint64_t>{"usec", kMicrosecond},
    Unit<uint64_t>{"µs", kMicrosecond},
    Unit<uint64_t>{"ms", kMillisecond},
    Unit<uint64_t>{"msec", kMillisecond},
    Unit<uint64_t>{"millis", kMillisecond},
    Unit<uint64_t>{"s", kSecond},
    Unit<uint64_t>{"sec", kSecond},
    Unit<uint64_t>{"secs", kSecond},
    Unit<uint64_t>{"second", kSecond},
    Unit<uint64_t>{"seconds", kSecond},
    Unit<uint64_t>{"m", kMinute},
    Unit<uint64_t>{"min", kMinute},
    Unit<uint64_t>{"mins", kMinute},
    Unit<uint64_t>{"minute", kMinute},
    Unit<uint64_t>{"minutes", kMinute},
    Unit<uint64_t>{"h", kHour},
    Unit<uint64_t>{"hr", kHour},
    Unit<uint64_t>{"hrs", kHour},
    Unit<uint64_t>{"hour", kHour},
    Unit<uint64_t>{"hours", kHour},
    Unit<uint64_t>{"d", kDay},
    Unit<uint64_t>{"day", kDay},
    Unit<uint64_t>{"days", kDay},
    Unit<uint64_t>{"w", 7 * kDay},
    Unit<uint64_t>{"wk", 7 * kDay},
    Unit<uint64_t>{"wks", 7 * kDay},
    Unit<uint64_t>{"week", 7 * kDay},
    Unit<uint64_t>{"weeks", 7 * kDay},
    Unit<uint64_t>{"M", kMonth},
    Unit<uint64_t>{"month", kMonth},
    Unit<uint64_t>{"months", kMonth},
    Unit<uint64_t>{"y", kYear},
    Unit<uint64_t>{"yr", kYear},
    Unit<uint64_t>{"yrs", kYear},
    Unit<uint64_t>{"year", kYear},
    Unit<uint64_t>{"years", kYear},
};

constexpr std::string_view kTooLarge =
    "number is too large or cannot be represented without a lack of precision (values below 1ns are not "
    "supported)";

/// Reads one duration. Places in its messages count bytes from the beginning, as the genuine ones do: `at_`
/// of the character in question, except for the first after a point or before a number, where they name the
/// point or the end of what came before.
class DurationReader {
 public:
  explicit DurationReader(std::string_view text) : text_(text) {}

  /// The message of a failure says what is wrong.
  Result<std::chrono::nanoseconds> read() {
    if (text_ == "0") return std::chrono::nanoseconds(0);
    if (trimmed(text_).empty()) return refuse("value was empty");
    Uint128 total = 0;
    while (true) {
      const size_t begin = at_;
      skip_blanks();
      if (done()) break;
      if (!is_digit(text_[at_])) return refuse(fmt::format("expected number at {}", begin));
      XET_TRY(const Number number, read_number());
      XET_TRY(const uint64_t unit, read_unit(number.whole));
      const Uint128 fraction = Uint128{unit} * number.fraction;
      if (fraction % number.denominator != 0) return refuse(std::string(kTooLarge));
      total += Uint128{unit} * number.whole + fraction / number.denominator;
      if (total / kSecond > UINT64_MAX) return refuse(std::string(kTooLarge));
    }
    constexpr auto kMost = std::chrono::nanoseconds::max();
    return total > static_cast<Uint128>(kMost.count())
               ? kMost
               : std::chrono::nanoseconds(static_cast<int64_t>(total));
  }

 private:
  struct Number {
    uint64_t whole = 0;
    uint64_t fraction = 0;
    uint64_t denominator = 1;
  };

  bool done() const { return at_ == text_.size(); }
  void skip_blanks() {
    while (!done() && is_blank(text_[at_])) ++at_;
  }
  /// Latin letters and the two bytes of 'µ'.
  size_t letter_size() const {
    const char c = text_[at_];
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return 1;
    return text_.substr(at_).starts_with("µ") ? 2 : 0;
  }
  tl::unexpected<Error> invalid_character(size_t at) const {
    return refuse(fmt::format("invalid character at {}", at));
  }
  /// False when it would not fit.
  static bool append_digit(uint64_t& value, uint64_t digit) {
    return !__builtin_mul_overflow(value, 10, &value) && !__builtin_add_overflow(value, digit, &value);
  }

  /// Digits, perhaps a point and more digits, with blanks anywhere between; stands behind them.
  Result<Number> read_number() {
    Number out;
    for (; !done() && (is_digit(text_[at_]) || is_blank(text_[at_])); ++at_) {
      if (is_digit(text_[at_]) && !append_digit(out.whole, static_cast<uint64_t>(text_[at_] - '0')))
        return refuse(std::string(kTooLarge));
    }
    if (done() || text_[at_] != '.') return out;
    size_t at_fault = at_++;
    for (; !done() && (is_digit(text_[at_]) || is_blank(text_[at_])); at_fault = ++at_) {
      if (is_blank(text_[at_])) continue;
      if (!append_digit(out.fraction, static_cast<uint64_t>(text_[at_] - '0')) ||
          !append_digit(out.denominator, 0))
        return refuse(std::string(kTooLarge));
    }
    if (out.denominator == 1 || (!done() && letter_size() == 0)) return invalid_character(at_fault);
    return out;
  }

  /// The letters here, in nanoseconds; stands behind them and the blank that ends them.
  Result<uint64_t> read_unit(uint64_t number) {
    if (done()) return refuse(fmt::format("time unit needed, for example {}sec or {}ms", number, number));
    const size_t begin = at_;
    while (!done() && letter_size() > 0) at_ += letter_size();
    if (!done() && !is_blank(text_[at_]) && (at_ == begin || !is_digit(text_[at_])))
      return invalid_character(at_);
    const auto name = text_.substr(begin, at_ - begin);
    if (!done() && is_blank(text_[at_])) ++at_;
    const auto found = std::find_if(kDurationUnits.begin(), kDurationUnits.end(),
                                    [&](const auto& unit) { return unit.name == name; });
    if (found == kDurationUnits.end()) {
      return refuse(fmt::format(
          "unknown time unit \"{}\", supported units: ns, us/µs, ms, sec, min, hours, days, weeks, "
          "months, years (and few variations)",
          name));
    }
    return found->factor;
  }

  std::string_view text_;
  size_t at_ = 0;
};

Result<std::string> parse_choice(std::span<const std::string_view> choices, std::string_view text) {
  std::string word = lower(text);
  if (std::find(choices.begin(), choices.end(), word) != choices.end()) return word;
  std::string listed;
  for (const auto choice : choices) listed += fmt::format("{}\"{}\"", listed.empty() ? "" : ", ", choice);
  return refuse(fmt::format("\"{}\" is not a valid value. Valid values are: [{}]", text, listed));
}

template <class T>
Result<Config::Value> as_value(Result<T> result) {
  if (!result) return tl::unexpected(std::move(result).error());
  return Config::Value(*std::move(result));
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

Result<uint64_t> parse_count(std::string_view text) {
  if (const auto value = number_of<uint64_t>(text)) return *value;
  return refuse(fmt::format("{} is not a whole number", debug_text(text)));
}

Result<double> parse_number(std::string_view text) {
  if (const auto value = number_of<double>(text); value && std::isfinite(*value)) return *value;
  return refuse(fmt::format("{} is not a number", debug_text(text)));
}

Result<bool> parse_bool(std::string_view text) {
  const std::string word = lower(trimmed(text));
  for (const std::string_view yes : {"1", "true", "yes", "y", "on"}) {
    if (word == yes) return true;
  }
  for (const std::string_view no : {"0", "false", "no", "n", "off"}) {
    if (word == no) return false;
  }
  return refuse(fmt::format("{} is neither true nor false", debug_text(text)));
}

Result<uint64_t> parse_bytes(std::string_view text) {
  const std::string all = lower(trimmed(text));
  std::string_view number = all;
  double factor = 1;
  for (const auto& unit : kByteUnits) {
    if (!number.ends_with(unit.name)) continue;
    number.remove_suffix(unit.name.size());
    factor = unit.factor;
    break;
  }
  number = trimmed(number);
  if (number.empty()) return refuse("Invalid byte size: cannot parse float from empty string");
  const auto value = number_of<double>(number);
  if (!value || !std::isfinite(*value)) return refuse("Invalid byte size: invalid float literal");
  const double bytes = std::round(*value * factor);
  if (bytes <= 0) return 0;
  constexpr double kTooMuch = 18446744073709551616.0;  // 2^64
  return bytes >= kTooMuch ? UINT64_MAX : static_cast<uint64_t>(bytes);
}

Result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  auto out = DurationReader(text).read();
  if (out) return out;
  return refuse(fmt::format(
      "Invalid duration string {}: {}. Expected a humantime string like \"500ms\", \"1s\", or \"2m30s\".",
      debug_text(text), out.error().message));
}

Result<Config::Value> parse_value(const Config::Field& field, std::string_view text) {
  const auto parsed = [&]() -> Result<Config::Value> {
    switch (field.kind) {
      case Kind::kInteger:
        return as_value(parse_count(text));
      case Kind::kFloat:
        return as_value(parse_number(text));
      case Kind::kBool:
        return as_value(parse_bool(text));
      case Kind::kBytes:
        return as_value(parse_bytes(text));
      case Kind::kDuration:
        return as_value(parse_duration(text));
      case Kind::kChoice:
        return as_value(parse_choice(field.choices, text));
      case Kind::kText:
      case Kind::kPath:
        break;
    }
    return Config::Value(std::string(text));
  };
  XET_TRY(auto value, parsed());
  return fit_value(field, std::move(value));
}

Result<Config::Value> fit_value(const Config::Field& field, Config::Value value) {
  constexpr std::string_view kTooWide = "number too large to fit in target type";
  if (const auto* count = std::get_if<uint64_t>(&value)) {
    if (field.bits == 32 && *count > UINT32_MAX) return refuse(std::string(kTooWide));
  }
  if (auto* number = std::get_if<double>(&value)) {
    if (!std::isfinite(*number)) return refuse(fmt::format("{} is not a finite number", field.path()));
    if (field.bits == 32) {
      if (std::abs(*number) > static_cast<double>(FLT_MAX)) return refuse(std::string(kTooWide));
      *number = static_cast<double>(static_cast<float>(*number));
    }
  }
  if (const auto* duration = std::get_if<std::chrono::nanoseconds>(&value)) {
    if (duration->count() < 0) return refuse(fmt::format("{} cannot be negative", field.path()));
  }
  return value;
}

}  // namespace xet::config

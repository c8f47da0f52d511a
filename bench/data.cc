#include "bench/data.h"

#include <fmt/format.h>

#include <map>
#include <utility>

#include "base/check.h"
#include "codec/byte_grouping.h"
#include "support/generators.h"

namespace xet::bench {

namespace {
ByteVector make(std::string_view name, size_t n) {
  constexpr uint64_t kSeed = 12;
  if (name == "random") return testing::random_bytes(n, kSeed);
  if (name == "text") return testing::text_bytes(n, kSeed);
  if (name == "bf16") return testing::bf16_bytes(n, kSeed);
  XET_CHECK(name == "bf16_grouped");
  ByteVector out(n);
  codec::group_bytes(data_set("bf16", n), out);
  return out;
}
}  // namespace

ByteSpan data_set(std::string_view name, size_t n) {
  static std::map<std::pair<std::string, size_t>, ByteVector> made;
  const std::pair key(std::string(name), n);
  auto found = made.find(key);
  if (found == made.end()) found = made.emplace(key, make(name, n)).first;
  return found->second;
}

std::string bench_name(std::string_view what, std::string_view data, size_t n) {
  const bool large = n >= (size_t{1} << 20);
  return fmt::format("{}/{}/{}{}", what, data, large ? n >> 20 : n >> 10, large ? "MiB" : "KiB");
}

}  // namespace xet::bench

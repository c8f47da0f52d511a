#include "config/concurrency.h"

#include <algorithm>

namespace xet::config {

namespace {

Concurrency settled(uint64_t initial, uint64_t least, uint64_t most) {
  constexpr uint64_t kMost = 1024;
  least = std::clamp<uint64_t>(least, 1, kMost);
  most = std::clamp<uint64_t>(most, least, kMost);
  return {.initial = std::clamp(initial, least, most), .least = least, .most = most};
}

}  // namespace

Concurrency upload_concurrency(const Config& config) {
  return settled(config.count("client.ac_initial_upload_concurrency"),
                 config.count("client.ac_min_upload_concurrency"),
                 config.count("client.ac_max_upload_concurrency"));
}

Concurrency download_concurrency(const Config& config) {
  return settled(config.count("client.ac_initial_download_concurrency"),
                 config.count("client.ac_min_download_concurrency"),
                 config.count("client.ac_max_download_concurrency"));
}

}  // namespace xet::config

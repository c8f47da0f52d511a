// What the server holds for one upload at most, counted in the allocator. A binary of its own for that.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "http/http_fixture.h"

namespace {

std::atomic<size_t> g_held{0};  // bytes; independent of everything else, so relaxed
std::atomic<size_t> g_most{0};

void* take(size_t n) {
  void* at = std::malloc(n == 0 ? 1 : n);
  if (at == nullptr) std::abort();
  const size_t held =
      g_held.fetch_add(malloc_usable_size(at), std::memory_order_relaxed) + malloc_usable_size(at);
  size_t most = g_most.load(std::memory_order_relaxed);
  while (held > most && !g_most.compare_exchange_weak(most, held, std::memory_order_relaxed)) {
  }
  return at;
}
void give_back(void* at) noexcept {
  if (at == nullptr) return;
  g_held.fetch_sub(malloc_usable_size(at), std::memory_order_relaxed);
  std::free(at);
}

}  // namespace

void* operator new(size_t n) {
  return take(n);
}
void* operator new[](size_t n) {
  return take(n);
}
void operator delete(void* at) noexcept {
  give_back(at);
}
void operator delete[](void* at) noexcept {
  give_back(at);
}
void operator delete(void* at, size_t /*n*/) noexcept {
  give_back(at);
}
void operator delete[](void* at, size_t /*n*/) noexcept {
  give_back(at);
}

namespace xet::testing {
namespace {

constexpr size_t kMost = 1 << 20;
// The client of this test, and what the store keeps for all uploads together.
constexpr size_t kOther = 96 * 1024;

class UploadMemory : public ::testing::Test {
 protected:
  /// The most that is held from before the request to behind its answer, beyond what was held before.
  size_t most_held(const std::function<void(RawClient&)>& upload) {
    auto client = fixture_.connect();
    EXPECT_EQ(client.request("GET", "/healthz").status, 200);
    const size_t before = g_held.load();
    g_most.store(before);
    upload(client);
    EXPECT_EQ(client.read_answer().status, 200);
    return g_most.load() - before;
  }
  std::string head(HttpHeaders headers) {
    headers.emplace_back("Host", "h");
    headers.push_back(writer_);
    return RawClient::head("POST", "/v1/xorbs/default/" + xorb_.hash.hex(), headers);
  }

  HttpFixture fixture_;
  const std::pair<std::string, std::string> writer_ = fixture_.writer();
  // As many chunks as a xorb may have; they are what costs memory.
  const SampleXorb xorb_ = make_xorb(8192, 1, 4000, 8191);
};

TEST_F(UploadMemory, IsBelowOneMebibyteForAXorbOfManyChunks) {
  const auto held = most_held([&](RawClient& client) {
    client.send(head({{"Content-Length", std::to_string(xorb_.body.size())}}));
    client.send(xorb_.body);
  });
  EXPECT_LT(held, kMost + kOther);
  fmt::print("{} bytes\n", held);
}

TEST_F(UploadMemory, IsNoMoreWhenItComesChunked) {
  const auto held = most_held([&](RawClient& client) {
    client.send(head({{"Transfer-Encoding", "chunked"}}));
    client.send(fmt::format("{:x}\r\n", xorb_.body.size()));
    client.send(xorb_.body);
    client.send("\r\n0\r\n\r\n");
  });
  EXPECT_LT(held, kMost + kOther);
  fmt::print("{} bytes\n", held);
}

}  // namespace
}  // namespace xet::testing

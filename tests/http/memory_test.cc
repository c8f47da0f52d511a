// What the server holds for one upload at most, counted in the allocator. A binary of its own for that.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "http/http_fixture.h"
#include "support/counted_new.h"

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
    const size_t before = bytes_held();
    restart_most_held();
    upload(client);
    EXPECT_EQ(client.read_answer().status, 200);
    return most_bytes_held() - before;
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

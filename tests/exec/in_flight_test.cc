#include "exec/in_flight.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "exec/thread_pool.h"

namespace xet::exec {
namespace {

TEST(InFlight, WithoutTokensNobodyWaits) {
  const InFlight in_flight;
  in_flight.wait();
  {
    const auto token = in_flight.token();
  }
  in_flight.wait();
}

TEST(InFlight, AMovedTokenCountsOnce) {
  const InFlight in_flight;
  {
    auto token = in_flight.token();
    const auto moved = std::move(token);
  }
  in_flight.wait();
}

TEST(InFlight, WaitsForTasksAndForWhatTheyStart) {
  for (int round = 0; round < 50; ++round) {
    ThreadPool pool(4);
    auto owned = std::make_unique<std::atomic<int>>(0);
    auto in_flight = std::make_unique<InFlight>();
    for (int i = 0; i < 20; ++i) {
      pool.submit([&pool, &in_flight = *in_flight, &n = *owned, token = in_flight->token()] {
        pool.submit([&n, inner = in_flight.token()] { ++n; });
      });
    }
    in_flight->wait();
    EXPECT_EQ(*owned, 20);
    in_flight.reset();  // at once: the last token may still be on its way out
    owned.reset();
  }
}

}  // namespace
}  // namespace xet::exec

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <future>
#include <string>

#include "cas/fetch_job.h"
#include "cas/http_fixture.h"
#include "cas/http_range.h"

namespace xet::cas {
namespace {

using ::testing::ElementsAre;
using testing::HttpFixture;
using testing::IsOk;
using testing::Reply;
using testing::reply;
using testing::SentRequest;
using ::testing::UnorderedElementsAre;

const FileHash kFile = FileHash::from_hex(std::string(64, 'a')).value();
const XorbHash kXorb = XorbHash::from_hex(std::string(64, 'b')).value();
const std::vector<ByteRange> kRanges{{0, 100}, {300, 1000}, {1200, 5000}};
const std::string kAll = "bytes=0-99,300-999,1200-4999";

std::string xorb_bytes() {
  std::string out;
  for (size_t i = 0; i < 5000; ++i) out += static_cast<char>('a' + i * 7 % 23);
  return out;
}
const std::string kBytes = xorb_bytes();

std::string reconstruction() {
  std::string ranges;
  uint32_t chunk = 0;
  for (const auto& range : kRanges) {
    if (!ranges.empty()) ranges += ',';
    ranges += fmt::format(R"({{"chunks":{{"start":{},"end":{}}},"bytes":{{"start":{},"end":{}}}}})", chunk,
                          chunk + 1, range.begin, range.end - 1);
    chunk += 5;
  }
  return fmt::format(
      R"({{"offset_into_first_range":0,"terms":[{{"hash":"{0}","unpacked_length":9,"range":{{"start":0,"end":1}}}}],)"
      R"("xorbs":{{"{0}":[{{"url":"http://storage.test/x","ranges":[{1}]}}]}}}})",
      kXorb.hex(), ranges);
}

std::string multipart(const std::vector<ByteRange>& ranges) {
  std::string out;
  for (const auto& range : ranges) {
    out += fmt::format("\r\n--b\r\nContent-Range: bytes {}-{}/5000\r\n\r\n", range.begin, range.end - 1);
    out += kBytes.substr(range.begin, range.size());
  }
  return out + "\r\n--b--\r\n";
}
Reply multipart_reply(std::string body) {
  return reply(206, std::move(body), {{"Content-Type", "multipart/byteranges; boundary=b"}});
}
Reply right_answer(const SentRequest& request) {
  const auto value = request.header("Range");
  if (value == kAll) return multipart_reply(multipart(kRanges));
  const auto range = parse_content_range("bytes " + value.substr(6) + "/*").value().bytes;
  return reply(206, kBytes.substr(range.begin, range.size()));
}

class Multirange : public ::testing::Test {
 protected:
  void open(std::function<Reply(const SentRequest&)> storage) {
    http_.emplace(
        [storage = std::move(storage)](const SentRequest& request) {
          if (request.url.starts_with(HttpFixture::kEndpoint)) return reply(200, reconstruction());
          return storage(request);
        },
        [](HttpCasOptions& options) {
          options.enable_multirange_fetching = true;
          options.retry.max_retries = 2;
        });
    plan_ = http_->reconstruct(kFile).value();
    ASSERT_EQ(plan_.fetches.at(kXorb).size(), kRanges.size());
  }

  /// Fetches these ranges at once; expects all of them to come whole.
  void fetch(const std::vector<size_t>& which) {
    std::vector<std::shared_ptr<testing::GatheringSink>> sinks;
    std::vector<std::promise<Status>> promises(which.size());
    for (size_t i = 0; i < which.size(); ++i) {
      sinks.push_back(std::make_shared<testing::GatheringSink>());
      http_->cas->fetch({kXorb, plan_.fetches.at(kXorb)[which[i]], sinks[i]}, {},
                        [&, i](Status status) { promises[i].set_value(std::move(status)); });
    }
    for (size_t i = 0; i < which.size(); ++i) {
      auto future = promises[i].get_future();
      while (future.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready)
        http_->clock.advance(std::chrono::milliseconds(200));
      EXPECT_THAT(future.get(), IsOk());
      const auto& range = kRanges[which[i]];
      EXPECT_EQ(sinks[i]->data, kBytes.substr(range.begin, range.size()));
    }
  }

  std::vector<std::string> ranges() const {
    std::vector<std::string> out;
    for (const auto& request : http_->transport->requests()) {
      if (!request.url.starts_with(HttpFixture::kEndpoint)) out.push_back(request.header("Range"));
    }
    return out;
  }

  std::optional<HttpFixture> http_;
  Reconstruction plan_;
};

TEST_F(Multirange, AllRangesOfAUrlComeInOneAnswer) {
  open(right_answer);
  fetch({2, 0, 1});
  EXPECT_THAT(ranges(), ElementsAre(kAll));
  const auto request = http_->transport->requests().back();
  EXPECT_EQ(request.header("Authorization"), "");
  EXPECT_EQ(request.header("X-Xet-Session-Id"), "session");
}

TEST_F(Multirange, FewerThanAllComeAlone) {
  open(right_answer);
  fetch({0, 2});
  EXPECT_THAT(ranges(), UnorderedElementsAre("bytes=0-99", "bytes=1200-4999"));
}

TEST_F(Multirange, TheSameRangeTwiceIsNoPartOfIt) {
  open(right_answer);
  fetch({0, 0, 1, 2});
  EXPECT_THAT(ranges(), UnorderedElementsAre(kAll, "bytes=0-99"));
}

TEST_F(Multirange, WhateverGoesWrongTheRangesComeAlone) {
  const auto whole = multipart(kRanges);
  auto broken = multipart_reply(whole.substr(0, 500));
  broken.fault = net::Fault::kBroken;
  for (const auto& answer :
       {reply(403), reply(416), reply(500), reply(200, kBytes), reply(206, kBytes.substr(0, 100)),
        multipart_reply(multipart({kRanges[1], kRanges[0], kRanges[2]})),
        multipart_reply(multipart({{0, 5000}})), multipart_reply(multipart({kRanges[0]})),
        multipart_reply(multipart({kRanges[0], kRanges[1], {1200, 4999}})), multipart_reply("nonsense"),
        multipart_reply(""), multipart_reply(whole.substr(0, 300)), broken}) {
    open([&](const SentRequest& request) {
      return request.header("Range") == kAll ? answer : right_answer(request);
    });
    fetch({0, 1, 2});
    EXPECT_EQ(ranges().front(), kAll);
    EXPECT_GE(ranges().size(), 2u);
  }
}

TEST_F(Multirange, WhatHasComeIsNotFetchedAgain) {
  const auto whole = multipart(kRanges);
  const size_t second = whole.find("300-999");
  open([&](const SentRequest& request) {
    if (request.header("Range") != kAll) return right_answer(request);
    auto out = multipart_reply(whole.substr(0, whole.find("\r\n\r\n", second) + 4 + 50));
    out.fault = net::Fault::kBroken;
    return out;
  });
  fetch({0, 1, 2});
  EXPECT_THAT(ranges(), UnorderedElementsAre(kAll, "bytes=350-999", "bytes=1200-4999"));
}

TEST_F(Multirange, AStorageThatCannotIsNotAskedForEver) {
  open([](const SentRequest& request) {
    return request.header("Range") == kAll ? reply(403) : right_answer(request);
  });
  for (int i = 0; i < 5; ++i) fetch({0, 1, 2});
  const auto all = ranges();
  EXPECT_EQ(std::count(all.begin(), all.end(), kAll), 3);
}

/// Has no room before it is told so.
class ClosedSink final : public FetchSink {
 public:
  MutableByteSpan room(UniqueFunction<void()> resume) override {
    auto state = state_.lock();
    if (state->is_open) return state->buffer;
    EXPECT_FALSE(state->resume) << "asked again before it called back";
    state->resume = std::move(resume);
    return {};
  }
  void filled(size_t n_bytes) override { state_.lock()->n_bytes += n_bytes; }
  void open() {
    UniqueFunction<void()> resume;
    {
      auto state = state_.lock();
      state->is_open = true;
      resume = std::move(state->resume);
    }
    if (resume) resume();
  }
  size_t n_bytes() { return state_.lock()->n_bytes; }
  bool is_asked() { return static_cast<bool>(state_.lock()->resume); }

 private:
  struct State {
    bool is_open = false;
    UniqueFunction<void()> resume;
    size_t n_bytes = 0;
    ByteVector buffer = ByteVector(1000);
  };
  Sync<State> state_;
};

TEST_F(Multirange, AReceiverThatBlocksDoesNotStopTheOthers) {
  open(right_answer);
  const auto closed = std::make_shared<ClosedSink>();
  std::promise<Status> first;
  http_->cas->fetch({kXorb, plan_.fetches.at(kXorb)[0], closed}, {},
                    [&](Status status) { first.set_value(std::move(status)); });
  fetch({1, 2});  // the receiver of the first part has no room, and nobody gives it any meanwhile
  EXPECT_EQ(closed->n_bytes(), 0u);
  closed->open();
  EXPECT_THAT(first.get_future().get(), IsOk());
  EXPECT_EQ(closed->n_bytes(), kRanges[0].size());
}

TEST_F(Multirange, AStopOfOneLeavesTheOthers) {
  open([](const SentRequest& request) {
    auto out = right_answer(request);
    out.hangs = request.header("Range") == kAll;
    return out;
  });
  std::stop_source stop;
  std::promise<Status> first;
  http_->cas->fetch({kXorb, plan_.fetches.at(kXorb)[0], std::make_shared<testing::GatheringSink>()},
                    stop.get_token(), [&](Status status) { first.set_value(std::move(status)); });
  std::jthread stopper([&] {
    while (ranges().empty()) std::this_thread::yield();
    stop.request_stop();
  });
  fetch({1, 2});
  EXPECT_THAT(first.get_future().get(), testing::FailsWith(ErrorCode::kCancelled));
}

TEST(SinkDoor, LeavesADebtToTheNextWhoAsks) {
  const auto sink = std::make_shared<ClosedSink>();
  const auto door = std::make_shared<SinkDoor>(sink);
  int first = 0;
  int second = 0;
  EXPECT_TRUE(door->room([&] { ++first; }).empty());
  EXPECT_TRUE(door->room([&] { ++second; }).empty());
  sink->open();
  EXPECT_EQ(first, 0);
  EXPECT_EQ(second, 1);
  EXPECT_FALSE(door->room([&] { ++first; }).empty());
  EXPECT_EQ(first, 0);
}

}  // namespace
}  // namespace xet::cas

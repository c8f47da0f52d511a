#include "cas/ndjson.h"

#include <gmock/gmock.h>

#include <string>

#include "support/matchers.h"

namespace xet::cas {
namespace {

using testing::FailsWith;
using testing::IsOk;

Result<ShardOutcome> read(std::string_view body, size_t step = SIZE_MAX) {
  ShardFrameParser parser;
  for (size_t at = 0; at < body.size(); at += std::min(step, body.size() - at)) {
    XET_TRY(const auto outcome, parser.push(as_byte_span(body.substr(at, step))));
    if (outcome) return *outcome;
  }
  return parser.finish();
}

const std::string kWork =
    "{\"type\":\"validating\",\"verified\":0,\"total\":1}\n"
    "\r\n\n"
    "{\"type\":\"committing\",\"stage\":\"uploading\"}\r\n"
    "{\"type\":\"thinking\",\"about\":{\"type\":[\"error\"]}}\n";

TEST(ShardFrames, SuccessForAnySplit) {
  const auto body = kWork + "{\"type\":\"result\"}\n";
  for (size_t step = 1; step <= body.size(); ++step) {
    const auto outcome = read(body, step);
    ASSERT_THAT(outcome, IsOk()) << step;
    EXPECT_TRUE(outcome->is_success);
  }
}

TEST(ShardFrames, ALastLineMayLackItsLineBreak) {
  ASSERT_THAT(read(kWork + "{\"type\":\"result\"}"), IsOk());
}

TEST(ShardFrames, NothingIsReadBehindTheOutcome) {
  const auto outcome = read("{\"type\":\"result\"}\n{\"type\":\"error\",\"message\":\"x\"}\nnonsense\n");
  ASSERT_THAT(outcome, IsOk());
  EXPECT_TRUE(outcome->is_success);
}

TEST(ShardFrames, FailureWithItsText) {
  const auto fatal = read(kWork + "{\"type\":\"error\",\"message\":\"no \\\"room\\\"\",\"extra\":[]}\n");
  ASSERT_THAT(fatal, IsOk());
  EXPECT_FALSE(fatal->is_success);
  EXPECT_FALSE(fatal->is_retryable);
  EXPECT_EQ(fatal->message, "no \"room\"");
  const auto retryable = read("{\"retryable\":true,\"type\":\"error\",\"message\":\"\"}");
  ASSERT_THAT(retryable, IsOk());
  EXPECT_TRUE(retryable->is_retryable);
}

TEST(ShardFrames, RefusesWhatIsNoFrame) {
  for (const std::string& body : std::vector<std::string>{
           "", "\n\n", "nonsense\n", "[]\n", "\"result\"\n", "{}\n", "{\"type\":1}\n",
           "{\"type\":\"result\"\n", "{\"type\":\"result\"} x\n",
           "{\"type\":\"result\",\"type\":\"result\"}\n",
           "{\"type\":\"validating\",\"verified\":0}\n{\"type\":\"result\"}\n",
           "{\"type\":\"validating\",\"verified\":-1,\"total\":1}\n{\"type\":\"result\"}\n",
           "{\"type\":\"committing\"}\n{\"type\":\"result\"}\n", "{\"type\":\"error\"}\n",
           "{\"type\":\"error\",\"message\":\"x\",\"retryable\":\"yes\"}\n", "{\"type\":\"res"}) {
    EXPECT_THAT(read(body), FailsWith(ErrorCode::kCorruption)) << body;
    EXPECT_THAT(read(body, 1), FailsWith(ErrorCode::kCorruption)) << body;
  }
  EXPECT_THAT(read(kWork), FailsWith(ErrorCode::kCorruption, "without saying"));
}

TEST(ShardFrames, LinesHaveALimit) {
  const std::string frame = "{\"type\":\"result\",\"pad\":\"\"}";
  const auto padded = [&](size_t size) {
    auto line = frame;
    line.insert(frame.size() - 2, size - frame.size(), 'x');
    return line;
  };
  EXPECT_THAT(read(padded(ShardFrameParser::kMaxLineBytes) + "\n", 100'000), IsOk());
  EXPECT_THAT(read(padded(ShardFrameParser::kMaxLineBytes + 1) + "\n", 100'000),
              FailsWith(ErrorCode::kCorruption));
  EXPECT_THAT(read(std::string(ShardFrameParser::kMaxLineBytes + 1, ' ')), FailsWith(ErrorCode::kCorruption));
}

}  // namespace
}  // namespace xet::cas

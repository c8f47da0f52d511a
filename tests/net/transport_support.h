#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/sync.h"
#include "net/curl_transport.h"
#include "support/http_script.h"

namespace xet::net {

/// So that gtest prints the error of an Outcome.
inline void PrintTo(const Fault& fault, std::ostream* out) {
  *out << "Fault " << static_cast<int>(fault);
}

namespace test {

/// Long enough for any step on a loaded machine; short against the limits of production.
inline constexpr std::chrono::seconds kPlenty{30};

/// An outcome that may still have to come.
class Pending {
 public:
  Pending(Transport& transport, Request request, std::stop_token stop = {}) {
    transport.start(std::move(request), std::move(stop),
                    [promise = promise_](Outcome outcome) { promise->set_value(std::move(outcome)); });
  }
  bool is_ready() { return future_.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }
  /// Waits for it; a test that gets none in half a minute is aborted, since nothing else would end it.
  Outcome get() {
    if (future_.wait_for(kPlenty) != std::future_status::ready) {
      ADD_FAILURE() << "no outcome";
      std::abort();
    }
    return future_.get();
  }

 private:
  // Shared with the callback: the test may go on as soon as the value is there, before set_value() returns.
  std::shared_ptr<std::promise<Outcome>> promise_ = std::make_shared<std::promise<Outcome>>();
  std::future<Outcome> future_ = promise_->get_future();
};

inline Outcome exchange(Transport& transport, Request request) {
  return Pending(transport, std::move(request)).get();
}

inline std::string text_of(const Outcome& outcome) {
  return outcome ? std::string(as_chars(outcome->body)) : "error: " + outcome.error().error.message;
}

/// 0 when there is no answer.
inline int status_of(const Outcome& outcome) {
  return outcome ? outcome->head.status : 0;
}

/// When it is an answer the test fails, and the fault is none that there is.
inline TransportError error_of(const Outcome& outcome) {
  if (!outcome) return outcome.error();
  ADD_FAILURE() << "there is an answer with status " << outcome->head.status;
  return {static_cast<Fault>(255), {ErrorCode::kInternal, ""}, std::nullopt};
}

inline Request put(std::string url, ByteSpan body) {
  return {.method = "PUT", .url = std::move(url), .body = {body}, .has_body = true};
}

/// A receiver with room for so many bytes, and for more once they are granted. Thread-safe.
class ScriptedSink final : public ResponseSink {
 public:
  explicit ScriptedSink(size_t room_bytes = SIZE_MAX, size_t step_bytes = 65536)
      : state_(State{.room = room_bytes}), step_(step_bytes) {}

  Status begin(const ResponseHead& head) override {
    auto s = state_.lock();
    s->status = head.status;
    s->begun += 1;
    return s->begin_result;
  }
  MutableByteSpan room(UniqueFunction<void()> resume) override {
    auto s = state_.lock();
    if (s->room == 0) {
      EXPECT_FALSE(s->resume) << "asked for room again before resume was called";
      s->resume = std::move(resume);
      ++s->pauses;
      changed_.notify_all();
      return {};
    }
    buffer_.resize(std::min(step_, s->room));
    return buffer_;
  }
  Status filled(size_t n) override {
    auto s = state_.lock();
    EXPECT_GE(n, 1);
    EXPECT_LE(n, s->room);
    s->room -= s->room == SIZE_MAX ? 0 : n;
    append_bytes(s->received, ByteSpan(buffer_).first(n));
    changed_.notify_all();
    return s->filled_result;
  }

  /// Makes room, and tells the transport if it waits.
  void grant(size_t n_bytes) {
    UniqueFunction<void()> resume;
    {
      auto s = state_.lock();
      s->room += n_bytes;
      std::swap(resume, s->resume);
    }
    if (resume) resume();
  }
  void refuse_begin(Status status) { state_.lock()->begin_result = std::move(status); }
  void refuse_bytes(Status status) { state_.lock()->filled_result = std::move(status); }
  /// False after half a minute.
  bool wait_for_pause(size_t nth) {
    auto s = state_.lock();
    return s.wait_until(system_clock(), changed_, std::chrono::steady_clock::now() + kPlenty,
                        [&] { return s->pauses >= nth; });
  }
  bool wait_for_bytes(size_t n) {
    auto s = state_.lock();
    return s.wait_until(system_clock(), changed_, std::chrono::steady_clock::now() + kPlenty,
                        [&] { return s->received.size() >= n; });
  }
  ByteVector received() const { return state_.lock()->received; }
  size_t begun() const { return state_.lock()->begun; }
  int status() const { return state_.lock()->status; }

 private:
  struct State {
    size_t room = 0;
    UniqueFunction<void()> resume;
    ByteVector received;
    size_t pauses = 0;
    size_t begun = 0;
    int status = 0;
    Status begin_result;
    Status filled_result;
  };
  mutable Sync<State> state_;
  std::condition_variable changed_;
  const size_t step_;
  ByteVector buffer_;
};

/// An environment of these variables alone.
inline Environment environment_of(std::vector<std::pair<std::string, std::string>> variables) {
  return [variables = std::move(variables)](std::string_view name) -> std::optional<std::string> {
    for (const auto& [key, value] : variables) {
      if (key == name) return value;
    }
    return std::nullopt;
  };
}

}  // namespace test
}  // namespace xet::net

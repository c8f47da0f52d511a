#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>

#include "base/sync.h"
#include "cas/cas.h"
#include "cas/url_table.h"
#include "exec/in_flight.h"

namespace xet::cas {

/// A FetchSink that is asked for room by one exchange after the other. An exchange that ends while the sink
/// owes it room leaves the debt to the next one: a sink is never asked again before it has called back.
/// Thread-safe as far as that.
class SinkDoor : public std::enable_shared_from_this<SinkDoor> {
 public:
  explicit SinkDoor(std::shared_ptr<FetchSink> sink) : sink_(std::move(sink)) {}

  MutableByteSpan room(UniqueFunction<void()> resume) {
    {
      auto owed = owed_.lock();
      const bool is_owed = owed->has_value();
      owed->emplace(std::move(resume));
      if (is_owed) return {};
    }
    const auto room = sink_->room([self = shared_from_this()] { self->pay(); });
    if (!room.empty()) owed_.lock()->reset();
    return room;
  }
  void filled(size_t n_bytes) { sink_->filled(n_bytes); }

 private:
  void pay() {
    auto resume = std::exchange(*owed_.lock(), std::nullopt);
    if (resume) (*resume)();
  }

  const std::shared_ptr<FetchSink> sink_;
  Sync<std::optional<UniqueFunction<void()>>> owed_;  // whom to call when the sink has room
};

/// A fetch on its way through the layer, begun perhaps.
struct FetchJob {
  XorbHash xorb;
  ByteRange bytes;
  std::shared_ptr<const HttpTicket> ticket;
  std::shared_ptr<SinkDoor> door;  // shared with the sink's callback
  std::stop_token stop;
  Callback<void> done;
  std::optional<exec::InFlight::Token> in_flight;
  bool lets_others_pass = false;
  uint64_t delivered = 0;  ///< bytes that the sink has

  uint64_t at() const { return bytes.begin + delivered; }
  /// Calls back and lets go of everything.
  void finish(Status outcome) {
    door.reset();
    ticket.reset();
    const auto token = std::exchange(in_flight, std::nullopt);
    auto callback = std::move(done);
    callback(std::move(outcome));
  }
};

}  // namespace xet::cas

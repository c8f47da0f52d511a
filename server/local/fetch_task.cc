#include "server/local/fetch_task.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace xet::server {

namespace {
// Read at a time, so that the receiver can begin to decode and a stop is noticed.
constexpr size_t kMaxRead = 1 << 20;
}  // namespace

void FetchTask::start(Environment environment, exec::InFlight::Token in_flight, cas::FetchRequest request,
                      std::stop_token stop, cas::Callback<void> done) {
  const auto task = std::make_shared<FetchTask>(environment, std::move(in_flight), std::move(request),
                                                std::move(stop), std::move(done));
  task->on_stop_.emplace(task->stop_, OnStop{task});
  task->queue();
}

void FetchTask::queue() {
  env_.pool.submit([self = shared_from_this()] { self->run(); }, exec::Priority::kTakesMemory);
}

void FetchTask::run() {
  for (;;) {
    if (stop_.stop_requested()) return finish(fail(ErrorCode::kCancelled, "cancelled"));
    if (!xorb_) {
      if (auto opened = open(); !opened) return finish(std::move(opened));
    }
    const auto outcome = deliver();
    if (!outcome) return finish(tl::unexpected(outcome.error()));
    if (*outcome == Outcome::kDone) return finish({});
    if (park()) return;
  }
}

Status FetchTask::open() {
  const auto& bytes = request_.range.bytes;
  XET_TRY(xorb_, env_.service.open_xorb(request_.xorb));
  if (bytes.begin > bytes.end || bytes.end > xorb_->row.packed_bytes()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("bytes [{}, {}) of xorb {}, whose chunks have {}", bytes.begin, bytes.end,
                            request_.xorb.hex(), xorb_->row.packed_bytes()));
  }
  return {};
}

Result<FetchTask::Outcome> FetchTask::deliver() {
  while (delivered_ < request_.range.bytes.size()) {
    if (stop_.stop_requested()) return fail(ErrorCode::kCancelled, "cancelled");
    park_.lock()->resumed = false;
    // What the receiver keeps is all that holds a parked task.
    MutableByteSpan room = request_.sink->room([self = shared_from_this()] { self->wake(true); });
    if (room.empty()) return Outcome::kNoRoom;
    room = room.first(static_cast<size_t>(
        std::min<uint64_t>({room.size(), kMaxRead, request_.range.bytes.size() - delivered_})));
    XET_TRY_STATUS(xorb_->object->read_at(request_.range.bytes.begin + delivered_, room));
    delivered_ += room.size();
    request_.sink->filled(room.size());
  }
  return Outcome::kDone;
}

bool FetchTask::park() {
  auto park = park_.lock();
  if (park->resumed || stop_.stop_requested()) return false;
  park->parked = true;
  return true;
}

void FetchTask::wake(bool by_receiver) {
  {
    auto park = park_.lock();
    if (by_receiver) park->resumed = true;
    if (!std::exchange(park->parked, false)) return;
  }
  queue();
}

void FetchTask::finish(Status outcome) {
  // The sink may be freed with the callback, and the store once the token is gone: nothing is used after
  // them.
  on_stop_.reset();
  xorb_.reset();
  request_.sink.reset();
  const auto in_flight = std::exchange(in_flight_, std::nullopt);
  auto done = std::move(done_);
  done(std::move(outcome));
}

}  // namespace xet::server

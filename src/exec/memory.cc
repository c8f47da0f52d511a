#include "exec/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <new>
#include <vector>

#include "base/sync.h"

namespace xet::exec {

// --- MemoryBudget
// ---------------------------------------------------------------------------------------------------

struct MemoryBudget::Shared {
  Shared(size_t bytes, const Clock& the_clock)
      : clock(the_clock), total_bytes(bytes), state(State{.free_bytes = bytes}) {}

  struct State {
    size_t free_bytes;
    std::deque<uint64_t> waiting;  // tickets, oldest first
    uint64_t next_ticket = 0;
    Usage usage;

    void take(size_t bytes) {
      free_bytes -= bytes;
      usage.reserved += bytes;
      usage.most_reserved = std::max(usage.most_reserved, usage.reserved);
    }
  };
  struct Reclaimers {
    std::map<uint64_t, std::function<void()>> by_id;
    uint64_t next_id = 0;
  };

  void give_back(size_t bytes) {
    {
      auto locked = state.lock();
      locked->free_bytes += bytes;
      locked->usage.reserved -= bytes;
    }
    changed.notify_all();
  }

  const Clock& clock;
  const size_t total_bytes;
  Sync<State> state;
  Sync<Reclaimers> reclaimers;  // held while they run, so that a Reclaimer outlives its calls
  std::condition_variable changed;
};

MemoryBudget::MemoryBudget(size_t total_bytes, const Clock& clock)
    : shared_(std::make_shared<Shared>(total_bytes, clock)) {}

size_t MemoryBudget::total_bytes() const {
  return shared_->total_bytes;
}

MemoryBudget::Reservation::Reservation(Reservation&& other) noexcept
    : budget_(std::move(other.budget_)), bytes_(std::exchange(other.bytes_, 0)) {}

MemoryBudget::Reservation& MemoryBudget::Reservation::operator=(Reservation&& other) noexcept {
  std::swap(budget_, other.budget_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

MemoryBudget::Reservation::~Reservation() {
  if (budget_ != nullptr) budget_->give_back(bytes_);
}

Result<MemoryBudget::Reservation> MemoryBudget::reserve(size_t bytes, std::stop_token stop,
                                                        Deadline deadline) const {
  auto& shared = *shared_;
  bytes = std::min(bytes, shared.total_bytes);
  uint64_t ticket = 0;
  bool must_wait = false;
  {
    auto state = shared.state.lock();
    ticket = state->next_ticket++;
    state->waiting.push_back(ticket);
    must_wait = state->waiting.front() != ticket || state->free_bytes < bytes;
  }
  if (must_wait) {
    auto reclaimers = shared.reclaimers.lock();
    for (auto& [id, reclaim] : reclaimers->by_id) reclaim();
  }

  const std::stop_callback wake(stop, [&shared] {
    {
      const auto fence = shared.state.lock();
    }  // so that a waiter between its test and its sleep is not missed
    shared.changed.notify_all();
  });
  bool granted = false;
  {
    auto state = shared.state.lock();
    const auto ready = [&] {
      granted = state->waiting.front() == ticket && state->free_bytes >= bytes;
      return granted || stop.stop_requested();
    };
    if (deadline == kNoDeadline) {
      state.wait(shared.changed, ready);
    } else {
      state.wait_until(shared.clock, shared.changed, deadline, ready);
    }
    if (granted) state->take(bytes);
    std::erase(state->waiting, ticket);
  }
  shared.changed.notify_all();  // the next in line may be satisfied
  if (granted) return Reservation(shared_, bytes);
  if (stop.stop_requested()) return fail(ErrorCode::kCancelled, "cancelled while waiting for memory");
  return fail(ErrorCode::kDeadline, "the deadline passed while waiting for memory");
}

MemoryBudget::Reservation MemoryBudget::try_reserve(size_t bytes) const {
  auto state = shared_->state.lock();
  if (!state->waiting.empty() || state->free_bytes < bytes) return {};
  state->take(bytes);
  return {shared_, bytes};
}

bool MemoryBudget::has_waiters() const {
  return !shared_->state.lock()->waiting.empty();
}

MemoryBudget::Usage MemoryBudget::usage() const {
  return shared_->state.lock()->usage;
}

void MemoryBudget::count_mapped(size_t bytes) const {
  auto state = shared_->state.lock();
  state->usage.mapped += bytes;
  state->usage.most_mapped = std::max(state->usage.most_mapped, state->usage.mapped);
}

void MemoryBudget::count_unmapped(size_t bytes) const {
  shared_->state.lock()->usage.mapped -= bytes;
}

MemoryBudget::Reclaimer::Reclaimer(const MemoryBudget& budget, std::function<void()> reclaim)
    : budget_(budget.shared_) {
  auto reclaimers = budget_->reclaimers.lock();
  id_ = reclaimers->next_id++;
  reclaimers->by_id.emplace(id_, std::move(reclaim));
}

MemoryBudget::Reclaimer::~Reclaimer() {
  budget_->reclaimers.lock()->by_id.erase(id_);
}

// --- BufferPool
// -----------------------------------------------------------------------------------------------------

struct Buffer::PoolState {
  PoolState(MemoryBudget b, size_t bytes, size_t n_guaranteed, size_t n_most)
      : budget(std::move(b)), buffer_bytes(bytes), guaranteed(n_guaranteed), most(n_most) {}
  ~PoolState() {
    auto inner = state.lock();
    for (const auto& memory : inner->idle) unmap(memory);
  }

  struct Inner {
    std::vector<MutableByteSpan> idle;
    size_t n_made = 0;
    std::vector<MemoryBudget::Reservation> extra;  // one per buffer beyond the guaranteed ones
    std::deque<UniqueFunction<void(Buffer)>> waiting;
    bool cancelled = false;
  };

  /// An idle buffer, or a new one, or nothing. Called with the lock.
  MutableByteSpan take(Inner& inner) {
    if (!inner.idle.empty()) {
      const auto memory = inner.idle.back();
      inner.idle.pop_back();
      return memory;
    }
    if (inner.n_made >= most) return {};
    if (inner.n_made >= guaranteed) {
      auto more = budget.try_reserve(buffer_bytes);
      if (!more) return {};
      inner.extra.push_back(std::move(more));
    }
    ++inner.n_made;
    return map();
  }

  /// Whether a buffer that comes back goes back to the budget although this pool could use it: otherwise a
  /// busy session would keep its extra memory from others for as long as it runs. Whoever waits here is
  /// served from the buffers that are left. A session that begins to wait after the look trims what is idle
  /// itself.
  bool must_give_up_one(const Inner& inner) const {
    return !inner.extra.empty() && (inner.n_made > 1 || inner.waiting.empty()) && budget.has_waiters();
  }

  MutableByteSpan map() const {
    void* at = ::mmap(nullptr, buffer_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) throw std::bad_alloc();
    budget.count_mapped(buffer_bytes);
    return {static_cast<std::byte*>(at), buffer_bytes};
  }
  void unmap(MutableByteSpan memory) const {
    ::munmap(memory.data(), memory.size());
    budget.count_unmapped(memory.size());
  }

  /// Gives idle buffers beyond the guaranteed number back to the system and the budget.
  void trim() {
    std::vector<MemoryBudget::Reservation> returned;  // released after the lock
    auto inner = state.lock();
    while (!inner->idle.empty() && !inner->extra.empty()) {
      unmap(inner->idle.back());
      inner->idle.pop_back();
      --inner->n_made;
      returned.push_back(std::move(inner->extra.back()));
      inner->extra.pop_back();
    }
  }

  const MemoryBudget budget;
  const size_t buffer_bytes;
  const size_t guaranteed;
  const size_t most;
  Sync<Inner> state;
};

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this != &other) {
    release();
    pool_ = std::move(other.pool_);
    bytes_ = std::exchange(other.bytes_, {});
  }
  return *this;
}

Buffer::~Buffer() {
  release();
}

void Buffer::release() {
  if (pool_ == nullptr) return;
  const auto pool = std::move(pool_);
  MemoryBudget::Reservation surplus;  // released after the lock
  UniqueFunction<void(Buffer)> next;
  {
    auto inner = pool->state.lock();
    if (pool->must_give_up_one(*inner)) {
      pool->unmap(bytes_);
      --inner->n_made;
      surplus = std::move(inner->extra.back());
      inner->extra.pop_back();
      return;
    }
    if (inner->waiting.empty()) {
      inner->idle.push_back(bytes_);
      return;
    }
    next = std::move(inner->waiting.front());
    inner->waiting.pop_front();
  }
  next(Buffer(pool, bytes_));
}

BufferPool::BufferPool(const MemoryBudget& budget, size_t buffer_bytes, size_t guaranteed, size_t most)
    : state_(std::make_shared<Buffer::PoolState>(budget, buffer_bytes, guaranteed, most)),
      reclaimer_(
          std::make_unique<MemoryBudget::Reclaimer>(budget, [state = state_.get()] { state->trim(); })) {}

BufferPool::~BufferPool() {
  cancel();
}

size_t BufferPool::buffer_bytes() const {
  return state_->buffer_bytes;
}

void BufferPool::acquire(UniqueFunction<void(Buffer)> ready) {
  MutableByteSpan memory;
  {
    auto inner = state_->state.lock();
    if (!inner->cancelled) {
      memory = state_->take(*inner);
      if (memory.empty()) {
        inner->waiting.push_back(std::move(ready));
        return;
      }
    }
  }
  ready(memory.empty() ? Buffer() : Buffer(state_, memory));
}

Buffer BufferPool::try_acquire() {
  auto inner = state_->state.lock();
  if (inner->cancelled) return {};
  const auto memory = state_->take(*inner);
  return memory.empty() ? Buffer() : Buffer(state_, memory);
}

void BufferPool::cancel() {
  std::deque<UniqueFunction<void(Buffer)>> waiting;
  {
    auto inner = state_->state.lock();
    inner->cancelled = true;
    waiting.swap(inner->waiting);
  }
  for (auto& ready : waiting) ready(Buffer());
}

}  // namespace xet::exec

#include "exec/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <utility>

namespace xet::exec {

size_t ThreadPool::usable_cores() {
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
  return std::max(1U, std::thread::hardware_concurrency());
}

ThreadPool::ThreadPool(size_t n_threads) {
  if (n_threads == 0) n_threads = usable_cores();
  threads_.reserve(n_threads);
  for (size_t i = 0; i < n_threads; ++i) threads_.emplace_back([this] { run(); });
}

ThreadPool::~ThreadPool() {
  queues_.lock()->closing = true;
  wake_.notify_all();
  threads_.clear();
  // A task may have led here before the thread that submitted it was through with calling somebody to run it.
  while (n_waking_.load(std::memory_order_acquire) != 0) std::this_thread::yield();
}

bool ThreadPool::Queues::must_wake() {
  if (n_asleep == 0 || is_waking || empty()) return false;
  is_waking = true;
  return true;
}

void ThreadPool::wake_one() {
  wake_.notify_one();
  n_waking_.fetch_sub(1, std::memory_order_release);
}

void ThreadPool::submit(Task task, Priority priority) {
  {
    auto queues = queues_.lock();
    queues->by_priority[static_cast<size_t>(priority)].push_back(std::move(task));
    if (!queues->must_wake()) return;
    n_waking_.fetch_add(1, std::memory_order_relaxed);
  }
  wake_one();
}

void ThreadPool::run() {
  for (;;) {
    Task task;
    bool must_wake = false;
    {
      auto queues = queues_.lock();
      while (queues->empty() && !queues->closing) {
        ++queues->n_asleep;
        queues.wait(wake_);
        --queues->n_asleep;
        queues->is_waking = false;
      }
      if (queues->empty()) return;
      auto& [urgent, other] = queues->by_priority;
      auto& queue = urgent.empty() ? other : urgent;
      task = std::move(queue.front());
      queue.pop_front();
      must_wake = queues->must_wake();
      if (must_wake) n_waking_.fetch_add(1, std::memory_order_relaxed);
    }
    if (must_wake) wake_one();
    task();
  }
}

struct Strand::State {
  explicit State(ThreadPool& p) : pool(&p) {}
  struct Queue {
    std::deque<Task> tasks;
    bool running = false;  // a pool task is draining, or will
  };
  ThreadPool* pool;
  Sync<Queue> queue;

  static void drain(const std::shared_ptr<State>& self) {
    for (;;) {
      Task task;
      {
        auto queue = self->queue.lock();
        if (queue->tasks.empty()) {
          queue->running = false;
          return;
        }
        task = std::move(queue->tasks.front());
        queue->tasks.pop_front();
      }
      task();
    }
  }
};

Strand::Strand(ThreadPool& pool) : state_(std::make_shared<State>(pool)) {}

void Strand::post(Task task) const {
  {
    auto queue = state_->queue.lock();
    queue->tasks.push_back(std::move(task));
    if (std::exchange(queue->running, true)) return;
  }
  state_->pool->submit([state = state_] { State::drain(state); });
}

}  // namespace xet::exec

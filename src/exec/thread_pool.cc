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
}

void ThreadPool::submit(Task task, Priority priority) {
  auto queues = queues_.lock();
  queues->by_priority[static_cast<size_t>(priority)].push_back(std::move(task));
  // Under the lock: what the task does may let the pool's owner destroy it, and this thread must be out of it
  // by then.
  wake_.notify_one();
}

void ThreadPool::run() {
  for (;;) {
    Task task;
    {
      auto queues = queues_.lock();
      auto& [urgent, other] = queues->by_priority;
      queues.wait(wake_, [&] { return queues->closing || !urgent.empty() || !other.empty(); });
      if (urgent.empty() && other.empty()) return;
      auto& queue = urgent.empty() ? other : urgent;
      task = std::move(queue.front());
      queue.pop_front();
    }
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

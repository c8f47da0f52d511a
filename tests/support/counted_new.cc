#include "support/counted_new.h"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<size_t> g_held{0};  // bytes; independent of everything else, so relaxed
std::atomic<size_t> g_most{0};

void* take(size_t n) {
  void* at = std::malloc(n == 0 ? 1 : n);
  if (at == nullptr) std::abort();
  const size_t held =
      g_held.fetch_add(malloc_usable_size(at), std::memory_order_relaxed) + malloc_usable_size(at);
  size_t most = g_most.load(std::memory_order_relaxed);
  while (held > most && !g_most.compare_exchange_weak(most, held, std::memory_order_relaxed)) {
  }
  return at;
}
void give_back(void* at) noexcept {
  if (at == nullptr) return;
  g_held.fetch_sub(malloc_usable_size(at), std::memory_order_relaxed);
  std::free(at);
}

}  // namespace

void* operator new(size_t n) {
  return take(n);
}
void* operator new[](size_t n) {
  return take(n);
}
void operator delete(void* at) noexcept {
  give_back(at);
}
void operator delete[](void* at) noexcept {
  give_back(at);
}
void operator delete(void* at, size_t /*n*/) noexcept {
  give_back(at);
}
void operator delete[](void* at, size_t /*n*/) noexcept {
  give_back(at);
}

namespace xet::testing {

size_t bytes_held() {
  return g_held.load(std::memory_order_relaxed);
}
size_t most_bytes_held() {
  return g_most.load(std::memory_order_relaxed);
}
void restart_most_held() {
  g_most.store(bytes_held(), std::memory_order_relaxed);
}

}  // namespace xet::testing

#pragma once

#include <nanobind/nanobind.h>
#include <unistd.h>

#include <memory>
#include <new>
#include <utility>

#include "bindings/python/errors.h"
#include "bindings/python/interpreter.h"
#include "xet/session.h"

namespace xet::python {

namespace nb = nanobind;

/// A library object that a Python object owns. It belongs to the process that made it: in a forked child,
/// where its threads are missing, it can only be looked at, and is left alone for ever instead of being
/// destroyed.
template <class T>
class Held {
 public:
  Held(std::shared_ptr<Session> session, std::shared_ptr<T> object)
      : session_(std::move(session)), object_(std::move(object)), pid_(::getpid()) {}
  Held(Held&&) noexcept = default;
  Held& operator=(Held&&) = delete;
  ~Held() {
    if (object_ == nullptr) return;
    if (pid_ != ::getpid()) {
      new (std::nothrow) std::shared_ptr<T>(std::move(object_));
      new (std::nothrow) std::shared_ptr<Session>(std::move(session_));
      return;
    }
    // Ends threads, some of which may want the GIL first.
    const ReleasedGil released;
    object_.reset();
    session_.reset();
  }

  /// For what asks nothing of other threads.
  T& look() const { return *object_; }
  /// In a forked child there is nothing to end, and nobody who could.
  bool is_in_own_process() const { return pid_ == ::getpid(); }
  /// For everything else: raises in a forked child.
  T& use() const {
    check_process();
    return *object_;
  }
  const std::shared_ptr<T>& share() const {
    check_process();
    return object_;
  }
  const std::shared_ptr<Session>& session() const { return session_; }
  /// The same, for what must not begin after sigint_abort().
  T& begin() const {
    check_process();
    if (session_->is_aborted()) raise_interrupted();
    return *object_;
  }

 private:
  void check_process() const;

  std::shared_ptr<Session> session_;
  std::shared_ptr<T> object_;
  pid_t pid_;
};

[[noreturn]] void raise_other_process(pid_t made_in);

template <class T>
void Held<T>::check_process() const {
  if (pid_ != ::getpid()) raise_other_process(pid_);
}

}  // namespace xet::python

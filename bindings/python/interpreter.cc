#include "bindings/python/interpreter.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

namespace xet::python {

namespace {

using namespace std::chrono_literals;

constexpr auto kLastCalls = 2s;  // how long the end of the interpreter waits for callbacks that are under way

struct Registered {
  std::weak_ptr<Session> session;
  pid_t pid;
};

// Sequentially consistent: a callback counts itself, then looks at the flag; the end sets the flag, then
// looks at the count.
std::atomic<bool> ending{false};
std::atomic<int> n_callbacks{0};
// Only touched with the GIL held (a lock of its own without one), which also keeps it whole over a fork.
nb::ft_mutex sessions_mutex;
std::vector<Registered>* sessions = nullptr;

void end() {
  std::vector<std::shared_ptr<Session>> alive;
  {
    const nb::ft_lock_guard lock(sessions_mutex);
    for (const auto& registered : *sessions) {
      if (registered.pid != ::getpid()) continue;
      if (auto session = registered.session.lock()) alive.push_back(std::move(session));
    }
    sessions->clear();
  }
  ending = true;
  PyThreadState* const state = PyEval_SaveThread();
  for (const auto& session : alive) session->abort();
  const auto until = std::chrono::steady_clock::now() + kLastCalls;
  while (n_callbacks > 0 && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(1ms);
  alive.clear();
  PyEval_RestoreThread(state);
}

}  // namespace

bool is_main_thread() {
  return ::syscall(SYS_gettid) == ::getpid();
}

void bind_interpreter(nb::module_& /*module*/) {
  sessions = new std::vector<Registered>();
  nb::module_::import_("atexit").attr("register")(nb::cpp_function(end));
}

void add_session(const std::shared_ptr<Session>& session) {
  const nb::ft_lock_guard lock(sessions_mutex);
  std::erase_if(*sessions, [](const Registered& other) { return other.session.expired(); });
  sessions->push_back({session, ::getpid()});
}

ReleasedGil::ReleasedGil() : state_(PyEval_SaveThread()) {}

ReleasedGil::~ReleasedGil() {
  while (ending && !is_main_thread()) ::pause();
  PyEval_RestoreThread(state_);
}

AcquiredGil::AcquiredGil() {
  ++n_callbacks;
  if (!ending) state_ = PyGILState_Ensure();
}

AcquiredGil::~AcquiredGil() {
  if (state_) PyGILState_Release(*state_);
  --n_callbacks;
}

SharedObject share(nb::object object) {
  return {new nb::object(std::move(object)), [](nb::object* held) {
            const AcquiredGil gil;
            if (gil) delete held;  // else it goes with the interpreter
          }};
}

}  // namespace xet::python

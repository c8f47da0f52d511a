#include <algorithm>
#include <condition_variable>
#include <utility>

#include "session/client_impl.h"
#include "session/wait.h"

namespace xet {

namespace {
constexpr size_t kBlockingThreads = 4;  // enough to overlap the fsyncs of small files; they compute nothing
}  // namespace

session::Engine::Engine(size_t threads, size_t max_memory_bytes, const Clock& clock)
    : clock_(clock),
      budget_(std::max(max_memory_bytes, kLeastMemory), clock),
      blocking_(kBlockingThreads),
      cpu_(threads) {}

Client::Impl::Impl(std::shared_ptr<cas::Cas> cas, const ClientOptions& options, const Clock& clock,
                   const Tuning& tuning)
    : Impl(std::move(cas),
           std::make_shared<session::Engine>(options.threads, options.max_memory_bytes, clock), tuning) {}

Result<cas::Cas*> Client::Impl::require_cas() const {
  if (cas_ == nullptr)
    return fail(ErrorCode::kInvalidArgument, "this needs a store; open one with open_endpoint()");
  return cas_.get();
}

Client::Client(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::~Client() = default;

Result<uint64_t> Client::file_size(const FileHash& file, std::stop_token stop) const {
  XET_TRY(auto* cas, impl_->require_cas());
  session::Waiter<uint64_t> waiter;
  cas->file_size(file, std::move(stop), waiter.callback());
  return waiter.wait();
}

}  // namespace xet

#include "net/curl_inbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"

namespace xet::net {

CurlInbox::CurlInbox() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  XET_CHECK(fd_ >= 0);
}

CurlInbox::~CurlInbox() {
  ::close(fd_);
}

void CurlInbox::wake() const {
  const uint64_t one = 1;
  // Fails only when the counter is full, and then the thread is awake.
  [[maybe_unused]] const auto n = ::write(fd_, &one, sizeof one);
}

CurlInbox::Messages CurlInbox::take() {
  uint64_t count = 0;
  [[maybe_unused]] const auto n = ::read(fd_, &count, sizeof count);
  auto s = state.lock();
  Messages out;
  std::swap(out, s->messages);
  s->messages.closing = out.closing;
  return out;
}

}  // namespace xet::net

#include "xet/session.h"

#include <utility>

#include "libxet/session_core.h"

namespace xet {

std::shared_ptr<Session> Session::make(Config config) {
  return std::make_shared<Session>(std::make_shared<detail::SessionCore>(std::move(config)));
}
Session::Session(std::shared_ptr<detail::SessionCore> core) : core_(std::move(core)) {}
Session::~Session() = default;
const std::string& Session::id() const {
  return core_->id();
}
const Config& Session::config() const {
  return core_->config();
}
void Session::abort() {
  core_->abort();
}
bool Session::is_aborted() const {
  return core_->is_aborted();
}

}  // namespace xet

#include "server/http/standing.h"

#include "base/try.h"

namespace xet::http {

std::optional<bool> Standing::known(store::RepositoryId repository, int64_t hub_token,
                                    std::chrono::steady_clock::time_point now) const {
  auto entries = entries_.lock();
  const auto found = entries->find({repository, hub_token});
  if (found == entries->end() || now >= found->second.at + kRemembered) return std::nullopt;
  return found->second.good;
}

hub::Outcome<bool> Standing::look(hub::Hub& hub, store::RepositoryId repository, int64_t hub_token,
                                  std::chrono::steady_clock::time_point now) {
  XET_TRY(const auto found, hub.find(repository));
  bool good = found.has_value();
  if (good && hub_token != 0) {
    XET_TRY(good, hub.accounts().is_valid(hub_token));
  }
  auto entries = entries_.lock();
  if (entries->size() >= kMaxEntries) entries->clear();
  (*entries)[{repository, hub_token}] = {.good = good, .at = now};
  return good;
}

}  // namespace xet::http

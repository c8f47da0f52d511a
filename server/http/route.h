#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "server/http/answer.h"
#include "server/http/limits.h"
#include "server/http/request.h"
#include "server/http/task.h"
#include "server/hub/refusal.h"
#include "server/store/meta_store.h"

namespace xet::http {

class Exchange;
struct App;
struct HubCall;

/// What a request needs to be let through. kSigned: the URL itself is the permission, and its handler checks
/// it. kRead and kWrite: a token of the CAS. kHub…: a token of the Hub, if any: kHubOpen for everybody,
/// kHubUser for whoever has one, kHubRead and kHubWrite for whoever may do that with the repository that the
/// path names.
enum class Access : uint8_t {
  kOpen,
  kSigned,
  kRead,
  kWrite,
  kAdmin,
  kHubOpen,
  kHubUser,
  kHubRead,
  kHubWrite
};
constexpr bool is_of_hub(Access access) {
  return access >= Access::kHubOpen;
}

/// Where a handler runs: on the connection's thread (it must not block), on threads for calls of the store,
/// or on those for calls that wait for the disk.
enum class RunsOn : uint8_t { kLoop, kWork, kSync };

/// One line of the table that everything about routes goes by: dispatch, permissions, 405 answers, metrics,
/// the test against docs/openapi.yaml, and the test of every route with every kind of token.
struct Route {
  using Handler = Answer (*)(App&, const Request&);
  using Streamer = Task<> (*)(Exchange&);
  using HubHandler = hub::Outcome<Answer> (*)(HubCall&);

  std::string_view method;
  /// "{file}", "{hash}": 64 hex digits; "{prefix}": a known one; "{name}": anything. Of the Hub: "{types}":
  /// models, datasets, spaces; "{ns}", "{repo}": names; "{repo.git}": one that ends so; "{rev}", "{ref}":
  /// text that may have escaped slashes; "{path...}": all that is left, at least one segment.
  std::string_view path;
  Access access = Access::kOpen;
  RunsOn runs_on = RunsOn::kLoop;
  store::RepositoryType type = store::RepositoryType::kModel;  ///< of the repository, where no place says it
  bool takes_slot = false;                                     ///< counts as an upload under way
  bool large_body = false;                      ///< that of a shard or commit, in memory as a whole
  bool takes_long = false;                      ///< a body without a time limit, as long as it moves
  uint64_t ServerLimits::* max_body = nullptr;  ///< none: the request should have no body
  Handler handler = nullptr;                    ///< one of the three is set
  Streamer streamer = nullptr;
  HubHandler hub = nullptr;
};

std::span<const Route> routes();

/// What a path leads to.
struct RouteMatch {
  enum class Kind : uint8_t {
    kFound,
    kUnknown,      ///< no such path
    kWrongMethod,  ///< `allow` has the right ones
    kBadValue,     ///< the path is known, what stands in it is not possible
    kNoNamespace,  ///< it would be, if the name of its repository had a namespace in front
  };
  Kind kind = Kind::kUnknown;
  const Route* route = nullptr;
  PathValues values;
  std::string allow;
};

/// Finds the route among those of one listener: the admin listener has only open and admin ones, the other
/// all but admin ones. `path` as it was sent.
RouteMatch find_route(std::string_view method, std::string_view path, bool is_admin_listener);

}  // namespace xet::http

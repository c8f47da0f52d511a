#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "server/core/cas_service.h"
#include "xet/hash.h"

namespace xet::http {

/// What the server looks at of a request's header.
struct RequestHead {
  std::string method;
  std::string target;
  bool http_1_0 = false;
  bool keep_alive = true;
  bool expects_continue = false;
  bool chunked = false;
  std::optional<uint64_t> content_length;

  // Values of fields; empty when they were not sent.
  std::string host;
  std::string authorization;
  std::string range;
  std::string if_none_match;
  std::string if_range;
  std::string session_id;
};

/// A hash in a path, until the route says of what.
using PathHash = BasicHash<struct PathHashTag>;

/// What stood in the places of a route's path.
struct PathValues {
  PathHash hash;
  std::string name;  ///< of a grant or of signed data: opaque, a secret; or of something of the Hub
  // Of the Hub; not checked beyond what Route::path says.
  store::RepositoryType type = store::RepositoryType::kModel;
  std::string name_space;
  std::string repository;
  std::string revision;
  std::string path;
};

/// On whose behalf a request is served.
struct Caller {
  core::Principal who;
  std::string name;  ///< for the log
  bool may_write = false;
  int64_t hub_token = 0;  ///< that the caller's token of the CAS was given for; 0: none
};

/// A request with everything that was found out about it before its handler runs.
struct Request {
  RequestHead head;
  std::string id;          ///< told as X-Request-Id
  std::string_view path;   ///< of the target in `head`
  std::string_view query;  ///< the same
  PathValues values;
  Caller caller;
  std::string base_url;  ///< what URLs in the answer begin with
  ByteVector body;       ///< for routes that want it whole
};

}  // namespace xet::http

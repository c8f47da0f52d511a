#pragma once

#include <nanobind/nanobind.h>

#include "bindings/python/args.h"
#include "bindings/python/blocking.h"
#include "bindings/python/errors.h"
#include "bindings/python/held.h"
#include "xet/session.h"

namespace xet::python {

/// Connection arguments of the session's factories, as Python gives them.
struct ConnectArguments {
  nb::handle endpoint, token, token_expiry_unix_secs, token_refresh_url, token_refresh_headers,
      custom_headers;
};
ConnectOptions to_connect(const ConnectArguments& arguments);
/// Headers for a store, of which a `User-Agent` becomes part of ours.
void set_headers(HttpOptions& http, Pairs headers);

/// What `make` makes of a session, with a stop token that fires when a signal handler raises.
template <class Make>
auto make_part(const std::shared_ptr<Session>& session, Make make) {
  std::stop_source stop;
  auto made = run([&] { return make(stop.get_token()); }, [&] { stop.request_stop(); });
  if (!made) {
    if (session->is_aborted()) raise_interrupted();
    raise(made.error());
  }
  return Held(session, std::move(*made));
}

}  // namespace xet::python

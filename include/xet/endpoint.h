#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "xet/client.h"
#include "xet/export.h"
#include "xet/result.h"

namespace xet {

/// Opens a store by its endpoint:
///   local:DIR or local://DIR   an embedded store in DIR, made when it is not there
///   http(s)://HOST[:PORT][/…]  a Xet server; see ClientOptions::http, and docs/settings.md for what the
///                              environment says. Nothing is sent yet
/// For repositories on a Hub, hf:…, see xet/hub.h; here they are kInvalidArgument.
/// Blocks for the time that opening the store takes. A Client may be used from any thread.
XET_EXPORT Result<std::shared_ptr<Client>> open_endpoint(std::string_view endpoint,
                                                         const ClientOptions& options = {});

/// A client without a store: hashing and planning work, everything that needs a store is kInvalidArgument.
XET_EXPORT Result<std::shared_ptr<Client>> open_offline(const ClientOptions& options = {});

}  // namespace xet

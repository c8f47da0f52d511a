#pragma once

#include <string_view>

#include "base/bytes.h"
#include "server/store/meta_store.h"
#include "xet/result.h"

namespace xet::core {

/// Of every key that a store keeps.
inline constexpr size_t kSecretBytes = 32;

/// kSecretBytes random ones, fit for keys.
Result<ByteVector> make_secret();

/// kCorruption when the store's key has another length. `what` names it: "token key".
Status check_secret(const store::SigningKey& key, std::string_view what);

}  // namespace xet::core

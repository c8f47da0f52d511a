#include "server/core/secret.h"

#include <fmt/format.h>
#include <openssl/rand.h>

namespace xet::core {

Result<ByteVector> make_secret() {
  ByteVector out(kSecretBytes);
  if (RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(out.size())) != 1)
    return fail(ErrorCode::kInternal, "OpenSSL cannot make random numbers");
  return out;
}

Status check_secret(const store::SigningKey& key, std::string_view what) {
  if (key.secret.size() == kSecretBytes) return {};
  return fail(ErrorCode::kCorruption,
              fmt::format("the store's {} {} has {} bytes", what, key.id, key.secret.size()));
}

}  // namespace xet::core

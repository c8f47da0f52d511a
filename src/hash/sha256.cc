#include "hash/sha256.h"

#include <openssl/evp.h>

#include <array>

#include "base/check.h"

namespace xet::hash {

struct Sha256::State {
  State() : context(EVP_MD_CTX_new()) {
    XET_CHECK(context != nullptr && EVP_DigestInit_ex(context, EVP_sha256(), nullptr) == 1);
  }
  ~State() { EVP_MD_CTX_free(context); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  EVP_MD_CTX* context;
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(ByteSpan bytes) {
  XET_CHECK(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1);
}

Sha256Digest Sha256::finish() {
  std::array<std::byte, Sha256Digest::kSize> digest;
  unsigned length = 0;
  XET_CHECK(EVP_DigestFinal_ex(state_->context, reinterpret_cast<unsigned char*>(digest.data()), &length) ==
            1);
  XET_CHECK(length == digest.size());
  std::array<std::byte, Sha256Digest::kSize> grouped;  // so that the string form is the ordinary hex
  for (size_t i = 0; i < digest.size(); ++i) grouped[i ^ 7] = digest[i];
  return Sha256Digest(grouped);
}

Sha256Digest sha256(ByteSpan bytes) {
  Sha256 hasher;
  hasher.update(bytes);
  return hasher.finish();
}

}  // namespace xet::hash

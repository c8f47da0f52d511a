#include "hash/evp_digest.h"

#include <openssl/evp.h>

#include "base/check.h"

namespace xet::hash {

EvpDigest::EvpDigest(Kind kind) : context_(EVP_MD_CTX_new()) {
  const EVP_MD* const digest = kind == Kind::kSha1 ? EVP_sha1() : EVP_sha256();
  XET_CHECK(context_ != nullptr && EVP_DigestInit_ex(context_.get(), digest, nullptr) == 1);
}

void EvpDigest::Free::operator()(evp_md_ctx_st* context) const {
  EVP_MD_CTX_free(context);
}

void EvpDigest::update(ByteSpan bytes) {
  XET_CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
}

void EvpDigest::finish(MutableByteSpan out) {
  XET_CHECK(static_cast<int>(out.size()) == EVP_MD_CTX_size(context_.get()));
  unsigned length = 0;
  XET_CHECK(EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(out.data()), &length) == 1);
}

}  // namespace xet::hash

#include "hash/sha1.h"

#include <openssl/evp.h>

#include <memory>

#include "base/check.h"

namespace xet::hash {

std::array<std::byte, 20> sha1(std::initializer_list<ByteSpan> pieces) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  XET_CHECK(context && EVP_DigestInit_ex(context.get(), EVP_sha1(), nullptr) == 1);
  for (const ByteSpan piece : pieces) {
    XET_CHECK(EVP_DigestUpdate(context.get(), piece.data(), piece.size()) == 1);
  }
  std::array<std::byte, 20> out;
  unsigned length = 0;
  XET_CHECK(EVP_DigestFinal_ex(context.get(), reinterpret_cast<unsigned char*>(out.data()), &length) == 1);
  XET_CHECK(length == out.size());
  return out;
}

}  // namespace xet::hash

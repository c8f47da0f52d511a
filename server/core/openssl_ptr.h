#pragma once

#include <memory>

namespace xet::core {

/// Owns an OpenSSL object: Owned<EVP_PKEY, EVP_PKEY_free>.
template <class T, void (*Free)(T*)>
struct FreeWith {
  void operator()(T* object) const { Free(object); }
};
template <class T, void (*Free)(T*)>
using Owned = std::unique_ptr<T, FreeWith<T, Free>>;

}  // namespace xet::core

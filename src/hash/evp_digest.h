#pragma once

#include <memory>

#include "base/bytes.h"

struct evp_md_ctx_st;

namespace xet::hash {

/// A digest of OpenSSL, fed piece by piece. Not thread-safe; may move between threads.
class EvpDigest {
 public:
  enum class Kind : uint8_t { kSha1, kSha256 };
  explicit EvpDigest(Kind kind);

  void update(ByteSpan bytes);
  /// `out` is as long as the digest. The object is spent afterwards.
  void finish(MutableByteSpan out);

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

}  // namespace xet::hash

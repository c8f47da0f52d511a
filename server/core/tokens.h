#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "server/store/meta_store.h"
#include "xet/result.h"

namespace xet::core {

/// What a token allows. Who may write may also read.
enum class Scope : uint8_t { kRead, kWrite };

/// What a token of the CAS says.
struct CasClaims {
  store::RepositoryId repository = store::kLocalRepository;
  std::string repository_name;  ///< for logs; at most 256 bytes
  Scope scope = Scope::kRead;
  uint64_t expires_at_s = 0;  ///< Unix seconds; from then on it is refused
  std::string principal;      ///< who asked for it, for logs and limits; at most 256 bytes
  std::string id;             ///< of this one token, for logs; at most 64 bytes
  int64_t hub_token = 0;      ///< number of the Hub's token that it was given for; 0: none
};

/// Issues and checks the bearer tokens of the CAS routes: JWTs signed with Ed25519 (docs/serve.md). The key
/// lies in the store's metadata, so that all processes of one store take each other's tokens. Thread-safe.
class TokenAuthority {
 public:
  static constexpr size_t kMaxTokenBytes = 4096;

  /// Loads the keys of the store; makes the first one. The clock must outlive the authority.
  static Result<std::unique_ptr<TokenAuthority>> open(store::MetaStore& meta, const Clock& clock);
  ~TokenAuthority();
  TokenAuthority(const TokenAuthority&) = delete;
  TokenAuthority& operator=(const TokenAuthority&) = delete;

  /// kInvalidArgument for claims beyond their limits. The text is a secret.
  Result<std::string> issue(const CasClaims& claims) const;

  /// kUnauthorized for anything but an unexpired token of ours, byte for byte as it was issued: its header is
  /// compared, never believed. The message does not repeat the token. Fast for tokens seen before.
  Result<CasClaims> check(std::string_view token) const;

 private:
  struct State;
  explicit TokenAuthority(std::unique_ptr<State> state);
  const std::unique_ptr<State> state_;
};

}  // namespace xet::core

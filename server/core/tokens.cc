#include "server/core/tokens.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <list>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/base64.h"
#include "base/clock.h"
#include "base/sync.h"
#include "base/try.h"
#include "server/core/openssl_ptr.h"
#include "server/core/secret.h"

namespace xet::core {

namespace {

using Json = nlohmann::ordered_json;
using Key = Owned<EVP_PKEY, EVP_PKEY_free>;
using DigestContext = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;

constexpr size_t kSignatureBytes = 64;
constexpr size_t kMaxName = 256;
constexpr size_t kMaxId = 64;
constexpr std::string_view kIssuer = "xet";
constexpr std::string_view kAudience = "xet-cas";
// Tokens whose signature was checked lately: a client sends the same one for an hour, and checking an Ed25519
// signature takes longer than planning a download.
constexpr size_t kMaxRemembered = 1024;

struct TokenKey {
  std::string header;  // the first part of every token signed with it, with its dot
  Key key;
};

std::string header_of(uint32_t kid) {
  return to_base64url(as_byte_span(fmt::format(R"({{"alg":"EdDSA","kid":"{}","typ":"JWT"}})", kid))) + '.';
}

tl::unexpected<Error> crypto_failed(std::string_view what) {
  return fail(ErrorCode::kInternal, fmt::format("OpenSSL cannot {}", what));
}

tl::unexpected<Error> refused() {
  return fail(ErrorCode::kUnauthorized, "the token is not one of this server");
}

Result<TokenKey> load_key(const store::SigningKey& stored) {
  XET_TRY_STATUS(check_secret(stored, "token key"));
  Key key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr,
                                       reinterpret_cast<const unsigned char*>(stored.secret.data()),
                                       stored.secret.size()));
  if (!key) return crypto_failed("use the store's token key");
  return TokenKey{.header = header_of(stored.id), .key = std::move(key)};
}

Result<std::array<std::byte, kSignatureBytes>> sign(const TokenKey& key, std::string_view text) {
  std::array<std::byte, kSignatureBytes> out;
  size_t size = out.size();
  const DigestContext context(EVP_MD_CTX_new());
  if (!context || EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.key.get()) != 1 ||
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size,
                     reinterpret_cast<const unsigned char*>(text.data()), text.size()) != 1 ||
      size != out.size()) {
    return crypto_failed("sign a token");
  }
  return out;
}

bool is_signed(const TokenKey& key, std::string_view text, ByteSpan signature) {
  const DigestContext context(EVP_MD_CTX_new());
  return context && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.key.get()) == 1 &&
         EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                          signature.size(), reinterpret_cast<const unsigned char*>(text.data()),
                          text.size()) == 1;
}

/// A member that must be there; the value is left alone when it is not of its type.
template <class T>
bool get(const Json& json, const char* name, T& into) {
  const auto member = json.find(name);
  if (member == json.end()) return false;
  if constexpr (std::is_same_v<T, std::string>) {
    if (!member->is_string()) return false;
  } else if constexpr (std::is_unsigned_v<T>) {
    if (!member->is_number_unsigned()) return false;
  } else {
    if (!member->is_number_integer()) return false;
    // Unsigned in the parser's eyes: below zero in ours.
    if (member->is_number_unsigned() && !std::in_range<T>(member->template get<uint64_t>())) return false;
  }
  into = member->template get<T>();
  return true;
}

/// The claims of a payload whose signature is right: so it is one of ours, perhaps of another version.
Result<CasClaims> parse_claims(std::string_view payload) {
  const Json json = Json::parse(payload, nullptr, /*allow_exceptions=*/false);
  CasClaims out;
  std::string issuer;
  std::string audience;
  std::string scope;
  if (!json.is_object() || !get(json, "iss", issuer) || issuer != kIssuer || !get(json, "aud", audience) ||
      audience != kAudience || !get(json, "exp", out.expires_at_s) || !get(json, "scope", scope) ||
      !get(json, "repo", out.repository) || !get(json, "repo_name", out.repository_name) ||
      !get(json, "sub", out.principal) || !get(json, "jti", out.id)) {
    return refused();
  }
  if (json.contains("tok") && !get(json, "tok", out.hub_token)) return refused();
  if (scope == "read") {
    out.scope = Scope::kRead;
  } else if (scope == "write") {
    out.scope = Scope::kWrite;
  } else {
    return refused();
  }
  return out;
}

/// The last used tokens by the hash of their text, so that looking one up tells nothing about the others.
struct Remembered {
  struct Entry {
    Sha256Digest token;
    CasClaims claims;
  };
  std::list<Entry> by_use;  // last used first
  std::unordered_map<Sha256Digest, std::list<Entry>::iterator> by_token;
};

Sha256Digest digest_of(std::string_view token) {
  std::array<std::byte, SHA256_DIGEST_LENGTH> raw;
  SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(),
         reinterpret_cast<unsigned char*>(raw.data()));
  return Sha256Digest(raw);
}

}  // namespace

struct TokenAuthority::State {
  explicit State(const Clock& of_the_host) : clock(of_the_host) {}

  const Clock& clock;
  std::vector<TokenKey> keys;  // the one to sign with last
  Sync<Remembered> remembered;

  uint64_t now_s() const { return unix_seconds(clock.wall_now()); }
  Result<CasClaims> verify(std::string_view token) const;
  void remember(const Sha256Digest& token, const CasClaims& claims);
};

TokenAuthority::TokenAuthority(std::unique_ptr<State> state) : state_(std::move(state)) {}
TokenAuthority::~TokenAuthority() = default;

Result<std::unique_ptr<TokenAuthority>> TokenAuthority::open(store::MetaStore& meta, const Clock& clock) {
  auto state = std::make_unique<State>(clock);
  XET_TRY(const auto stored, meta.signing_keys(store::KeyPurpose::kToken, make_secret));
  for (const auto& each : stored) {
    XET_TRY(state->keys.emplace_back(), load_key(each));
  }
  return std::unique_ptr<TokenAuthority>(new TokenAuthority(std::move(state)));
}

Result<std::string> TokenAuthority::issue(const CasClaims& claims) const {
  if (claims.repository_name.size() > kMaxName || claims.principal.size() > kMaxName ||
      claims.id.size() > kMaxId) {
    return fail(ErrorCode::kInvalidArgument, "a name in a token is too long");
  }
  Json json{
      {"iss", kIssuer},
      {"aud", kAudience},
      {"sub", claims.principal},
      {"jti", claims.id},
      {"iat", state_->now_s()},
      {"exp", claims.expires_at_s},
      {"scope", claims.scope == Scope::kWrite ? "write" : "read"},
      {"repo", claims.repository},
      {"repo_name", claims.repository_name},
  };
  if (claims.hub_token != 0) json["tok"] = claims.hub_token;
  const auto& key = state_->keys.back();
  std::string out = key.header;
  // Text that is no UTF-8 comes back changed, but it is for logs only.
  append_base64url(out, as_byte_span(json.dump(-1, ' ', true, Json::error_handler_t::replace)));
  XET_TRY(const auto signature, sign(key, out));
  out += '.';
  append_base64url(out, signature);
  if (out.size() > kMaxTokenBytes)
    return fail(ErrorCode::kInvalidArgument, "the names in a token are too long");
  return out;
}

Result<CasClaims> TokenAuthority::check(std::string_view token) const {
  if (token.size() > kMaxTokenBytes) return refused();
  const auto digest = digest_of(token);
  CasClaims claims;
  bool known = false;
  {
    auto remembered = state_->remembered.lock();
    if (const auto entry = remembered->by_token.find(digest); entry != remembered->by_token.end()) {
      remembered->by_use.splice(remembered->by_use.begin(), remembered->by_use, entry->second);
      claims = entry->second->claims;
      known = true;
    }
  }
  if (!known) {
    XET_TRY(claims, state_->verify(token));
  }
  if (claims.expires_at_s <= state_->now_s()) {
    return fail(ErrorCode::kUnauthorized, "the token has expired");
  }
  if (!known) state_->remember(digest, claims);
  return claims;
}

Result<CasClaims> TokenAuthority::State::verify(std::string_view token) const {
  // Comparing the whole header leaves nothing in it to be believed: algorithm, key, order, repetitions.
  const auto key = std::find_if(keys.begin(), keys.end(),
                                [&](const TokenKey& each) { return token.starts_with(each.header); });
  if (key == keys.end()) return refused();
  const size_t dot = token.find('.', key->header.size());
  if (dot == std::string_view::npos) return refused();
  const auto signature = from_base64url(token.substr(dot + 1));
  if (!signature || signature->size() != kSignatureBytes) return refused();
  if (!is_signed(*key, token.substr(0, dot), *signature)) return refused();
  const auto payload = from_base64url(token.substr(key->header.size(), dot - key->header.size()));
  if (!payload) return refused();
  return parse_claims(as_chars(*payload));
}

void TokenAuthority::State::remember(const Sha256Digest& token, const CasClaims& claims) {
  auto state = remembered.lock();
  if (state->by_token.contains(token)) return;
  state->by_use.push_front({.token = token, .claims = claims});
  state->by_token.emplace(token, state->by_use.begin());
  if (state->by_use.size() <= kMaxRemembered) return;
  state->by_token.erase(state->by_use.back().token);
  state->by_use.pop_back();
}

}  // namespace xet::core

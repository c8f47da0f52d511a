#include "server/core/tokens.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <memory>
#include <string>
#include <vector>

#include "base/base64.h"
#include "server/fixed_keys.h"
#include "support/fake_clock.h"
#include "support/generators.h"
#include "support/matchers.h"

namespace xet::testing {
namespace {

using core::CasClaims;
using core::Scope;
using core::TokenAuthority;

std::string encode(std::string_view text) {
  return to_base64url(as_byte_span(text));
}
std::string decode(std::string_view text) {
  const auto bytes = from_base64url(text);
  return bytes ? std::string(as_chars(*bytes)) : "(not base64url)";
}

/// header.payload.signature
struct Parts {
  std::string header, payload, signature;
  explicit Parts(std::string_view token) {
    const size_t first = token.find('.');
    const size_t second = token.find('.', first + 1);
    header = token.substr(0, first);
    payload = token.substr(first + 1, second - first - 1);
    signature = token.substr(second + 1);
  }
  std::string text() const { return header + '.' + payload + '.' + signature; }
};

class Tokens : public ::testing::Test {
 protected:
  CasClaims claims(Scope scope = Scope::kRead) const {
    return {.repository = 12,
            .repository_name = "model/team/big",
            .scope = scope,
            .expires_at_s = now_s() + 60,
            .principal = "some\"body\n",
            .id = "t-1"};
  }
  uint64_t now_s() const {
    return static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::seconds>(clock_.wall_now().time_since_epoch()).count());
  }
  std::string issue(const CasClaims& of) const { return tokens_->issue(of).value(); }
  void expect_refused(const std::string& token) const {
    const auto outcome = tokens_->check(token);
    EXPECT_THAT(outcome, FailsWith(ErrorCode::kUnauthorized)) << token;
    if (!outcome && token.size() > 20) {
      EXPECT_EQ(outcome.error().message.find(token.substr(0, 20)), std::string::npos);
    }
  }

  FakeClock clock_;
  FixedKeys keys_;
  const std::unique_ptr<TokenAuthority> tokens_ = TokenAuthority::open(keys_, clock_).value();
};

TEST_F(Tokens, SayWhatTheyWereIssuedFor) {
  for (const auto scope : {Scope::kRead, Scope::kWrite}) {
    const auto token = issue(claims(scope));
    for (int seen = 0; seen < 2; ++seen) {
      const auto found = tokens_->check(token);
      ASSERT_THAT(found, IsOk());
      EXPECT_EQ(found->repository, 12);
      EXPECT_EQ(found->repository_name, "model/team/big");
      EXPECT_EQ(found->scope, scope);
      EXPECT_EQ(found->expires_at_s, now_s() + 60);
      EXPECT_EQ(found->principal, "some\"body\n");
      EXPECT_EQ(found->id, "t-1");
    }
  }
}

TEST_F(Tokens, AreOrdinaryJwts) {
  const Parts parts(issue(claims()));
  EXPECT_EQ(decode(parts.header), R"({"alg":"EdDSA","kid":"1","typ":"JWT"})");
  EXPECT_EQ(
      decode(parts.payload),
      R"({"iss":"xet","aud":"xet-cas","sub":"some\"body\n","jti":"t-1","iat":1700000000,"exp":1700000060,)"
      R"("scope":"read","repo":12,"repo_name":"model/team/big"})");
  EXPECT_EQ(from_base64url(parts.signature)->size(), 64U);
}

TEST_F(Tokens, ExpireAtTheSecond) {
  const auto token = issue(claims());
  clock_.advance(std::chrono::milliseconds(59'998));
  EXPECT_THAT(tokens_->check(token), IsOk());
  clock_.advance(std::chrono::milliseconds(1));
  EXPECT_THAT(tokens_->check(token), FailsWith(ErrorCode::kUnauthorized, "expired"));  // one that was seen
  auto past = claims();
  past.expires_at_s = now_s();
  EXPECT_THAT(tokens_->check(issue(past)), FailsWith(ErrorCode::kUnauthorized, "expired"));
  past.expires_at_s = 0;
  EXPECT_THAT(tokens_->check(issue(past)), FailsWith(ErrorCode::kUnauthorized, "expired"));
  past.expires_at_s = UINT64_MAX;
  EXPECT_THAT(tokens_->check(issue(past)), IsOk());
}

TEST_F(Tokens, NoByteMayBeChangedAddedOrMissing) {
  const auto token = issue(claims());
  for (size_t i = 0; i < token.size(); ++i) {
    for (const char replacement : {'A', 'B', '_', '.', '=', '\0'}) {
      auto changed = token;
      changed[i] = replacement;
      if (changed != token) expect_refused(changed);
    }
    expect_refused(token.substr(0, i));
    expect_refused(token.substr(i + 1));
  }
  for (const char* more : {"=", "==", ".", ".x", " ", "\n", "A", "AA", "AAAA"}) {
    expect_refused(token + more);
    expect_refused(more + token);
  }
}

TEST_F(Tokens, TheLastDigitHasOneSpelling) {
  // 64 bytes leave four bits of the last digit unused: another digit would decode to the same bytes.
  const auto token = issue(claims());
  int same_bytes = 0;
  for (const char digit :
       std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")) {
    auto changed = token;
    changed.back() = digit;
    if (tokens_->check(changed)) ++same_bytes;
  }
  EXPECT_EQ(same_bytes, 1);
}

TEST_F(Tokens, NoHeaderIsBelieved) {
  const Parts good(issue(claims()));
  const char* kHeaders[] = {
      R"({"alg":"none"})",
      R"({"alg":"none","kid":"1","typ":"JWT"})",
      R"({"alg":"NONE","kid":"1","typ":"JWT"})",
      R"({"alg":"HS256","kid":"1","typ":"JWT"})",
      R"({"alg":"ES256","kid":"1","typ":"JWT"})",
      R"({"alg":"eddsa","kid":"1","typ":"JWT"})",
      R"({"alg":"EdDSA","typ":"JWT"})",
      R"({"alg":"EdDSA"})",
      R"({"alg":"EdDSA","kid":"2","typ":"JWT"})",
      R"({"alg":"EdDSA","kid":1,"typ":"JWT"})",
      R"({"alg":"EdDSA","kid":"01","typ":"JWT"})",
      R"({"alg":"EdDSA","kid":"1","kid":"1","typ":"JWT"})",
      R"({"alg":"EdDSA","alg":"none","kid":"1","typ":"JWT"})",
      R"({"typ":"JWT","alg":"EdDSA","kid":"1"})",
      R"({"alg":"EdDSA","kid":"1","typ":"JWT","crit":[]})",
      R"({"alg":"EdDSA","kid":"1","typ":"JWT","jwk":{"kty":"OKP"}})",
      R"({"alg":"EdDSA", "kid":"1","typ":"JWT"})",
      R"({"alg":"EdDSA","kid":"1","typ":"JWT"}x)",
      "{}",
      "[]",
      "null",
      "",
  };
  for (const char* header : kHeaders) {
    Parts changed = good;
    changed.header = encode(header);
    expect_refused(changed.text());
    changed.signature.clear();
    expect_refused(changed.text());
  }
}

TEST_F(Tokens, NoForeignPayloadIsTaken) {
  const Parts good(issue(claims()));
  const Parts other(issue(claims(Scope::kWrite)));
  Parts mixed = good;
  mixed.payload = other.payload;
  expect_refused(mixed.text());
  auto forged = decode(good.payload);
  forged.replace(forged.find("read"), 4, "write");
  mixed.payload = encode(forged);
  expect_refused(mixed.text());
  for (const char* payload : {"", "{}", "null", "[[[[[[", "\xff\xfe"}) {
    mixed.payload = encode(payload);
    expect_refused(mixed.text());
  }
}

TEST_F(Tokens, AnotherStoresTokensAreRefused) {
  FixedKeys other_keys(std::byte{8});
  const auto other = TokenAuthority::open(other_keys, clock_).value();
  const auto token = other->issue(claims()).value();
  EXPECT_THAT(other->check(token), IsOk());
  expect_refused(token);
}

TEST_F(Tokens, GarbageIsRefused) {
  for (const char* text : {"", ".", "..", "...", "a", "a.b", "a.b.c", "a.b.c.d", "Bearer x", "hf_abcdef",
                           "\xff\xff.\xff.\xff", "eyJhbGciOiJub25lIn0.e30."}) {
    expect_refused(text);
  }
  const auto token = issue(claims());
  expect_refused(std::string(TokenAuthority::kMaxTokenBytes + 1, 'a'));
  expect_refused(token + std::string(1 << 20, 'A'));
  SplitMix64 random(1);
  for (int i = 0; i < 2000; ++i) {
    const auto bytes = random_bytes(random.below(300), random.next());
    expect_refused(std::string(as_chars(bytes)));
    expect_refused(Parts(token).header + '.' + to_base64url(bytes) + '.' +
                   to_base64url(random_bytes(64, random.next())));
  }
}

/// Signed with the store's key, so that only the claims decide.
std::string sign_with_the_key(std::string_view payload) {
  FixedKeys keys;
  const auto secret = keys.signing_keys(store::KeyPurpose::kToken, {}).value()[0].secret;
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr,
                                   reinterpret_cast<const unsigned char*>(secret.data()), secret.size()),
      EVP_PKEY_free);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  std::string out = encode(R"({"alg":"EdDSA","kid":"1","typ":"JWT"})") + '.' + encode(payload);
  ByteVector signature(64);
  size_t n = signature.size();
  EXPECT_EQ(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()), 1);
  EXPECT_EQ(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &n,
                           reinterpret_cast<const unsigned char*>(out.data()), out.size()),
            1);
  return out + '.' + to_base64url(signature);
}

TEST_F(Tokens, WhatASignedPayloadLacksIsNotMadeUp) {
  const std::string good = decode(Parts(issue(claims())).payload);
  EXPECT_EQ(sign_with_the_key(good), issue(claims()));
  struct Change {
    const char* from;
    const char* to;
  };
  for (const Change change : {
           Change{R"("iss":"xet",)", ""},
           {R"("iss":"xet")", R"("iss":"other")"},
           {R"("aud":"xet-cas",)", ""},
           {R"("aud":"xet-cas")", R"("aud":["xet-cas"])"},
           {R"("exp":1700000060,)", ""},
           {R"("exp":1700000060)", R"("exp":"1700000060")"},
           {R"("exp":1700000060)", R"("exp":1.7e9)"},
           {R"("exp":1700000060)", R"("exp":-1)"},
           {R"("exp":1700000060)", R"("exp":null)"},
           {R"("scope":"read",)", ""},
           {R"("scope":"read")", R"("scope":"admin")"},
           {R"("scope":"read")", R"("scope":["read"])"},
           {R"("repo":12,)", ""},
           {R"("repo":12)", R"("repo":"12")"},
           {R"("repo":12)", R"("repo":99999999999999999999)"},
           {R"("repo":12)", R"("repo":9223372036854775808)"},
           {R"("sub":)", R"("nobody":)"},
           {R"("jti":)", R"("no":)"},
           {R"(,"repo_name":"model/team/big"})", "}"},
           {R"(big"})", R"(big"}})"},
           {R"(big"})", R"(big")"},
       }) {
    auto payload = good;
    const size_t at = payload.find(change.from);
    ASSERT_NE(at, std::string::npos) << change.from;
    payload.replace(at, std::string_view(change.from).size(), change.to);
    expect_refused(sign_with_the_key(payload));
  }
  for (const char* payload : {"", "{}", "[]", "null", "7", "{\"iss\":\"xet\""}) {
    expect_refused(sign_with_the_key(payload));
  }
  expect_refused(sign_with_the_key(std::string(2900, '[')));
}

TEST_F(Tokens, NamesHaveLimits) {
  auto long_name = claims();
  long_name.repository_name.assign(257, 'n');
  EXPECT_THAT(tokens_->issue(long_name), FailsWith(ErrorCode::kInvalidArgument));
  auto long_principal = claims();
  long_principal.principal.assign(257, 'n');
  EXPECT_THAT(tokens_->issue(long_principal), FailsWith(ErrorCode::kInvalidArgument));
  auto long_id = claims();
  long_id.id.assign(65, 'n');
  EXPECT_THAT(tokens_->issue(long_id), FailsWith(ErrorCode::kInvalidArgument));
  auto largest = claims();
  largest.repository_name.assign(256, 'n');
  largest.principal.assign(256, 'n');
  largest.id.assign(64, 'n');
  EXPECT_THAT(tokens_->check(issue(largest)), IsOk());
  largest.repository_name.assign(256, '\1');  // six letters each
  largest.principal.assign(256, '\1');
  EXPECT_THAT(tokens_->issue(largest), FailsWith(ErrorCode::kInvalidArgument));
  auto no_text = claims();
  no_text.principal = "\xff\xfe";
  EXPECT_THAT(tokens_->check(issue(no_text)), IsOk());
}

TEST_F(Tokens, OlderKeysStillCountAndTheNewestSigns) {
  FixedKeys two(std::byte{7}, 2);
  const auto after = TokenAuthority::open(two, clock_).value();
  EXPECT_THAT(after->check(issue(claims())), IsOk());
  const auto newer = after->issue(claims()).value();
  EXPECT_NE(decode(Parts(newer).header).find("\"kid\":\"2\""), std::string::npos);
  expect_refused(newer);
}

TEST_F(Tokens, ManyTokensDoNotCrowdOutChecking) {
  std::vector<std::string> all;
  for (int i = 0; i < 3000; ++i) {
    auto each = claims();
    each.id = std::to_string(i);
    all.push_back(issue(each));
    ASSERT_EQ(tokens_->check(all.back())->id, each.id);
  }
  for (size_t i = 0; i < all.size(); i += 100) EXPECT_EQ(tokens_->check(all[i])->id, std::to_string(i));
}

}  // namespace
}  // namespace xet::testing

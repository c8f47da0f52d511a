#include "server/core/signed_url.h"

#include <gtest/gtest.h>

#include <cctype>
#include <cstdlib>
#include <filesystem>

#include "base/base64.h"
#include "server/core/tokens.h"
#include "server/fixed_keys.h"
#include "support/fake_clock.h"
#include "support/generators.h"
#include "support/matchers.h"
#include "support/temp_dir.h"

namespace xet::testing {
namespace {

using core::DataGrant;
using core::UploadGrant;
using core::UrlSigner;

class SignedUrl : public ::testing::Test {
 protected:
  DataGrant grant() const {
    return {.xorb = XorbHash(random_hash(1)),
            .generation = 3,
            .ranges = {{.begin = 0, .end = 100},
                       {.begin = 100, .end = 131'072},
                       {.begin = 200'000, .end = 200'001}},
            .expires_at_s = kNow + 60,
            .repository = 42};
  }
  UploadGrant upload() const {
    return {.xorb = XorbHash(random_hash(2)),
            .repository = 42,
            .length = 64 << 20,
            .crc64 = 0xfedcba9876543210,
            .expires_at_s = kNow + 60};
  }
  Result<DataGrant> check(std::string_view url) const {
    const size_t mark = std::min(url.find('?'), url.size());
    return signer_->check(url.substr(0, mark), url.substr(std::min(mark + 1, url.size())));
  }
  void expect_refused(const std::string& url) const {
    EXPECT_THAT(check(url), FailsWith(ErrorCode::kUnauthorized, "signature")) << url;
  }

  static constexpr uint64_t kNow = 1'700'000'000;
  FakeClock clock_;
  FixedKeys keys_;
  const std::unique_ptr<UrlSigner> signer_ = UrlSigner::open(keys_, clock_).value();
};

TEST_F(SignedUrl, SaysWhatItGrants) {
  const std::string url = signer_->path_and_query(grant());
  EXPECT_TRUE(
      url.starts_with("/d/" + grant().xorb.hex() + ".3?e=1700000060&k=1&p=42&r=0-100.0-130972.68928-1&s="))
      << url;
  EXPECT_EQ(check(url).value(), grant());
  for (auto extreme : {grant(), grant()}) {
    extreme.generation = UINT32_MAX;
    extreme.expires_at_s = UINT64_MAX;
    extreme.repository = INT64_MIN;
    extreme.ranges = {{.begin = UINT32_MAX - 1, .end = UINT32_MAX}};
    EXPECT_EQ(check(signer_->path_and_query(extreme)).value(), extreme);
  }
}

TEST_F(SignedUrl, FitsInto8KiBWithTheMostRanges) {
  auto many = grant();
  many.ranges.clear();
  many.repository = INT64_MAX;
  // The longest numbers that 500 ranges of a packed xorb can have.
  constexpr uint32_t kStep = 134'000;
  for (uint32_t i = 0; i < UrlSigner::kMaxRanges; ++i) {
    many.ranges.push_back({.begin = i * kStep + kStep / 4, .end = (i + 1) * kStep - kStep / 4});
  }
  const std::string url = signer_->path_and_query(many);
  EXPECT_LT(url.size(), 8U << 10);
  EXPECT_EQ(check(url).value(), many);
}

TEST_F(SignedUrl, ExpiresAtTheSecond) {
  const std::string url = signer_->path_and_query(grant());
  const std::string id = signer_->grant_id(upload());
  clock_.advance(std::chrono::milliseconds(59'998));
  EXPECT_THAT(check(url), IsOk());
  EXPECT_THAT(signer_->check_grant_id(id), IsOk());
  clock_.advance(std::chrono::milliseconds(1));
  EXPECT_THAT(check(url), FailsWith(ErrorCode::kUnauthorized, "expired"));
  EXPECT_THAT(signer_->check_grant_id(id), FailsWith(ErrorCode::kUnauthorized, "expired"));
}

TEST_F(SignedUrl, NoByteMayBeChangedAddedOrMissing) {
  const std::string url = signer_->path_and_query(grant());
  for (size_t i = 0; i < url.size(); ++i) {
    for (const char replacement : {'0', '1', 'a', 'A', '&', '.', '-', '%', '\0'}) {
      auto changed = url;
      changed[i] = replacement;
      if (changed != url) expect_refused(changed);
    }
    expect_refused(url.substr(0, i));
    expect_refused(url.substr(i + 1));
    for (const char more : {'0', '&', '.', ' '}) {
      auto longer = url;
      longer.insert(i, 1, more);
      expect_refused(longer);
    }
  }
  for (const char* more : {"0", "&", "&x=1", "=", "%00", "#"}) expect_refused(url + more);
}

TEST_F(SignedUrl, OneGrantHasOneSpelling) {
  const std::string url = signer_->path_and_query(grant());
  const auto with = [&](const std::string& from, const std::string& to) {
    auto out = url;
    out.replace(out.find(from), from.size(), to);
    return out;
  };
  std::string upper = grant().xorb.hex();
  for (char& c : upper) c = static_cast<char>(std::toupper(c));
  for (const auto& other : {
           with(grant().xorb.hex(), upper),
           with(".3?", ".03?"),
           with("e=1700000060", "e=01700000060"),
           with("e=1700000060", "e=+1700000060"),
           with("e=1700000060", "e=17000000600"),
           with("e=1700000060", "e=99999999999999999999999"),
           with("k=1", "k=2"),
           with("k=1", "k=0"),
           with("p=42", "p=43"),
           with("p=42", "p=-42"),
           with("r=0-100", "r=0-101"),
           with("r=0-100.0-130972", "r=0-131072"),  // the same bytes in one range
           with("r=0-100", "r=0-0.0-100"),
           with("r=0-100", "r=4294967295-4294967295"),
           with("r=0-100.0-130972.68928-1", "r="),
           with("r=0-100.0-130972.68928-1", "r=0-100.0-130972.68928-1."),
           with("&k=1&p=42", "&p=42&k=1"),
           with("/d/", "//d/"),
           with("/d/", "/d/./"),
           with("?", "??"),
           with("&s=", "&S="),
           with("&s=", "&s=&s="),
       }) {
    expect_refused(other);
  }
}

TEST_F(SignedUrl, OneSignatureIsNotAnothers) {
  const std::string url = signer_->path_and_query(grant());
  auto other = grant();
  other.xorb = XorbHash(random_hash(9));
  const std::string second = signer_->path_and_query(other);
  expect_refused(url.substr(0, url.find("&s=")) + second.substr(second.find("&s=")));
  FixedKeys keys(std::byte{9});
  const auto elsewhere = UrlSigner::open(keys, clock_).value();
  expect_refused(elsewhere->path_and_query(grant()));
  EXPECT_THAT(signer_->check_grant_id(elsewhere->grant_id(upload())), FailsWith(ErrorCode::kUnauthorized));
  EXPECT_THAT(signer_->check_grant_id(url.substr(url.find("&s=") + 3)), FailsWith(ErrorCode::kUnauthorized));
}

TEST_F(SignedUrl, GarbageIsRefused) {
  for (const char* url : {"", "?", "/", "/d/", "/d/?", "/d/x.0?e=1", "/d/.0?e=1&k=1&p=0&r=0-1&s="})
    expect_refused(url);
  const std::string url = signer_->path_and_query(grant());
  expect_refused(url + std::string(1 << 20, '0'));
  std::string many = url.substr(0, url.find("r=0-100"));
  many += "r=0-1";
  for (int i = 0; i < 600; ++i) many += ".0-1";
  expect_refused(many + "&s=AAAAAAAAAAAAAAAAAAAAAA");
  SplitMix64 random(1);
  for (int i = 0; i < 2000; ++i) {
    const auto bytes = random_bytes(random.below(200), random.next());
    expect_refused(std::string(as_chars(bytes)));
    EXPECT_THAT(signer_->check_grant_id(as_chars(bytes)), FailsWith(ErrorCode::kUnauthorized));
    EXPECT_THAT(signer_->check_grant_id(to_base64url(random_bytes(85, random.next()))),
                FailsWith(ErrorCode::kUnauthorized));
  }
}

TEST_F(SignedUrl, AGrantIdSaysWhatMayBeUploaded) {
  const std::string id = signer_->grant_id(upload());
  EXPECT_EQ(id.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
            std::string::npos);
  EXPECT_EQ(signer_->check_grant_id(id).value(), upload());
  for (size_t i = 0; i < id.size(); ++i) {
    for (const char replacement : {'A', 'B', '_', '=', '\0'}) {
      auto changed = id;
      changed[i] = replacement;
      if (changed == id) continue;
      EXPECT_THAT(signer_->check_grant_id(changed), FailsWith(ErrorCode::kUnauthorized)) << i;
    }
    EXPECT_THAT(signer_->check_grant_id(id.substr(0, i)), FailsWith(ErrorCode::kUnauthorized));
  }
  EXPECT_THAT(signer_->check_grant_id(id + "A"), FailsWith(ErrorCode::kUnauthorized));
  EXPECT_THAT(signer_->check_grant_id(id + "="), FailsWith(ErrorCode::kUnauthorized));
}

TEST_F(SignedUrl, OlderKeysStillCountAndTheNewestSigns) {
  FixedKeys two(std::byte{7}, 2);
  const auto after = UrlSigner::open(two, clock_).value();
  EXPECT_THAT(after->check_grant_id(signer_->grant_id(upload())), IsOk());
  const std::string newer = after->path_and_query(grant());
  EXPECT_NE(newer.find("&k=2&"), std::string::npos);
  expect_refused(newer);
}

/// What fuzz/credentials_fuzz.cc begins with; XET_ACCEPT_GOLDEN=1 writes it anew.
TEST_F(SignedUrl, FuzzSeedsAreGoodOnes) {
  const auto seed = [](const char* name, const std::string& text) {
    const auto path = test_data("..") / "fuzz" / "corpus" / "credentials" / name;
    if (std::getenv("XET_ACCEPT_GOLDEN") != nullptr) {
      std::filesystem::create_directories(path.parent_path());
      write_bytes(path, as_byte_span(text));
    }
    return std::string(as_chars(read_bytes(path))).substr(1);
  };
  auto forever = grant();
  forever.expires_at_s = UINT64_MAX;
  EXPECT_THAT(check(seed("url", 'u' + signer_->path_and_query(forever))), IsOk());
  EXPECT_THAT(signer_->check_grant_id(seed("grant", 'g' + signer_->grant_id(upload()))), IsOk());
  const auto tokens = core::TokenAuthority::open(keys_, clock_).value();
  const auto token = tokens->issue({.repository = 3,
                                    .repository_name = "model/a/b",
                                    .scope = core::Scope::kWrite,
                                    .expires_at_s = UINT64_MAX,
                                    .principal = "x",
                                    .id = "1"});
  EXPECT_THAT(tokens->check(seed("token", 't' + token.value())), IsOk());
}

}  // namespace
}  // namespace xet::testing

#include "server/core/signed_url.h"

#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <optional>
#include <utility>

#include "base/base64.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/try.h"
#include "server/core/openssl_ptr.h"
#include "server/core/secret.h"

namespace xet::core {

namespace {

using MacContext = Owned<EVP_MAC_CTX, EVP_MAC_CTX_free>;

constexpr size_t kMacBytes = 16;  // of the 32 that HMAC-SHA256 gives
using Mac = std::array<std::byte, kMacBytes>;
// What is signed begins with what it is, so that one can never be taken for the other.
constexpr std::string_view kDataDomain = "xet data url\n";
constexpr std::string_view kUploadDomain = "xet upload grant\n";
constexpr std::string_view kFileDomain = "xet file grant\n";
constexpr std::string_view kLfsDomain = "xet lfs grant\n";
constexpr std::string_view kDataPath = "/d/";
constexpr std::byte kGrantVersion{1};

struct UrlKey {
  uint32_t id;
  MacContext context;  // keyed; copied for each use
};

Result<UrlKey> load_key(const store::SigningKey& stored) {
  XET_TRY_STATUS(check_secret(stored, "URL key"));
  const Owned<EVP_MAC, EVP_MAC_free> hmac(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
  if (hmac) {
    UrlKey out{.id = stored.id, .context = MacContext(EVP_MAC_CTX_new(hmac.get()))};
    std::string digest = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
        OSSL_PARAM_construct_end(),
    };
    if (out.context &&
        EVP_MAC_init(out.context.get(), reinterpret_cast<const unsigned char*>(stored.secret.data()),
                     stored.secret.size(), parameters) == 1) {
      return out;
    }
  }
  return fail(ErrorCode::kInternal, "OpenSSL cannot use the store's URL key");
}

Mac mac_of(const UrlKey& key, std::string_view domain, ByteSpan text) {
  std::array<std::byte, 32> full;
  size_t size = 0;
  const MacContext context(EVP_MAC_CTX_dup(key.context.get()));
  // With a key that was taken, this fails for lack of memory alone.
  XET_CHECK(context != nullptr);
  XET_CHECK(
      EVP_MAC_update(context.get(), reinterpret_cast<const unsigned char*>(domain.data()), domain.size()) ==
          1 &&
      EVP_MAC_update(context.get(), reinterpret_cast<const unsigned char*>(text.data()), text.size()) == 1 &&
      EVP_MAC_final(context.get(), reinterpret_cast<unsigned char*>(full.data()), &size, full.size()) == 1 &&
      size == full.size());
  Mac out;
  std::copy_n(full.begin(), out.size(), out.begin());
  return out;
}

bool equal_in_constant_time(const Mac& a, ByteSpan b) {
  return b.size() == a.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

tl::unexpected<Error> refused() {
  return fail(ErrorCode::kUnauthorized, "the signature of the URL is wrong");
}

tl::unexpected<Error> expired() {
  return fail(ErrorCode::kUnauthorized, "the grant has expired");
}

/// Reads what path_and_query() writes. Each step gives false for anything else.
class UrlReader {
 public:
  explicit UrlReader(std::string_view text) : rest_(text) {}
  bool at_end() const { return rest_.empty(); }
  bool literal(std::string_view text) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }
  template <std::integral T>
  bool number(T& into) {
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), into);
    if (error != std::errc{}) return false;
    rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
    return true;
  }
  template <class HashType>
  bool hash(HashType& into) {
    if (rest_.size() < 2 * HashType::kSize) return false;
    const auto found = HashType::from_hex(rest_.substr(0, 2 * HashType::kSize));
    if (!found) return false;
    into = *found;
    rest_.remove_prefix(2 * HashType::kSize);
    return true;
  }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

bool read_path(std::string_view path, DataGrant& out) {
  UrlReader in(path);
  return in.literal(kDataPath) && in.hash(out.xorb) && in.literal(".") && in.number(out.generation) &&
         in.at_end();
}

/// "<bytes skipped since the last range>-<length>", with '.' between: short, since lengths are.
bool read_ranges(UrlReader& in, std::vector<format::PackedRange>& out) {
  uint32_t at = 0;
  do {
    uint32_t skipped = 0;
    uint32_t length = 0;
    if (out.size() == UrlSigner::kMaxRanges || !in.number(skipped) || !in.literal("-") ||
        !in.number(length)) {
      return false;
    }
    if (length == 0 || skipped > UINT32_MAX - at || length > UINT32_MAX - at - skipped) return false;
    out.push_back({.begin = at + skipped, .end = at + skipped + length});
    at = out.back().end;
  } while (in.literal("."));
  return true;
}

void append_ranges(std::string& out, const std::vector<format::PackedRange>& ranges) {
  uint32_t at = 0;
  for (const auto& range : ranges) {
    XET_CHECK(range.begin >= at && range.end > range.begin);
    fmt::format_to(std::back_inserter(out), "{}{}-{}", at == 0 ? "" : ".", range.begin - at, range.size());
    at = range.end;
  }
}

}  // namespace

struct UrlSigner::State {
  explicit State(const Clock& of_the_host) : clock(of_the_host) {}

  const Clock& clock;
  std::vector<UrlKey> keys;  // the one to sign with last

  const UrlKey* find(uint32_t id) const {
    const auto key =
        std::find_if(keys.begin(), keys.end(), [&](const UrlKey& each) { return each.id == id; });
    return key == keys.end() ? nullptr : &*key;
  }
  /// An opaque id: version, key, fields and a MAC over all of it.
  std::string seal(std::string_view domain, ByteSpan fields) const {
    const auto& key = keys.back();
    ByteVector bytes{kGrantVersion};
    append_le(bytes, key.id);
    append_bytes(bytes, fields);
    const Mac mac = mac_of(key, domain, bytes);
    append_bytes(bytes, mac);
    return to_base64url(bytes);
  }
  /// The fields of an id that we wrote for this domain. kUnauthorized for all else.
  Result<ByteVector> unseal(std::string_view domain, std::string_view id, size_t n_fields) const {
    constexpr size_t kFront = 1 + sizeof(uint32_t);
    const auto wrong = [] { return fail(ErrorCode::kUnauthorized, "the grant is not one of this server"); };
    const size_t n_signed = kFront + n_fields;
    if (id.size() != ((n_signed + kMacBytes) * 4 + 2) / 3) return wrong();
    const auto bytes = from_base64url(id);
    if (!bytes || bytes->size() != n_signed + kMacBytes || bytes->front() != kGrantVersion) return wrong();
    const ByteSpan all(*bytes);
    ByteReader in(all.subspan(1));
    XET_TRY(const uint32_t key_id, in.le<uint32_t>());
    const auto* key = find(key_id);
    if (key == nullptr) return wrong();
    if (!equal_in_constant_time(mac_of(*key, domain, all.first(n_signed)), all.subspan(n_signed))) {
      return wrong();
    }
    const auto fields = all.subspan(kFront, n_fields);
    return ByteVector(fields.begin(), fields.end());
  }
  bool is_past(uint64_t expires_at_s) const { return expires_at_s <= unix_seconds(clock.wall_now()); }
};

UrlSigner::UrlSigner(std::unique_ptr<State> state) : state_(std::move(state)) {}
UrlSigner::~UrlSigner() = default;

Result<std::unique_ptr<UrlSigner>> UrlSigner::open(store::MetaStore& meta, const Clock& clock) {
  auto state = std::make_unique<State>(clock);
  XET_TRY(const auto stored, meta.signing_keys(store::KeyPurpose::kUrl, make_secret));
  for (const auto& each : stored) {
    XET_TRY(state->keys.emplace_back(), load_key(each));
  }
  return std::unique_ptr<UrlSigner>(new UrlSigner(std::move(state)));
}

std::string UrlSigner::path_and_query(const DataGrant& grant) const {
  XET_CHECK(!grant.ranges.empty() && grant.ranges.size() <= kMaxRanges);
  const auto& key = state_->keys.back();
  std::string out = fmt::format("{}{}.{}?e={}&k={}&p={}&r=", kDataPath, grant.xorb.hex(), grant.generation,
                                grant.expires_at_s, key.id, grant.repository);
  append_ranges(out, grant.ranges);
  const Mac mac = mac_of(key, kDataDomain, as_byte_span(out));
  out += "&s=";
  append_base64url(out, mac);
  return out;
}

Result<DataGrant> UrlSigner::check(std::string_view path, std::string_view query) const {
  if (path.size() > kMaxUrlBytes || query.size() > kMaxUrlBytes - path.size()) return refused();
  DataGrant out;
  uint32_t key_id = 0;
  UrlReader in(query);
  if (!read_path(path, out) || !in.literal("e=") || !in.number(out.expires_at_s) || !in.literal("&k=") ||
      !in.number(key_id) || !in.literal("&p=") || !in.number(out.repository) || !in.literal("&r=") ||
      !read_ranges(in, out.ranges)) {
    return refused();
  }
  const size_t signed_bytes = query.size() - in.rest().size();
  if (!in.literal("&s=")) return refused();
  const auto mac = from_base64url(in.rest().substr(0, 2 * kMacBytes));
  const auto* key = state_->find(key_id);
  if (!mac || key == nullptr) return refused();
  // Over the bytes as they came: what can be written in two ways (leading zeros, capital digits) is no
  // signed text.
  const std::string text = fmt::format("{}?{}", path, query.substr(0, signed_bytes));
  if (in.rest().size() != (kMacBytes * 4 + 2) / 3 ||
      !equal_in_constant_time(mac_of(*key, kDataDomain, as_byte_span(text)), *mac)) {
    return refused();
  }
  if (state_->is_past(out.expires_at_s)) return fail(ErrorCode::kUnauthorized, "the URL has expired");
  return out;
}

std::string UrlSigner::grant_id(const UploadGrant& grant) const {
  ByteVector fields;
  append_hash(fields, grant.xorb);
  append_le(fields, static_cast<uint64_t>(grant.repository));
  append_le(fields, grant.length);
  append_le(fields, grant.crc64);
  append_le(fields, grant.expires_at_s);
  return state_->seal(kUploadDomain, fields);
}

Result<UploadGrant> UrlSigner::check_grant_id(std::string_view id) const {
  XET_TRY(const auto fields, state_->unseal(kUploadDomain, id, XorbHash::kSize + 4 * 8));
  ByteReader in(fields);
  UploadGrant out;
  XET_TRY(out.xorb, in.hash<XorbHash>());
  XET_TRY(const uint64_t repository, in.le<uint64_t>());
  out.repository = static_cast<store::RepositoryId>(repository);
  XET_TRY(out.length, in.le<uint64_t>());
  XET_TRY(out.crc64, in.le<uint64_t>());
  XET_TRY(out.expires_at_s, in.le<uint64_t>());
  if (state_->is_past(out.expires_at_s)) return expired();
  return out;
}

std::string UrlSigner::file_id(const FileGrant& grant) const {
  ByteVector fields;
  append_hash(fields, grant.file);
  append_le(fields, static_cast<uint64_t>(grant.repository));
  append_le(fields, grant.size_bytes);
  append_le(fields, grant.expires_at_s);
  append_le(fields, static_cast<uint8_t>(grant.sha256 ? 1 : 0));
  append_hash(fields, grant.sha256.value_or(Sha256Digest()));
  return state_->seal(kFileDomain, fields);
}

Result<FileGrant> UrlSigner::check_file_id(std::string_view id) const {
  XET_TRY(const auto fields,
          state_->unseal(kFileDomain, id, FileHash::kSize + 3 * 8 + 1 + Sha256Digest::kSize));
  ByteReader in(fields);
  FileGrant out;
  XET_TRY(out.file, in.hash<FileHash>());
  XET_TRY(const uint64_t repository, in.le<uint64_t>());
  out.repository = static_cast<store::RepositoryId>(repository);
  XET_TRY(out.size_bytes, in.le<uint64_t>());
  XET_TRY(out.expires_at_s, in.le<uint64_t>());
  XET_TRY(const uint8_t has_sha256, in.le<uint8_t>());
  XET_TRY(const auto sha256, in.hash<Sha256Digest>());
  if (has_sha256 != 0) out.sha256 = sha256;
  if (state_->is_past(out.expires_at_s)) return expired();
  return out;
}

std::string UrlSigner::lfs_id(const LfsGrant& grant) const {
  ByteVector fields;
  append_hash(fields, grant.sha256);
  append_le(fields, static_cast<uint64_t>(grant.repository));
  append_le(fields, grant.size_bytes);
  append_le(fields, grant.expires_at_s);
  return state_->seal(kLfsDomain, fields);
}

Result<LfsGrant> UrlSigner::check_lfs_id(std::string_view id) const {
  XET_TRY(const auto fields, state_->unseal(kLfsDomain, id, Sha256Digest::kSize + 3 * 8));
  ByteReader in(fields);
  LfsGrant out;
  XET_TRY(out.sha256, in.hash<Sha256Digest>());
  XET_TRY(const uint64_t repository, in.le<uint64_t>());
  out.repository = static_cast<store::RepositoryId>(repository);
  XET_TRY(out.size_bytes, in.le<uint64_t>());
  XET_TRY(out.expires_at_s, in.le<uint64_t>());
  if (state_->is_past(out.expires_at_s)) return expired();
  return out;
}

}  // namespace xet::core

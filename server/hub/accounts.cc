#include "server/hub/accounts.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "base/text.h"
#include "base/try.h"
#include "hash/sha256.h"
#include "server/core/secret.h"
#include "server/hub/names.h"

namespace xet::hub {

namespace {

// The prefix by which clients and scanners of leaked secrets know a token.
const std::string kPrefix = "hf_";
constexpr size_t kMaxToken = 256;

Sha256Digest hash_of(std::string_view token) {
  return hash::sha256(as_byte_span(token));
}

}  // namespace

bool Identity::holds_in(std::string_view name_space) const {
  return role == store::TokenRole::kAdmin || std::ranges::find(name_spaces, name_space) != name_spaces.end();
}

bool Identity::sees(const store::HubRepository& repository) const {
  return !repository.is_private || holds_in(repository.name_space);
}

bool Identity::may_write(std::string_view name_space) const {
  return role != store::TokenRole::kRead && holds_in(name_space);
}

Done Accounts::add_user(std::string_view name) {
  XET_TRY_STATUS(check_namespace(name));
  if (name == kLocalUser || name == kAdminUser) {
    return refuse(Reason::kInvalid, fmt::format("the user {} is reserved", name));
  }
  XET_TRY(const bool added, store_.add_user(name));
  if (!added) return refuse(Reason::kExists, fmt::format("there is a user {} already", name));
  return {};
}

Outcome<std::string> Accounts::create_token(const NewToken& wanted) {
  store::TokenRow row{.user = wanted.user,
                      .role = wanted.role,
                      .label = wanted.label,
                      .name_spaces = wanted.name_spaces,
                      .expires = wanted.expires,
                      .revoked = {}};
  if (row.name_spaces.empty()) row.name_spaces.push_back(wanted.user);
  for (const auto& name_space : row.name_spaces) XET_TRY_STATUS(check_namespace(name_space));
  XET_TRY(const auto secret, core::make_secret());
  std::string token = kPrefix + to_hex(secret);
  const auto added = store_.add_token(row, hash_of(token));
  if (!added && added.error().code == ErrorCode::kNotFound) {
    return refuse(Reason::kInvalid,
                  fmt::format("there is no user {}; xet admin user add makes one", row.user));
  }
  XET_TRY_STATUS(added);
  return token;
}

Outcome<std::optional<std::string>> Accounts::first_admin_token() {
  XET_TRY(const bool known, store_.has_user(kAdminUser));
  if (known) return std::nullopt;
  XET_TRY(const bool added, store_.add_user(kAdminUser));
  if (!added) return std::nullopt;
  XET_TRY(auto token, create_token({.user = std::string(kAdminUser),
                                    .role = store::TokenRole::kAdmin,
                                    .name_spaces = {},
                                    .label = "first",
                                    .expires = {}}));
  return token;
}

Outcome<Identity> Accounts::identify(std::string_view token) const {
  const auto refused = [] {
    return refuse(Reason::kBadCredentials, "Invalid credentials in Authorization header");
  };
  if (token.size() > kMaxToken) return refused();
  XET_TRY(auto row, store_.find_token(hash_of(token)));
  if (!row || is_over(*row)) return refused();
  Identity out;
  out.user = std::move(row->user);
  out.role = row->role;
  out.name_spaces = std::move(row->name_spaces);
  out.token_id = row->id;
  return out;
}

Outcome<bool> Accounts::is_valid(int64_t token_id) const {
  XET_TRY(const auto row, store_.token(token_id));
  return row && !is_over(*row);
}

Identity Accounts::local() {
  Identity out;
  out.user = kLocalUser;
  out.role = store::TokenRole::kAdmin;
  out.name_spaces = {out.user};
  return out;
}

bool Accounts::is_over(const store::TokenRow& row) const {
  return row.revoked || (row.expires && *row.expires <= unix_milliseconds(clock_.wall_now()));
}

}  // namespace xet::hub

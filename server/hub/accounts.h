#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "server/hub/refusal.h"
#include "server/store/hub_store.h"

namespace xet::hub {

/// Who is asking. Plain value; made by Accounts only.
struct Identity {
  std::string user;  ///< empty: nobody in particular
  store::TokenRole role = store::TokenRole::kRead;
  std::vector<std::string> name_spaces;  ///< where the role holds; of an admin: everywhere
  int64_t token_id = 0;                  ///< 0: there is none

  bool is_anonymous() const { return user.empty(); }
  bool sees(const store::HubRepository& repository) const;
  bool may_write(std::string_view name_space) const;

 private:
  bool holds_in(std::string_view name_space) const;
};

struct NewToken {
  std::string user;
  store::TokenRole role = store::TokenRole::kRead;
  std::vector<std::string> name_spaces;  ///< empty: the user's own
  std::string label;
  std::optional<store::TimeMs> expires;
};

/// Users and their tokens. Tokens are kept as hashes: what was handed out cannot be read again. Thread-safe;
/// calls block.
class Accounts {
 public:
  /// The user who is there without anybody making him: the one of a server that asks for no tokens.
  static constexpr std::string_view kLocalUser = "local";
  static constexpr std::string_view kAdminUser = "admin";

  /// Both must outlive this.
  Accounts(store::HubStore& store, const Clock& clock) : store_(store), clock_(clock) {}

  /// kExists, kInvalid.
  Done add_user(std::string_view name);
  /// The text of a new token: the only time that it is seen. kInvalid for an unknown user.
  Outcome<std::string> create_token(const NewToken& wanted);

  /// Makes the user kAdminUser with a token for everything, unless there is that user: nullopt then. Of
  /// several that ask at the same time one gets it.
  Outcome<std::optional<std::string>> first_admin_token();

  /// The caller who shows this token. kBadCredentials when it is none of ours, expired or revoked; takes
  /// effect at once, also for what another process did.
  Outcome<Identity> identify(std::string_view token) const;
  /// Whether a token may still be used.
  Outcome<bool> is_valid(int64_t token_id) const;
  static Identity nobody() { return {}; }
  /// The one caller of a server that asks for no tokens: may do everything.
  static Identity local();

 private:
  bool is_over(const store::TokenRow& row) const;

  store::HubStore& store_;
  const Clock& clock_;
};

}  // namespace xet::hub

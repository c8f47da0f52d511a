#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "xet/result.h"

namespace xet::hub {

/// Why the Hub does not do what it was asked for. Whoever speaks to clients turns it into a status and a
/// code.
enum class Reason : uint8_t {
  kInvalid,         ///< the request cannot be
  kBadPath,         ///< no repository can have a file of this path
  kBadCredentials,  ///< a token that is none, or no longer one
  kForbidden,       ///< this caller may not do that
  kNoRepository,    ///< there is none, or it is hidden from this caller
  kNoRevision,      ///< no branch, tag or commit of that name
  kNoEntry,         ///< no file or folder of that path
  kExists,          ///< the name is taken
  kMoved,           ///< the branch has another commit than the caller says
  kTooLarge,        ///< more than is taken at once
  kNotHere,         ///< what this server does not do
  kStore,           ///< the store failed: `store` has the error
};

struct Refusal {
  Reason reason = Reason::kStore;
  std::string message;  ///< one sentence, for the caller; no secrets
  Error store;          ///< of kStore

  Refusal(Reason why, std::string text) : reason(why), message(std::move(text)) {}
  /// What the store says is for the log of the server.
  Refusal(Error error) : store(std::move(error)) {}  // NOLINT(google-explicit-constructor): for XET_TRY
};

/// A value, or why there is none. XET_TRY works with it, also on a Result.
template <class T>
using Outcome = tl::expected<T, Refusal>;
using Done = Outcome<void>;

inline tl::unexpected<Refusal> refuse(Reason reason, std::string message) {
  return tl::unexpected<Refusal>(Refusal(reason, std::move(message)));
}

}  // namespace xet::hub

#include <fmt/format.h>

#include "apps/xet/commands.h"
#include "apps/xet/json_line.h"
#include "apps/xet/text.h"
#include "base/clock.h"
#include "server/core/embedded_store.h"
#include "server/hub/accounts.h"

namespace xet::cli {

namespace {

using store::TokenRole;

std::string_view to_string(TokenRole role) {
  switch (role) {
    case TokenRole::kRead:
      return "read";
    case TokenRole::kWrite:
      return "write";
    case TokenRole::kAdmin:
      return "admin";
  }
  return "";
}

/// What the Hub refuses is a mistake in the command.
Error error_of(const hub::Refusal& refusal) {
  if (refusal.reason == hub::Reason::kStore) return refusal.store;
  return {ErrorCode::kInvalidArgument, refusal.message};
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) {
    if (!out.empty()) out += ',';
    out += word;
  }
  return out;
}

std::string_view state_of(const store::TokenRow& row) {
  if (row.revoked) return "revoked";
  return row.expires && *row.expires <= unix_milliseconds(system_clock().wall_now()) ? "expired" : "valid";
}

}  // namespace

void run(Context& context, const AddUserArgs& args) {
  // Users are often made before the server has run for the first time: the store may be new.
  const auto store = core::open_embedded_store(args.data);
  if (!store) return context.fail(store.error());
  const auto added = hub::Accounts(*store->hub, system_clock()).add_user(args.name);
  if (!added) return context.fail(error_of(added.error()));
  context.out().line(args.name);
  context.out().event(JsonLine("user").add("name", args.name));
}

void run(Context& context, const ListUsersArgs& args) {
  const auto store = core::open_embedded_store(args.data, {.create = false});
  if (!store) return context.fail(store.error());
  const auto users = store->hub->users();
  if (!users) return context.fail(users.error());
  for (const auto& user : *users) {
    context.out().line(user.name);
    context.out().event(JsonLine("user").add("name", user.name).add("created_ms", user.created));
  }
}

void run(Context& context, const CreateTokenArgs& args) {
  const auto store = core::open_embedded_store(args.data);
  if (!store) return context.fail(store.error());
  hub::NewToken wanted{
      .user = args.user, .role = args.role, .name_spaces = args.name_spaces, .label = {}, .expires = {}};
  if (args.lifetime)
    wanted.expires = unix_milliseconds(system_clock().wall_now()) + args.lifetime->count() * 1000;
  const auto token = hub::Accounts(*store->hub, system_clock()).create_token(wanted);
  if (!token) return context.fail(error_of(token.error()));
  context.out().line(*token);
  context.out().event(JsonLine("token").add("token", *token));
}

void run(Context& context, const ListTokensArgs& args) {
  const auto store = core::open_embedded_store(args.data, {.create = false});
  if (!store) return context.fail(store.error());
  const auto tokens = store->hub->tokens();
  if (!tokens) return context.fail(tokens.error());
  for (const auto& token : *tokens) {
    const auto name_spaces =
        token.role == TokenRole::kAdmin ? std::string("everywhere") : joined(token.name_spaces);
    context.out().line(fmt::format("{:>6}  {:<20} {:<6} {:<20} {}", token.id, token.user,
                                   to_string(token.role), name_spaces, state_of(token)));
    context.out().event(JsonLine("token")
                            .add("id", token.id)
                            .add("user", token.user)
                            .add("role", to_string(token.role))
                            .add("namespaces", name_spaces)
                            .add("state", state_of(token)));
  }
}

void run(Context& context, const RevokeTokenArgs& args) {
  const auto store = core::open_embedded_store(args.data, {.create = false});
  if (!store) return context.fail(store.error());
  const auto revoked = store->hub->revoke_token(args.id);
  if (!revoked) return context.fail(revoked.error());
  if (!*revoked) {
    return context.fail({ErrorCode::kNotFound, fmt::format("there is no valid token {}", args.id)});
  }
  context.out().event(JsonLine("revoked").add("id", args.id));
}

}  // namespace xet::cli

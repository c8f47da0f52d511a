#include <fmt/format.h>

#include "apps/xet/commands.h"
#include "apps/xet/json_line.h"
#include "apps/xet/names.h"
#include "apps/xet/text.h"
#include "base/clock.h"
#include "base/random.h"
#include "server/core/embedded_store.h"
#include "server/core/tokens.h"

namespace xet::cli {

namespace {

Result<core::EmbeddedStore> open_existing(const std::string& directory) {
  return core::open_embedded_store(directory, {.create = false});
}

Result<std::string> make_token(const AdminTokenArgs& args) {
  // A token is often made before the server has run for the first time: the store may be new.
  XET_TRY(const auto store, core::open_embedded_store(args.data));
  core::CasClaims claims;
  if (!args.repository.empty()) {
    XET_TRY(claims.repository, store.service->repository(args.repository, /*create=*/true));
    claims.repository_name = args.repository;
  }
  claims.scope = args.may_write ? core::Scope::kWrite : core::Scope::kRead;
  claims.expires_at_s =
      unix_seconds(system_clock().wall_now()) + static_cast<uint64_t>(args.lifetime.count());
  claims.principal = "admin";
  claims.id = random_hex(16);
  XET_TRY(const auto authority, core::TokenAuthority::open(store.service->meta(), system_clock()));
  return authority->issue(claims);
}

}  // namespace

void run(Context& context, const AdminTokenArgs& args) {
  const auto token = make_token(args);
  if (!token) return context.fail(token.error());
  context.out().line(*token);
  context.out().event(JsonLine("token").add("token", *token));
}

void run(Context& context, const AdminStatsArgs& args) {
  const auto store = open_existing(args.data);
  if (!store) return context.fail(store.error());
  const auto stats = store->service->stats();
  if (!stats) return context.fail(stats.error());
  auto& out = context.out();
  const auto row = [&](std::string_view label, uint64_t count) {
    out.line(fmt::format("{:<14}{:>16}", label, count));
  };
  const auto bytes = [&](std::string_view label, uint64_t count) {
    out.line(fmt::format("{:<14}{:>16} bytes  {:>9}", label, count, human_bytes(count)));
  };
  row("repositories", stats->repositories);
  row("files", stats->files);
  row("shards", stats->shards);
  row("xorbs", stats->xorbs);
  bytes("logical", stats->logical_bytes);
  bytes("deduplicated", stats->unpacked_bytes);
  bytes("stored", stats->stored_bytes);
  if (stats->free_bytes) bytes("free", *stats->free_bytes);
  JsonLine event("store");
  event.add("repositories", stats->repositories)
      .add("files", stats->files)
      .add("shards", stats->shards)
      .add("xorbs", stats->xorbs)
      .add("logical_bytes", stats->logical_bytes)
      .add("unpacked_bytes", stats->unpacked_bytes)
      .add("stored_bytes", stats->stored_bytes);
  if (stats->free_bytes) {
    event.add("free_bytes", *stats->free_bytes);
  } else {
    event.add_null("free_bytes");
  }
  out.event(event);
}

void run(Context& context, const AdminFsckArgs& args) {
  const auto store = open_existing(args.data);
  if (!store) return context.fail(store.error());
  auto& out = context.out();
  const auto report = [&](const core::FsckFinding& finding) {
    out.line(fmt::format("{}: {}: {}", core::to_string(finding.kind), one_line(finding.object),
                         one_line(finding.message)));
    out.event(JsonLine("finding")
                  .add("kind", core::to_string(finding.kind))
                  .add("object", finding.object)
                  .add("message", finding.message));
  };
  const auto summary = store->service->fsck({.deep = args.deep}, report, context.signals().token());
  if (!summary) return context.fail(summary.error());
  out.line(fmt::format("{} xorbs, {} shards, {} files, {} objects{}: {}", summary->xorbs, summary->shards,
                       summary->files, summary->objects,
                       args.deep ? fmt::format(", {} read", human_bytes(summary->bytes_read)) : "",
                       summary->sound() ? "sound" : fmt::format("{} damages", summary->damages)));
  if (summary->orphans > 0) {
    out.line(fmt::format("{} objects that nothing refers to take {}", summary->orphans,
                         human_bytes(summary->orphan_bytes)));
  }
  out.event(JsonLine("fsck")
                .add("xorbs", summary->xorbs)
                .add("shards", summary->shards)
                .add("files", summary->files)
                .add("objects", summary->objects)
                .add("bytes_read", summary->bytes_read)
                .add("damages", summary->damages)
                .add("orphans", summary->orphans)
                .add("orphan_bytes", summary->orphan_bytes)
                .add("seconds", context.seconds()));
  if (!summary->sound()) {
    context.fail({ErrorCode::kCorruption,
                  fmt::format("the store in {} is damaged: {} findings", args.data, summary->damages)});
  }
}

}  // namespace xet::cli

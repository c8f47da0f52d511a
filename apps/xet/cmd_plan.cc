#include <fmt/format.h>

#include "apps/xet/commands.h"
#include "apps/xet/text.h"
#include "apps/xet/upload_files.h"

namespace xet::cli {

void run(Context& context, const PlanArgs& args) {
  const auto client = context.open_store(StoreUse::kPlan);
  if (!client) return context.fail(client.error());
  const auto names = collect_sources(context, args.paths, /*recursive=*/true);
  const auto planned = upload_files(context, *client, names, /*dry_run=*/true, Sha256Policy::kSkip);
  if (!planned.committed) return;

  print_plan(context.out(), planned.files, summary_of(planned, context.seconds()));
}

void print_plan(Output& out, const std::vector<FileReport>& files, Summary sums) {
  if (out.json()) {
    for (const auto& file : files) out.file({file.name, file.hash, file.size_bytes, file.sha256});
  }
  sums.wire_bytes = 0;  // whatever an upload would send, a plan sends nothing
  const auto row = [&](std::string_view label, uint64_t bytes) {
    out.line(fmt::format("{:<11}{:>16} bytes  {:>9}", label, bytes, human_bytes(bytes)));
  };
  out.line(fmt::format("{:<11}{:>16}", "files", sums.files));
  row("logical", sums.logical_bytes);
  row("duplicate", sums.deduplicated_bytes);
  row("new", sums.new_bytes);
  row("compressed", sums.compressed_bytes);
  out.summary_event(sums);
}

}  // namespace xet::cli

#include <fmt/format.h>

#include "apps/xet/commands.h"
#include "apps/xet/text.h"
#include "apps/xet/upload_files.h"

namespace xet::cli {

void run(Context& context, const UploadArgs& args) {
  const auto client = context.open_store(StoreUse::kWrite);
  if (!client) return context.fail(client.error());
  const auto names = collect_sources(context, args.paths, args.recursive);
  const auto uploaded = upload_files(context, *client, names, /*dry_run=*/false,
                                     args.sha256 ? Sha256Policy::kCompute : Sha256Policy::kSkip);
  if (!uploaded.committed) return;
  // Everything listed from here on is durable in the store: commit() has returned.
  for (const auto& file : uploaded.files) {
    context.out().file({file.name, file.hash, file.size_bytes, file.sha256});
  }
  const Summary sums = summary_of(uploaded, context.seconds());
  context.out().summary_event(sums);
  if (uploaded.files.empty()) return;
  context.out().note(sentence_of(sums));
}

}  // namespace xet::cli

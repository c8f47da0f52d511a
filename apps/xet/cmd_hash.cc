#include <algorithm>

#include "apps/xet/commands.h"
#include "apps/xet/progress.h"
#include "apps/xet/upload_files.h"
#include "xet/upload.h"

namespace xet::cli {

void run(Context& context, const HashArgs& args) {
  const auto client = context.open_without_store();
  if (!client) return context.fail(client.error());
  const auto names = collect_sources(context, args.paths, /*recursive=*/true);

  auto& out = context.out();
  Summary sums;
  if (!names.empty()) {
    std::vector<std::filesystem::path> paths;
    paths.reserve(names.size());
    for (const auto& name : names) paths.emplace_back(name == "-" ? "/dev/stdin" : name);
    ProgressPrinter progress(out, context.options(), "hashing");
    auto reports = hash_files(
        *client, paths,
        {.sha256 = args.sha256 ? Sha256Policy::kCompute : Sha256Policy::kSkip, .provided_sha256 = {}},
        context.session_options(&progress));
    progress.finish();
    for (size_t i = 0; i < reports.size(); ++i) {
      if (!reports[i]) {
        context.fail(source_error(std::move(reports[i]).error()), names[i]);
        continue;
      }
      const auto& report = *reports[i];
      out.file({names[i], report.hash, report.size_bytes, report.sha256});
      ++sums.files;
      sums.logical_bytes += report.size_bytes;
    }
  }
  sums.seconds = context.seconds();
  out.summary_event(sums);
}

}  // namespace xet::cli

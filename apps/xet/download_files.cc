#include "apps/xet/download_files.h"

#include <fmt/format.h>

#include <filesystem>

#include "apps/xet/progress.h"
#include "apps/xet/text.h"

namespace xet::cli {

Status check_output_file(const std::string& output) {
  std::error_code error;
  if (!std::filesystem::is_directory(output, error)) return {};
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("{} is a directory: -o wants the name of the file", output));
}

void download_files(Context& context, const std::shared_ptr<Client>& client,
                    const std::vector<NamedDownload>& wanted, Summary& sums) {
  if (wanted.empty()) return;
  ProgressPrinter progress(context.out(), context.options(), "downloading");
  DownloadSession session(client, {.session = context.session_options(&progress), .gate = {}});
  for (const auto& one : wanted) session.add(one.request);
  const auto results = session.wait();
  progress.finish();
  for (size_t i = 0; i < results.size(); ++i) {
    const auto& one = wanted[i];
    if (!results[i]) {
      context.fail(results[i].error(), one.name);
      continue;
    }
    context.out().file({one.name, one.request.file, results[i]->size_bytes, one.request.sha256});
    ++sums.files;
    sums.logical_bytes += results[i]->size_bytes;
    if (results[i]->size_bytes == 0 && one.request.range && !one.request.file.is_zero()) {
      note_range_past_end(context, *client, one.request.file);
    }
  }
  sums.wire_bytes += progress.last().transfer_bytes;
}

void report_download(Context& context, Summary sums) {
  sums.seconds = context.seconds();
  context.out().summary_event(sums);
  if (sums.files == 0) return;
  context.out().note(fmt::format("{} {}, {}; {} received; {}, {}", sums.files,
                                 sums.files == 1 ? "file" : "files", human_bytes(sums.logical_bytes),
                                 human_bytes(sums.wire_bytes), human_seconds(sums.seconds),
                                 human_rate(sums.logical_bytes, sums.seconds)));
}

}  // namespace xet::cli

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <utility>

#include "apps/xet/commands.h"
#include "apps/xet/fd_io.h"
#include "apps/xet/manifest.h"
#include "apps/xet/names.h"
#include "apps/xet/progress.h"
#include "apps/xet/text.h"
#include "apps/xet/upload_files.h"
#include "base/try.h"
#include "io/file.h"
#include "xet/download.h"

namespace xet::cli {

namespace {

namespace fs = std::filesystem;

Result<std::vector<ManifestEntry>> read_manifest(Context& context, const std::string& name) {
  io::File file;
  int fd = STDIN_FILENO;
  if (name != "-") {
    auto opened = io::File::open_read(name);
    if (!opened) return tl::unexpected(source_error(std::move(opened).error()));
    file = *std::move(opened);
    fd = file.fd();
  }
  ManifestReader reader(one_line(name));
  ByteVector buffer(64 * 1024);
  while (true) {
    XET_TRY(const size_t n, read_or_stop(fd, buffer, context.signals().wake_fd(), name));
    if (n == 0) return reader.finish();
    XET_TRY_STATUS(reader.feed(ByteSpan(buffer).first(n)));
  }
}

struct Wanted {
  std::string name;  ///< as reported
  DownloadRequest request;
};

Result<std::vector<Wanted>> wanted_files(Context& context, const DownloadArgs& args) {
  std::vector<Wanted> out;
  if (args.file) {
    std::error_code error;
    if (fs::is_directory(args.output, error)) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("{} is a directory: -o wants the name of the file", args.output));
    }
    out.push_back({args.output,
                   {.file = *args.file,
                    .destination = args.output,
                    .size_bytes = {},
                    .range = args.range,
                    .sha256 = {}}});
    return out;
  }
  XET_TRY(const auto entries, read_manifest(context, args.manifest));
  out.reserve(entries.size());
  for (const auto& entry : entries) {
    out.push_back({entry.name,
                   {.file = entry.file,
                    .destination = fs::path(args.directory) / entry.path,
                    .size_bytes = entry.size_bytes,
                    .range = {},
                    .sha256 = entry.sha256}});
  }
  return out;
}

}  // namespace

void run(Context& context, const DownloadArgs& args) {
  if (args.file && args.output == "-") return run(context, CatArgs{.file = *args.file, .range = args.range});
  auto& out = context.out();
  const auto client = context.open_store(StoreUse::kRead);
  if (!client) return context.fail(client.error());
  auto wanted = wanted_files(context, args);
  if (!wanted) return context.fail(wanted.error());

  Summary sums;
  if (!wanted->empty()) {
    ProgressPrinter progress(out, context.options(), "downloading");
    DownloadSession session(*client, {.session = context.session_options(&progress)});
    for (const auto& one : *wanted) session.add(one.request);
    const auto results = session.wait();
    progress.finish();
    for (size_t i = 0; i < results.size(); ++i) {
      const auto& one = (*wanted)[i];
      if (!results[i]) {
        context.fail(results[i].error(), one.name);
        continue;
      }
      out.file({one.name, one.request.file, results[i]->size_bytes, one.request.sha256});
      ++sums.files;
      sums.logical_bytes += results[i]->size_bytes;
      if (results[i]->size_bytes == 0 && one.request.range && !one.request.file.is_zero()) {
        note_range_past_end(context, **client, one.request.file);
      }
    }
    sums.wire_bytes = progress.last().transfer_bytes;
  }
  sums.seconds = context.seconds();
  out.summary_event(sums);
  if (sums.files == 0) return;
  out.note(fmt::format("{} {}, {}; {} received; {}, {}", sums.files, sums.files == 1 ? "file" : "files",
                       human_bytes(sums.logical_bytes), human_bytes(sums.wire_bytes),
                       human_seconds(sums.seconds), human_rate(sums.logical_bytes, sums.seconds)));
}

}  // namespace xet::cli

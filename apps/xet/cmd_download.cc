#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <utility>

#include "apps/xet/commands.h"
#include "apps/xet/download_files.h"
#include "apps/xet/fd_io.h"
#include "apps/xet/manifest.h"
#include "apps/xet/names.h"
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

Result<std::vector<NamedDownload>> wanted_files(Context& context, const DownloadArgs& args) {
  std::vector<NamedDownload> out;
  if (args.file) {
    XET_TRY_STATUS(check_output_file(args.output));
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
  const auto client = context.open_store(StoreUse::kRead);
  if (!client) return context.fail(client.error());
  const auto wanted = wanted_files(context, args);
  if (!wanted) return context.fail(wanted.error());

  Summary sums;
  download_files(context, *client, *wanted, sums);
  report_download(context, sums);
}

}  // namespace xet::cli

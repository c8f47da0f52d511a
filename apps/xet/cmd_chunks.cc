#include <fmt/format.h>

#include "apps/xet/commands.h"
#include "apps/xet/progress.h"
#include "apps/xet/upload_files.h"
#include "xet/upload.h"

namespace xet::cli {

void run(Context& context, const ChunksArgs& args) {
  const auto client = context.open_without_store();
  if (!client) return context.fail(client.error());
  // For its judgement of what can be read; a directory has no chunks.
  const auto names = collect_sources(context, {args.path}, /*recursive=*/false);

  auto& out = context.out();
  Summary sums;
  if (!names.empty()) {
    const auto on_chunks = [&](std::span<const FileChunk> chunks) {
      for (const auto& chunk : chunks) {
        if (out.json()) {
          out.event(JsonLine("chunk")
                        .add("offset", chunk.offset)
                        .add("length", chunk.len_bytes)
                        .add("hash", chunk.hash.hex()));
        } else {
          out.line(fmt::format("{} {} {}", chunk.offset, chunk.len_bytes, chunk.hash.hex()));
        }
      }
      // Nobody reads the rest (`xet chunks F | head`): do not chunk terabytes for nothing.
      if (out.write_error() != 0) context.signals().request_stop();
    };
    ProgressPrinter progress(out, context.options(), "chunking");
    const auto report = chunk_file(*client, args.path == "-" ? "/dev/stdin" : args.path, on_chunks,
                                   context.session_options(&progress));
    progress.finish();
    if (report) {
      if (out.json()) out.file({args.path, report->hash, report->size_bytes, report->sha256});
      sums.files = 1;
      sums.logical_bytes = report->size_bytes;
    } else {
      context.fail(source_error(report.error()), args.path);
    }
  }
  sums.seconds = context.seconds();
  out.summary_event(sums);
}

}  // namespace xet::cli

#include "apps/xet/upload_files.h"

#include <fmt/format.h>
#include <unistd.h>

#include <utility>

#include "apps/xet/fd_io.h"
#include "apps/xet/names.h"
#include "apps/xet/progress.h"
#include "apps/xet/text.h"
#include "apps/xet/walk.h"
#include "base/try.h"

namespace xet::cli {

std::vector<std::string> collect_sources(Context& context, const std::vector<std::string>& paths,
                                         bool recursive) {
  return collect_files(
      paths, {.recursive = recursive, .stop = context.signals().token(), .store = context.local_store()},
      [&](const Error& error, const std::string& name) { context.fail(error, name); },
      [&](const std::string& name) {
        context.out().note(fmt::format("note: {} is the store itself: left out", one_line(name)));
      });
}

Error source_error(Error error) {
  if (error.code == ErrorCode::kNotFound) error.code = ErrorCode::kIo;
  return error;
}

namespace {

Status feed_stdin(Context& context, UploadStream& stream) {
  ByteVector buffer(size_t{1} << 20);
  while (true) {
    XET_TRY(const size_t n, read_or_stop(STDIN_FILENO, buffer, context.signals().wake_fd(), "stdin"));
    if (n == 0) return stream.finish();
    XET_TRY_STATUS(stream.write(ByteSpan(buffer).first(n)));
  }
}

}  // namespace

UploadedFiles upload_files(Context& context, const std::shared_ptr<Client>& client,
                           const std::vector<std::string>& names, bool dry_run, Sha256Policy sha256) {
  UploadedFiles out;
  out.committed = names.empty();
  if (names.empty()) return out;
  ProgressPrinter progress(context.out(), context.options(), dry_run ? "planning" : "uploading");
  UploadSession session(client, {.session = context.session_options(&progress), .dry_run = dry_run});
  const FileOptions file_options{.sha256 = sha256, .provided_sha256 = {}};
  Status stdin_status;
  for (const auto& name : names) {
    if (name != "-") {
      session.add_file(name, file_options);
      continue;
    }
    auto stream = session.add_stream(name, file_options);
    stdin_status = feed_stdin(context, stream);
    // A stream that is dropped unfinished fails its file; the cause is better than that message.
    if (!stdin_status && stdin_status.error().code == ErrorCode::kCancelled) break;
  }
  auto report = session.commit();
  progress.finish();
  if (!report) {
    context.fail(report.error());
    return out;
  }
  out.committed = true;
  out.metrics = report->metrics;
  out.files.reserve(names.size());
  for (size_t i = 0; i < report->files.size(); ++i) {
    auto& file = report->files[i];
    if (file) {
      out.files.push_back(*std::move(file));
      out.files.back().name = names[i];
    } else if (names[i] == "-" && !stdin_status) {
      context.fail(stdin_status.error(), names[i]);
    } else {
      context.fail(source_error(std::move(file).error()), names[i]);
    }
  }
  return out;
}

Summary summary_of(const UploadedFiles& uploaded, double seconds) {
  const auto& m = uploaded.metrics;
  return {.files = uploaded.files.size(),
          .logical_bytes = m.total_bytes,
          .deduplicated_bytes = m.deduped_bytes,
          .new_bytes = m.new_bytes,
          .compressed_bytes = m.compressed_bytes,
          .wire_bytes = m.total_bytes_uploaded,
          .seconds = seconds};
}

std::string sentence_of(const Summary& sums) {
  return fmt::format("{} {}, {}: {} duplicate, {} new ({} compressed), {} sent; {}, {}", sums.files,
                     sums.files == 1 ? "file" : "files", human_bytes(sums.logical_bytes),
                     human_bytes(sums.deduplicated_bytes), human_bytes(sums.new_bytes),
                     human_bytes(sums.compressed_bytes), human_bytes(sums.wire_bytes),
                     human_seconds(sums.seconds), human_rate(sums.logical_bytes, sums.seconds));
}

}  // namespace xet::cli

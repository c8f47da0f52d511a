#pragma once

#include <memory>
#include <string>
#include <vector>

#include "apps/xet/context.h"
#include "xet/upload.h"

namespace xet::cli {

/// The files that the paths of a command mean; what cannot be read is reported and left out.
std::vector<std::string> collect_sources(Context& context, const std::vector<std::string>& paths,
                                         bool recursive);

/// A failure to read a source: a missing one is a local failure, not something the store does not have.
Error source_error(Error error);

/// What `upload` and `plan` share: feeds the files (and stdin, for "-") to a session and waits for its end.
/// Failed files are reported here; the result has the files that are done, with the names of `names`.
struct UploadedFiles {
  bool committed = false;  ///< false: the session failed as a whole, and nothing of it counts
  std::vector<FileReport> files;
  DeduplicationMetrics metrics;
};
UploadedFiles upload_files(Context& context, const std::shared_ptr<Client>& client,
                           const std::vector<std::string>& names, bool dry_run, Sha256Policy sha256);

/// The table of `plan`, and its events.
void print_plan(Output& out, const std::vector<FileReport>& files, Summary sums);

Summary summary_of(const UploadedFiles& uploaded, double seconds);
/// What became of an upload, for people.
std::string sentence_of(const Summary& sums);

}  // namespace xet::cli

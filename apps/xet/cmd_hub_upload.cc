#include <fmt/format.h>

#include <cstdint>
#include <utility>

#include "apps/xet/commands.h"
#include "apps/xet/hub_files.h"
#include "apps/xet/names.h"
#include "apps/xet/text.h"
#include "apps/xet/upload_files.h"
#include "base/try.h"
#include "io/file.h"

namespace xet::cli {

namespace {

// Of one commit; more becomes several. The content of regular files is in memory, in the body of the request.
constexpr uint64_t kMaxRegularBytes = uint64_t{64} << 20;
constexpr size_t kMaxFiles = 20'000;

/// A file that is in the store, or in the body of the next commit.
struct Ready {
  std::string name;
  uint64_t size_bytes = 0;
  std::optional<FileHash> hash;        ///< in the store
  std::optional<Sha256Digest> sha256;  ///< in the store
  std::string git_id;                  ///< in the commit
};

bool is_regular(const HubSource& source) {
  return source.treatment.is_regular;
}

/// Names of those that go into the store, or of those that do not.
std::vector<const HubSource*> of_kind(const std::vector<HubSource>& sources, bool regular) {
  std::vector<const HubSource*> out;
  for (const auto& source : sources) {
    if (is_regular(source) == regular) out.push_back(&source);
  }
  return out;
}

std::vector<std::string> names_of(const std::vector<const HubSource*>& sources) {
  std::vector<std::string> out;
  out.reserve(sources.size());
  for (const auto* source : sources) out.push_back(source->name);
  return out;
}

/// Puts the large files into the store; failures are reported.
UploadedFiles store_files(Context& context, const Hub& hub, const std::vector<const HubSource*>& large,
                          Sha256Policy sha256) {
  if (large.empty()) return {};
  const auto client = hub.connect(Hub::Access::kWrite, context.stop());
  if (!client) {
    context.fail(client.error());
    return {};
  }
  return upload_files(context, *client, names_of(large), /*dry_run=*/false, sha256);
}

/// The lines of commits, one batch after the other.
class Committer {
 public:
  Committer(Context& context, const Hub& hub, std::string message)
      : context_(context), hub_(hub), message_(std::move(message)) {}

  /// One that is in the store.
  Status add(const HubSource& source, const FileReport& report) {
    ready_.push_back({source.name, report.size_bytes, report.hash, report.sha256, {}});
    if (report.sha256 && report.sha256->hex() == source.treatment.current_id) return {};
    return put({.path = source.path,
                .content = {},
                .file = report.hash,
                .sha256 = report.sha256,
                .size_bytes = report.size_bytes,
                .modified_ms = source.modified_ms});
  }

  /// One that travels in the commit.
  Status add_regular(const HubSource& source) {
    auto content = io::read_file(source.name, UINT64_MAX);
    if (!content) return tl::unexpected(source_error(std::move(content).error()));
    ready_.push_back({source.name, content->size(), {}, {}, git_blob_id(*content)});
    if (ready_.back().git_id == source.treatment.current_id) return {};
    regular_bytes_ += content->size();
    return put({.path = source.path, .content = *std::move(content)});
  }

  Status flush() {
    if (additions_.empty()) return {};
    XET_TRY(auto commit, hub_.commit(additions_, message_, context_.stop()));
    commits_.push_back(std::move(commit));
    additions_.clear();
    regular_bytes_ = 0;
    return {};
  }

  const std::vector<std::string>& commits() const { return commits_; }
  const std::vector<Ready>& ready() const { return ready_; }

 private:
  Status put(HubAddition addition) {
    additions_.push_back(std::move(addition));
    if (regular_bytes_ < kMaxRegularBytes && additions_.size() < kMaxFiles) return {};
    return flush();
  }

  Context& context_;
  const Hub& hub_;
  const std::string message_;
  std::vector<Ready> ready_;
  std::vector<HubAddition> additions_;  // of the next commit
  uint64_t regular_bytes_ = 0;          // in these
  std::vector<std::string> commits_;
};

void report(Context& context, const Hub& hub, const Committer& committer, const Summary& sums) {
  auto& out = context.out();
  for (const auto& each : committer.ready()) {
    out.file({.name = each.name,
              .hash = each.hash,
              .size_bytes = each.size_bytes,
              .sha256 = each.sha256,
              .git_id = each.git_id});
  }
  for (const auto& commit : committer.commits()) {
    if (!commit.empty())
      out.event(JsonLine("commit").add("revision", hub.address().revision).add("id", commit));
  }
  out.summary_event(sums);
  if (committer.commits().empty()) {
    out.note("nothing changed: no commit was made");
    return;
  }
  const std::string& last = committer.commits().back();
  out.note(fmt::format("{}{}{}", sentence_of(sums), last.empty() ? "" : "; commit ", last));
}

/// Files that travel in commits are new as a whole, and are not compressed.
void add_regular(Summary& sums, uint64_t size_bytes, bool is_sent) {
  ++sums.files;
  sums.logical_bytes += size_bytes;
  sums.new_bytes += size_bytes;
  sums.compressed_bytes += size_bytes;
  if (is_sent) sums.wire_bytes += size_bytes;
}

}  // namespace

void run(Context& context, const HubUploadArgs& args) {
  const auto hub = context.open_hub();
  if (!hub) return context.fail(hub.error());
  const bool is_bucket = (*hub)->address().kind == HubKind::kBucket;
  if (!args.sha256 && !is_bucket)
    return context.fail(
        {ErrorCode::kInvalidArgument, "--no-sha256 is for buckets: commits name files by it"});
  const auto stop = context.stop();
  auto sources = collect_hub_sources(context, args.paths, args.recursive, args.to);
  // A commit is all that was asked for, or nothing.
  if (context.has_failed() || sources.empty()) return;
  if (args.create) {
    if (const auto made = (*hub)->create(stop); !made) return context.fail(made.error());
  }
  if (const auto asked = ask_treatment(context, **hub, sources); !asked) return context.fail(asked.error());
  if (context.has_failed()) return;

  const auto uploaded = store_files(context, **hub, of_kind(sources, false),
                                    args.sha256 ? Sha256Policy::kCompute : Sha256Policy::kSkip);
  if (context.has_failed()) return;
  Committer committer(context, **hub, args.message);
  size_t n_stored = 0;
  for (const auto& source : sources) {
    const auto added = is_regular(source) ? committer.add_regular(source)
                                          : committer.add(source, uploaded.files[n_stored++]);
    if (!added) return context.fail(added.error(), source.name);
  }
  if (const auto done = committer.flush(); !done) return context.fail(done.error());
  Summary sums = summary_of(uploaded, context.seconds());
  for (const auto& each : committer.ready()) {
    if (!each.hash) add_regular(sums, each.size_bytes, /*is_sent=*/true);
  }
  report(context, **hub, committer, sums);
}

void run(Context& context, const HubPlanArgs& args) {
  const auto hub = context.open_hub();
  if (!hub) return context.fail(hub.error());
  auto sources = collect_hub_sources(context, args.paths, /*recursive=*/true, args.to);
  if (context.has_failed()) return;
  if (const auto asked = ask_treatment(context, **hub, sources); !asked) return context.fail(asked.error());
  // Only who may upload is told which chunks are there.
  auto client = (*hub)->connect(Hub::Access::kWrite, context.stop());
  if (!client && client.error().code == ErrorCode::kUnauthorized)
    client = (*hub)->connect(Hub::Access::kRead, context.stop());
  if (!client) return context.fail(client.error());
  const auto planned = upload_files(context, *client, names_of(of_kind(sources, false)), /*dry_run=*/true,
                                    Sha256Policy::kSkip);
  if (!planned.committed) return;
  Summary sums = summary_of(planned, context.seconds());
  for (const auto* each : of_kind(sources, true)) add_regular(sums, each->size_bytes, /*is_sent=*/false);
  print_plan(context.out(), planned.files, sums);
}

}  // namespace xet::cli

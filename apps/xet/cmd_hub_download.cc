#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <map>
#include <thread>
#include <utility>

#include "apps/xet/commands.h"
#include "apps/xet/download_files.h"
#include "apps/xet/manifest.h"
#include "apps/xet/names.h"
#include "apps/xet/stdout_content.h"
#include "base/try.h"
#include "io/file.h"
#include "xet/download.h"

namespace xet::cli {

namespace {

namespace fs = std::filesystem;

/// At once, of those that the Hub hands out itself: most of their time is waiting.
constexpr size_t kRegularAtOnce = 8;

/// A repository at one commit.
struct Snapshot {
  std::shared_ptr<Hub> hub;
  std::string commit;
};

Result<Snapshot> open_snapshot(Context& context) {
  XET_TRY(auto hub, context.open_hub());
  XET_TRY(auto commit, hub->head(context.stop()));
  return Snapshot{std::move(hub), std::move(commit)};
}

struct Wanted {
  HubFile file;
  fs::path destination;
};

tl::unexpected<Error> not_one_file(std::string_view path) {
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("'{}' is a folder of the repository, not a file", one_line(path)));
}

Result<HubFile> one_file(Context& context, const Snapshot& from, const std::string& path) {
  XET_TRY(auto files, from.hub->files(from.commit, path, context.stop()));
  if (files.size() != 1 || files.front().path != path) return not_one_file(path);
  return std::move(files.front());
}

Result<std::vector<Wanted>> wanted_files(Context& context, const Snapshot& from,
                                         const HubDownloadArgs& args) {
  std::vector<Wanted> out;
  if (!args.output.empty()) {
    XET_TRY(auto file, one_file(context, from, args.paths.front()));
    out.push_back({std::move(file), args.output});
    return out;
  }
  std::map<std::string, HubFile> by_path;  // what is asked for twice is fetched once
  const auto paths = args.paths.empty() ? std::vector<std::string>{""} : args.paths;
  for (const auto& path : paths) {
    XET_TRY(auto files, from.hub->files(from.commit, path, context.stop()));
    for (auto& file : files) {
      auto place = safe_relative_path(file.path);
      if (!place)
        return fail(
            ErrorCode::kCorruption,
            fmt::format("the Hub lists a file '{}', which would not lie below {}; nothing was downloaded",
                        one_line(file.path), one_line(args.directory)));
      by_path.emplace(*std::move(place), std::move(file));
    }
  }
  for (auto& [place, file] : by_path) out.push_back({std::move(file), fs::path(args.directory) / place});
  return out;
}

/// One that the Hub hands out itself; it appears when it is complete and compared.
Status fetch_regular(const Snapshot& from, const Wanted& wanted, std::optional<FileRange> range,
                     const std::stop_token& stop) {
  if (const auto parent = wanted.destination.parent_path(); !parent.empty())
    XET_TRY_STATUS(io::create_directories(parent));
  XET_TRY(auto out, io::AtomicFile::create(wanted.destination));
  uint64_t at = 0;
  const auto sink = [&](ByteSpan bytes) -> Status {
    XET_TRY_STATUS(out.file().write_at(at, bytes));
    at += bytes.size();
    return {};
  };
  XET_TRY([[maybe_unused]] const auto n, from.hub->read(from.commit, wanted.file, range, sink, stop));
  XET_TRY([[maybe_unused]] const bool placed, out.publish(io::AtomicFile::Durability::kFile));
  return {};
}

/// In the order of `wanted`.
std::vector<Status> fetch_all_regular(Context& context, const Snapshot& from,
                                      const std::vector<const Wanted*>& wanted,
                                      std::optional<FileRange> range) {
  std::vector<Status> out(wanted.size());
  std::atomic<size_t> next{0};
  const auto stop = context.stop();
  std::vector<std::jthread> threads;
  for (size_t i = 0; i < std::min(kRegularAtOnce, wanted.size()); ++i) {
    threads.emplace_back([&] {
      for (size_t mine = next++; mine < wanted.size(); mine = next++)
        out[mine] = fetch_regular(from, *wanted[mine], range, stop);
    });
  }
  threads.clear();
  return out;
}

uint64_t delivered_bytes(const HubFile& file, std::optional<FileRange> range) {
  if (!range) return file.size_bytes;
  const uint64_t begin = std::min(range->begin, file.size_bytes);
  return std::max(begin, std::min(range->end, file.size_bytes)) - begin;
}

void note_past_end(Context& context, const HubFile& file, std::optional<FileRange> range) {
  if (range && range->begin >= file.size_bytes && file.size_bytes > 0)
    note_range_past_end(context, file.size_bytes);
}

/// As reported.
const std::string& name_of(const Wanted& wanted, const HubDownloadArgs& args) {
  return args.output.empty() ? wanted.file.path : args.output;
}

/// Fetches those that the Hub hands out itself, reports each, and adds what is done to the sums.
void download_regular(Context& context, const Snapshot& from, const std::vector<const Wanted*>& wanted,
                      const HubDownloadArgs& args, Summary& sums) {
  const auto fetched = fetch_all_regular(context, from, wanted, args.range);
  for (size_t i = 0; i < wanted.size(); ++i) {
    const auto& name = name_of(*wanted[i], args);
    if (!fetched[i]) {
      context.fail(fetched[i].error(), name);
      continue;
    }
    const auto& file = wanted[i]->file;
    const uint64_t n = delivered_bytes(file, args.range);
    context.out().file(
        {.name = name, .hash = {}, .size_bytes = n, .sha256 = file.sha256, .git_id = file.git_id});
    ++sums.files;
    sums.logical_bytes += n;
    sums.wire_bytes += n;
    note_past_end(context, file, args.range);
  }
}

}  // namespace

void run(Context& context, const HubDownloadArgs& args) {
  if (args.output == "-") return run(context, HubCatArgs{.path = args.paths.front(), .range = args.range});
  if (const auto checked = check_output_file(args.output); !checked) return context.fail(checked.error());
  const auto from = open_snapshot(context);
  if (!from) return context.fail(from.error());
  const auto wanted = wanted_files(context, *from, args);
  if (!wanted) return context.fail(wanted.error());

  std::vector<const Wanted*> regular;
  std::vector<NamedDownload> stored;
  for (const auto& each : *wanted) {
    if (!each.file.file) {
      regular.push_back(&each);
      continue;
    }
    stored.push_back({name_of(each, args),
                      {.file = *each.file.file,
                       .destination = each.destination,
                       .size_bytes = each.file.size_bytes,
                       .range = args.range,
                       .sha256 = each.file.sha256}});
  }
  Summary sums;
  download_regular(context, *from, regular, args, sums);
  if (!stored.empty()) {
    const auto client = from->hub->connect(Hub::Access::kRead, context.stop());
    if (!client) return context.fail(client.error());
    download_files(context, *client, stored, sums);
  }
  report_download(context, sums);
}

void run(Context& context, const HubCatArgs& args) {
  auto& out = context.out();
  out.set_events_fd(STDERR_FILENO);  // stdout is the content
  const auto from = open_snapshot(context);
  if (!from) return context.fail(from.error());
  const auto file = one_file(context, *from, args.path);
  if (!file) return context.fail(file.error());
  if (file->file) {
    const auto client = from->hub->connect(Hub::Access::kRead, context.stop());
    if (!client) return context.fail(client.error());
    write_content(context, [&](const ContentSink& sink, const SessionOptions& session) {
      return stream_file(*client, *file->file, args.range, sink, session);
    });
  } else {
    write_content(context, [&](const ContentSink& sink, const SessionOptions& session) {
      return from->hub->read(from->commit, *file, args.range, sink, session.stop);
    });
  }
  note_past_end(context, *file, args.range);
}

}  // namespace xet::cli

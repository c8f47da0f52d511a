#include "apps/xet/hub_files.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <utility>

#include "apps/xet/manifest.h"
#include "apps/xet/names.h"
#include "apps/xet/upload_files.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/try.h"
#include "io/file.h"

namespace xet::cli {

namespace {

std::string base_name(const std::string& path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

bool is_directory(const std::string& path) {
  struct stat st{};
  return path != "-" && ::stat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode);
}

/// Behind `argument`, which names a directory.
std::string below(const std::string& argument, const std::string& name) {
  const size_t begin = name.find_first_not_of('/', argument.size());
  return begin == name.npos ? std::string() : name.substr(begin);
}

Error wrong_path(const HubSource& source, std::string_view why) {
  return {ErrorCode::kInvalidArgument, fmt::format("{} cannot be '{}' in a repository: {}",
                                                   one_line(source.name), one_line(source.path), why)};
}

/// No two under one path, none under a path that a repository cannot have.
void check_paths(Context& context, std::vector<HubSource>& sources) {
  std::map<std::string, const HubSource*> by_path;
  for (auto& source : sources) {
    auto safe = safe_relative_path(source.path);
    if (!safe) {
      context.fail(wrong_path(source, "it has to name a file below its root"), source.name);
      continue;
    }
    source.path = *std::move(safe);
    if (!is_utf8(source.path)) {
      context.fail(wrong_path(source, "names there are UTF-8"), source.name);
      continue;
    }
    const auto [at, inserted] = by_path.emplace(source.path, &source);
    if (!inserted) {
      context.fail(wrong_path(source, fmt::format("{} has that name already", one_line(at->second->name))),
                   source.name);
    }
  }
}

/// Also notes size and time of the file.
Result<HubCandidate> candidate_of(HubSource& source) {
  const auto opened = io::File::open_read(source.name);
  if (!opened) return tl::unexpected(source_error(opened.error()));
  XET_TRY(const auto info, opened->info());
  source.size_bytes = info.size_bytes;
  source.modified_ms = info.mtime_ns / 1'000'000;
  HubCandidate out{.path = source.path, .size_bytes = info.size_bytes, .sample = {}};
  out.sample.resize(std::min<uint64_t>(info.size_bytes, HubCandidate::kSampleBytes));
  XET_TRY(const size_t n, opened->read_at(0, out.sample));
  out.sample.resize(n);
  return out;
}

}  // namespace

std::vector<HubSource> collect_hub_sources(Context& context, const std::vector<std::string>& paths,
                                           bool recursive, const std::string& to) {
  std::vector<HubSource> out;
  for (const auto& argument : paths) {
    const bool has_folder = is_directory(argument);
    for (auto& name : collect_sources(context, {argument}, recursive)) {
      std::string path = has_folder ? below(argument, name) : name == "-" ? "" : base_name(name);
      out.push_back({.name = std::move(name), .path = std::move(path), .treatment = {}});
    }
  }
  const bool is_folder = to.empty() || to.ends_with('/') || paths.size() > 1 ||
                         std::any_of(paths.begin(), paths.end(), is_directory);
  for (auto& source : out) {
    if (!is_folder) {
      source.path = to;
    } else if (source.path.empty()) {
      context.fail(
          {ErrorCode::kInvalidArgument, "stdin has no name: say with --to what it is in the repository"},
          source.name);
    } else if (!to.empty()) {
      source.path = fmt::format("{}{}{}", to, to.ends_with('/') ? "" : "/", source.path);
    }
  }
  if (!context.has_failed()) check_paths(context, out);
  return out;
}

Status ask_treatment(Context& context, const Hub& hub, std::vector<HubSource>& sources) {
  std::vector<HubCandidate> candidates;
  std::vector<HubSource> readable;
  for (auto& source : sources) {
    if (source.name == "-") {
      source.modified_ms = unix_milliseconds(system_clock().wall_now());
    } else {
      auto candidate = candidate_of(source);
      if (!candidate) {
        context.fail(candidate.error(), source.name);
        continue;
      }
      candidates.push_back(*std::move(candidate));
    }
    readable.push_back(std::move(source));
  }
  sources = std::move(readable);
  XET_TRY(auto treatments, hub.treatment(candidates, context.stop()));
  auto next = treatments.begin();
  for (auto& source : sources) {
    if (source.name == "-") continue;
    source.treatment = std::move(*next++);
    if (source.treatment.is_ignored)
      context.out().note(
          fmt::format("note: {} is left out, because the repository ignores it", one_line(source.name)));
  }
  std::erase_if(sources, [](const HubSource& source) { return source.treatment.is_ignored; });
  return {};
}

}  // namespace xet::cli

#include "session/pipelines.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "chunk/chunker.h"
#include "hash/blake3.h"
#include "hash/tree.h"
#include "support/temp_dir.h"

namespace xet::testing {

StopSource::StopSource() : source_(std::make_unique<std::stop_source>()) {}

std::shared_ptr<Client> client_of(std::shared_ptr<cas::Cas> cas, size_t threads, size_t max_memory_bytes,
                                  const Clock& clock, const Client::Impl::Tuning& tuning) {
  const ClientOptions options{.threads = threads, .max_memory_bytes = max_memory_bytes};
  return std::make_shared<Client>(std::make_shared<Client::Impl>(std::move(cas), options, clock, tuning));
}

FileHash hash_of(ByteSpan bytes) {
  std::vector<hash::ChunkInfo> chunks;
  for (const uint32_t length : chunk::chunk_lengths(bytes)) {
    chunks.push_back({hash::chunk_hash(bytes.first(length)), length});
    bytes = bytes.subspan(length);
  }
  return hash::file_hash(chunks);
}

Result<UploadReport> upload(const std::shared_ptr<Client>& client, const std::vector<ByteVector>& contents,
                            UploadOptions options, FileOptions file) {
  UploadSession session(client, std::move(options));
  for (size_t i = 0; i < contents.size(); ++i) session.add_bytes(std::to_string(i), contents[i], file);
  return session.commit();
}

FileReport upload_one(const std::shared_ptr<Client>& client, ByteSpan content) {
  UploadSession session(client, {});
  session.add_bytes("it", content);
  auto report = session.commit();
  if (!report) throw std::runtime_error(report.error().message);
  expect_sums_hold(*report);
  return report->files.at(0).value();
}

Result<ByteVector> download(const std::shared_ptr<Client>& client, const FileHash& file,
                            std::optional<FileRange> range) {
  const TempDir dir;
  DownloadSession session(client, {});
  session.add({.file = file, .destination = dir / "out", .range = range});
  auto results = session.wait();
  if (!results.at(0)) {
    EXPECT_EQ(names_in(dir.path()), std::vector<std::string>{});
    return tl::unexpected(results[0].error());
  }
  EXPECT_EQ(names_in(dir.path()), std::vector<std::string>{"out"});
  EXPECT_EQ(results[0]->verified, !range.has_value());
  auto bytes = read_bytes(dir / "out");
  EXPECT_EQ(results[0]->size_bytes, bytes.size());
  return bytes;
}

Result<ByteVector> stream(const std::shared_ptr<Client>& client, const FileHash& file,
                          std::optional<FileRange> range, const SessionOptions& options) {
  ByteVector out;
  auto n = stream_file(
      client, file, range,
      [&](ByteSpan piece) -> Status {
        EXPECT_LE(piece.size(), size_t{128} << 10);
        append_bytes(out, piece);
        return {};
      },
      options);
  if (!n) return tl::unexpected(std::move(n).error());
  EXPECT_EQ(*n, out.size());
  return out;
}

namespace {
void expect_sum_holds(const DeduplicationMetrics& metrics) {
  EXPECT_EQ(metrics.total_bytes, metrics.deduped_bytes + metrics.new_bytes);
  EXPECT_EQ(metrics.total_chunks, metrics.deduped_chunks + metrics.new_chunks);
  EXPECT_LE(metrics.deduped_bytes_by_global_dedup, metrics.deduped_bytes);
  EXPECT_LE(metrics.deduped_chunks_by_global_dedup, metrics.deduped_chunks);
}
}  // namespace

void expect_sums_hold(const UploadReport& report) {
  expect_sum_holds(report.metrics);
  EXPECT_EQ(report.metrics.total_bytes_uploaded,
            report.metrics.xorb_bytes_uploaded + report.metrics.shard_bytes_uploaded);
  for (const auto& file : report.files) {
    if (!file) continue;
    expect_sum_holds(file->metrics);
    EXPECT_EQ(file->size_bytes, file->metrics.total_bytes) << file->name;
  }
}

std::vector<std::string> names_in(const std::filesystem::path& directory) {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    out.push_back(entry.path().filename().string());
  }
  std::ranges::sort(out);
  return out;
}

namespace {
size_t entries_of(const char* directory) {
  const std::filesystem::directory_iterator entries(directory);
  return static_cast<size_t>(std::distance(begin(entries), end(entries)));
}
}  // namespace

size_t n_open_fds() {
  return entries_of("/proc/self/fd");
}
size_t n_threads() {
  return entries_of("/proc/self/task");
}

}  // namespace xet::testing

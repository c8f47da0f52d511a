#include <gtest/gtest.h>
#include <sys/stat.h>

#include "io/file.h"
#include "support/faulty_calls.h"
#include "support/generators.h"
#include "support/matchers.h"
#include "support/temp_dir.h"

namespace xet::io {
namespace {

using namespace testing;
using Durability = AtomicFile::Durability;
using IfExists = AtomicFile::IfExists;

size_t n_entries(const std::filesystem::path& directory) {
  const std::filesystem::directory_iterator entries(directory);
  return static_cast<size_t>(std::distance(begin(entries), end(entries)));
}

AtomicFile written(const std::filesystem::path& destination, ByteSpan content) {
  auto file = AtomicFile::create(destination);
  if (!file || !file->file().write_at(0, content)) throw std::runtime_error("cannot write");
  return std::move(*file);
}

TEST(AtomicFile, HasItsNameOnlyOnceItIsPublished) {
  const TempDir dir;
  const auto content = random_bytes(1000, 1);
  auto file = written(dir / "file", content);
  EXPECT_FALSE(std::filesystem::exists(dir / "file"));
  EXPECT_TRUE(AtomicFile::is_temp_name(file.file().path()));
  EXPECT_EQ(file.file().path().parent_path(), dir.path());
  EXPECT_TRUE(file.publish(Durability::kFull).value());
  EXPECT_EQ(read_bytes(dir / "file"), content);
  EXPECT_EQ(n_entries(dir.path()), 1U);
}

TEST(AtomicFile, LeavesNothingWhenItIsNotPublished) {
  const TempDir dir;
  {
    const auto file = written(dir / "file", random_bytes(10, 1));
  }
  EXPECT_EQ(n_entries(dir.path()), 0U);
  auto first = written(dir / "file", random_bytes(10, 1));
  {
    const AtomicFile moved = std::move(first);
    EXPECT_EQ(n_entries(dir.path()), 1U);
  }
  EXPECT_EQ(n_entries(dir.path()), 0U);
}

TEST(AtomicFile, ReplacesOrKeepsWhatIsThere) {
  const TempDir dir;
  const auto old_content = random_bytes(1000, 1);
  const auto new_content = random_bytes(500, 2);
  write_bytes(dir / "file", old_content);
  EXPECT_FALSE(written(dir / "file", new_content).publish(Durability::kFile, IfExists::kKeep).value());
  EXPECT_EQ(read_bytes(dir / "file"), old_content);
  EXPECT_TRUE(written(dir / "file", new_content).publish(Durability::kFile, IfExists::kReplace).value());
  EXPECT_EQ(read_bytes(dir / "file"), new_content);
  EXPECT_TRUE(written(dir / "other", new_content).publish(Durability::kFile, IfExists::kKeep).value());
  EXPECT_EQ(n_entries(dir.path()), 2U);
}

TEST(AtomicFile, SyncsWhatItPromises) {
  const TempDir dir;
  const auto syncs_for = [&](Durability durability) {
    FaultyCalls calls;
    const ScopedSystemCalls scope(calls);
    EXPECT_THAT(write_file_atomically(dir / "file", random_bytes(10, 1), durability), IsOk());
    return calls.n_fsyncs.load();
  };
  EXPECT_EQ(syncs_for(Durability::kRename), 0U);
  EXPECT_EQ(syncs_for(Durability::kFile), 1U);
  EXPECT_EQ(syncs_for(Durability::kFull), 2U);
}

TEST(AtomicFile, AFailedSyncLeavesTheOldFileAndNoTemporaryOne) {
  const TempDir dir;
  const auto old_content = random_bytes(1000, 1);
  write_bytes(dir / "file", old_content);
  FaultyCalls calls;
  calls.on_fsync = [](int) { return EIO; };
  const ScopedSystemCalls scope(calls);
  EXPECT_THAT(write_file_atomically(dir / "file", random_bytes(10, 2), Durability::kFile),
              FailsWith(ErrorCode::kIo));
  EXPECT_EQ(read_bytes(dir / "file"), old_content);
  EXPECT_EQ(n_entries(dir.path()), 1U);
}

TEST(AtomicFile, WhatCannotBeReplacedIsAnErrorAndNothingStays) {
  const TempDir dir;
  std::filesystem::create_directory(dir / "taken");
  EXPECT_THAT(write_file_atomically(dir / "taken", random_bytes(10, 1), Durability::kRename),
              FailsWith(ErrorCode::kIo));
  EXPECT_EQ(n_entries(dir.path()), 1U);
  EXPECT_THAT(write_file_atomically(dir / "no" / "file", random_bytes(10, 1), Durability::kRename),
              FailsWith(ErrorCode::kNotFound));
}

TEST(AtomicFile, LongNamesAndNamesWithoutDirectoryWork) {
  const TempDir dir;
  const std::string longest(255, 'x');
  EXPECT_THAT(write_file_atomically(dir / longest, random_bytes(10, 1), Durability::kRename), IsOk());
  EXPECT_TRUE(std::filesystem::exists(dir / longest));
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(dir.path());
  EXPECT_THAT(write_file_atomically("bare", random_bytes(10, 1), Durability::kFull), IsOk());
  std::filesystem::current_path(before);
  EXPECT_TRUE(std::filesystem::exists(dir / "bare"));
}

TEST(AtomicFile, KnowsTheNamesOfTemporaryFiles) {
  EXPECT_TRUE(AtomicFile::is_temp_name("a/.model.bin.0123456789abcdef.xet-tmp"));
  EXPECT_FALSE(AtomicFile::is_temp_name("a/model.bin"));
  EXPECT_FALSE(AtomicFile::is_temp_name("a/model.xet-tmp"));
  EXPECT_FALSE(AtomicFile::is_temp_name(".hidden"));
}

}  // namespace
}  // namespace xet::io

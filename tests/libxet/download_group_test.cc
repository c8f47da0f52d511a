#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "libxet/session_support.h"

namespace xet {
namespace {

using namespace std::chrono_literals;
using namespace testing;
namespace fs = std::filesystem;

class DownloadGroups : public NothingLeft {
 protected:
  std::shared_ptr<FileDownloadGroup> open() { return session_->new_file_download_group(in(store_)).value(); }
  /// One file alone, to its end.
  Result<DownloadGroupReport> download(const FileToDownload& file, const fs::path& destination) {
    const auto group = open();
    const auto added = group->add_file(file, destination);
    if (!added) return tl::unexpected(added.error());
    return finish(*group);
  }
  void TearDown() override {
    session_.reset();
    NothingLeft::TearDown();
  }
  const TempDir store_;
  const TempDir dir_;
  std::shared_ptr<Session> session_ = make_session();
  const ByteVector content_ = random_bytes(3 * kMiB, 1);
};

TEST_F(DownloadGroups, GoFromRunningToCompleted) {
  auto file = put_one(*session_, in(store_), content_);
  file.sha256 = "for the report";
  const auto group = open();
  EXPECT_EQ(group->state(), TaskState::kRunning);
  EXPECT_THAT(group->result(), FailsWith(ErrorCode::kInternal));
  const auto first = group->add_file(file, dir_ / "new/folder/file").value();
  file.size_bytes.reset();
  const auto second = group->add_file(file, fs::relative(dir_ / "second")).value();
  EXPECT_LT(group->id(), first->id());
  EXPECT_LT(first->id(), second->id());
  EXPECT_TRUE(second->destination().is_absolute());
  const auto report = finish(*group).value();
  EXPECT_EQ(group->state(), TaskState::kCompleted);
  EXPECT_FALSE(group->error().has_value());
  ASSERT_EQ(report.files.size(), 2U);
  EXPECT_EQ(report.files[0].id, first->id());
  EXPECT_EQ(report.files[0].asked_for.sha256, "for the report");
  EXPECT_EQ(report.files[0].file.destination, dir_ / "new/folder/file");
  EXPECT_EQ(report.files[1].file.size_bytes, content_.size());
  EXPECT_TRUE(report.files[1].file.verified);
  EXPECT_EQ(first->state(), TaskState::kCompleted);
  EXPECT_EQ(first->result()->value().file.size_bytes, content_.size());
  EXPECT_EQ(read_bytes(dir_ / "new/folder/file"), content_);
  EXPECT_EQ(read_bytes(dir_ / "second"), content_);
  first->cancel();  // harmless
  EXPECT_EQ(first->state(), TaskState::kCompleted);
  EXPECT_EQ(group->result().value().files.size(), 2U) << "asked twice";
}

TEST_F(DownloadGroups, OfNothingComplete) {
  EXPECT_TRUE(finish(*open()).value().files.empty());
}

TEST_F(DownloadGroups, ThatAreFinishedTakeNothingMore) {
  const auto group = open();
  ASSERT_THAT(group->begin_finish(), IsOk());
  EXPECT_THAT(group->begin_finish(), FailsWith(ErrorCode::kAlreadyDone));
  EXPECT_THAT(group->add_file({.hash = ""}, dir_ / "late"), FailsWith(ErrorCode::kAlreadyDone));
  ASSERT_TRUE(group->wait_for(kLong));
  EXPECT_THAT(group->begin_finish(), FailsWith(ErrorCode::kAlreadyDone));
  group->abort();
  EXPECT_EQ(group->state(), TaskState::kCompleted);
}

TEST_F(DownloadGroups, MayBeAbortedBeforeTheyAreFinished) {
  SlowServer server;
  const auto hash = server.add(content_);
  server.hold(SlowServer::is_data);
  const auto group = session_->new_file_download_group(server.endpoint()).value();
  const auto file = group->add_file({.hash = hash.hex()}, dir_ / "file").value();
  ASSERT_TRUE(server.wait_for_held(1));
  group->abort();
  group->abort();
  EXPECT_EQ(group->state(), TaskState::kCancelled);
  EXPECT_TRUE(group->wait_for(0ms));
  EXPECT_THAT(group->result(), FailsWith(ErrorCode::kCancelled));
  EXPECT_THAT(group->begin_finish(), FailsWith(ErrorCode::kCancelled));
  EXPECT_THAT(group->add_file({.hash = hash.hex()}, dir_ / "late"), FailsWith(ErrorCode::kCancelled));
  EXPECT_THAT(*file->result(), FailsWith(ErrorCode::kCancelled));
  EXPECT_EQ(file->state(), TaskState::kCancelled);
  EXPECT_EQ(names_in(dir_.path()), std::vector<std::string>{});
  server.go_on();
}

TEST_F(DownloadGroups, MayBeAbortedWhileTheyFinish) {
  SlowServer server;
  const auto hash = server.add(content_);
  server.hold(SlowServer::is_data);
  const auto group = session_->new_file_download_group(server.endpoint()).value();
  const auto file = group->add_file({.hash = hash.hex()}, dir_ / "file").value();
  ASSERT_THAT(group->begin_finish(), IsOk());
  ASSERT_TRUE(server.wait_for_held(1));
  EXPECT_EQ(group->state(), TaskState::kFinalizing);
  EXPECT_THAT(group->result(), FailsWith(ErrorCode::kInternal)) << "not before the end";
  group->abort();
  EXPECT_EQ(group->state(), TaskState::kCancelled);
  EXPECT_THAT(group->result(), FailsWith(ErrorCode::kCancelled));
  EXPECT_THAT(*file->result(), FailsWith(ErrorCode::kCancelled));
  EXPECT_EQ(names_in(dir_.path()), std::vector<std::string>{});
  server.go_on();
}

TEST_F(DownloadGroups, FailForWhatIsNoHash) {
  for (const std::string hash : {"", "abc", "zz", "é"}) {
    const auto group = open();
    const auto file = group->add_file({.hash = hash}, dir_ / "file").value();
    EXPECT_EQ(file->state(), TaskState::kFailed);
    EXPECT_THAT(*file->result(), FailsWith(ErrorCode::kCorruption, "'" + hash + "'"));
    EXPECT_THAT(finish(*group), FailsWith(ErrorCode::kCorruption));
    EXPECT_EQ(group->state(), TaskState::kFailed);
    EXPECT_THAT(group->begin_finish(), FailsWith(ErrorCode::kCorruption, "failed before"));
    EXPECT_THAT(group->add_file({.hash = hash}, dir_ / "file"),
                FailsWith(ErrorCode::kCorruption, "failed before"));
  }
}

TEST_F(DownloadGroups, FailForAnotherSize) {
  auto file = put_one(*session_, in(store_), content_);
  for (const uint64_t size : {content_.size() - 1, content_.size() + 1, size_t{1}}) {
    file.size_bytes = size;
    EXPECT_THAT(download(file, dir_ / "file"), FailsWith(ErrorCode::kCorruption, "were expected"));
    EXPECT_EQ(names_in(dir_.path()), std::vector<std::string>{});
  }
}

TEST_F(DownloadGroups, FailForPlacesThatCannotBe) {
  const auto file = put_one(*session_, in(store_), content_);
  EXPECT_THAT(download(file, dir_ / std::string("a\0b", 3)), FailsWith(ErrorCode::kIo, "NUL"));
  EXPECT_THAT(download(file, ""), FailsWith(ErrorCode::kIo));
  write_bytes(dir_ / "file", {});
  EXPECT_FALSE(download(file, dir_ / "file/below").has_value());
  fs::create_directories(dir_ / "folder/full");
  EXPECT_FALSE(download(file, dir_ / "folder").has_value());
  EXPECT_EQ(names_in(dir_.path()), (std::vector<std::string>{"file", "folder"}));
}

TEST_F(DownloadGroups, FailForAFileThatIsNotThereAndDoTheRest) {
  const auto file = put_one(*session_, in(store_), content_);
  const auto group = open();
  const auto bad = group->add_file({.hash = hash_of(random_bytes(5, 2)).hex()}, dir_ / "bad").value();
  const auto good = group->add_file(file, dir_ / "good").value();
  EXPECT_THAT(finish(*group), FailsWith(ErrorCode::kNotFound));
  EXPECT_EQ(group->error()->code, ErrorCode::kNotFound);
  EXPECT_THAT(*bad->result(), FailsWith(ErrorCode::kNotFound));
  EXPECT_THAT(*good->result(), IsOk());
  EXPECT_EQ(read_bytes(dir_ / "good"), content_);
}

TEST_F(DownloadGroups, MakeAnEmptyFileWithoutTheStore) {
  SlowServer server;
  server.hold([](const auto&) { return true; });
  const auto group = session_->new_file_download_group(server.endpoint()).value();
  group->add_file({.hash = hash_of(content_).hex(), .size_bytes = 0}, dir_ / "empty").value();
  group->add_file({.hash = FileHash().hex()}, dir_ / "zero").value();
  EXPECT_EQ(finish(*group).value().files.size(), 2U);
  EXPECT_EQ(fs::file_size(dir_ / "empty"), 0U);
  EXPECT_EQ(fs::file_size(dir_ / "zero"), 0U);
  EXPECT_EQ(server.cas().http().n_requests(), 0U);
}

TEST_F(DownloadGroups, KeepThePermissionsOfAFileTheyReplace) {
  const auto file = put_one(*session_, in(store_), content_);
  write_bytes(dir_ / "file", random_bytes(10, 3));
  const auto mode =
      fs::perms::owner_read | fs::perms::owner_write | fs::perms::owner_exec | fs::perms::group_read;
  fs::permissions(dir_ / "file", mode);
  EXPECT_THAT(download(file, dir_ / "file"), IsOk());
  EXPECT_EQ(fs::status(dir_ / "file").permissions(), mode);
  EXPECT_EQ(read_bytes(dir_ / "file"), content_);
}

TEST_F(DownloadGroups, GoOnWithoutACancelledFile) {
  SlowServer server;
  const auto a = server.add(random_bytes(100'000, 4));
  const auto b = server.add(random_bytes(100'000, 5));
  server.hold(SlowServer::is_data);
  const auto group = session_->new_file_download_group(server.endpoint()).value();
  const auto cancelled = group->add_file({.hash = a.hex()}, dir_ / "a").value();
  const auto other = group->add_file({.hash = b.hex()}, dir_ / "b").value();
  ASSERT_TRUE(server.wait_for_held(2));
  cancelled->cancel();
  cancelled->cancel();
  EXPECT_TRUE(cancelled->wait_for(0ms));
  EXPECT_THAT(*cancelled->result(), FailsWith(ErrorCode::kCancelled));
  EXPECT_EQ(cancelled->state(), TaskState::kCancelled);
  EXPECT_EQ(other->state(), TaskState::kRunning);
  server.go_on();
  ASSERT_TRUE(other->wait_for(kLong));
  EXPECT_THAT(*other->result(), IsOk());
  EXPECT_THAT(finish(*group), FailsWith(ErrorCode::kCancelled));
  EXPECT_EQ(names_in(dir_.path()), std::vector<std::string>{"b"});
}

// The cancel may come at any moment of a file, the last included.
TEST_F(DownloadGroups, FilesMayBeCancelledAtAnyMoment) {
  std::vector<ByteVector> contents;
  for (uint64_t i = 0; i < 8; ++i) contents.push_back(random_bytes(2000, 10 + i));
  const auto files = put(*session_, in(store_), contents).files;
  for (int round = 0; round < 30; ++round) {
    const auto group = open();
    std::vector<std::shared_ptr<FileDownload>> downloads;
    for (size_t i = 0; i < files.size(); ++i) {
      downloads.push_back(
          group->add_file({.hash = files[i].report.hash.hex()}, dir_ / std::to_string(i)).value());
    }
    std::jthread canceller([&] {
      for (const auto& file : downloads) {
        for (int i = 0; i < round; ++i) std::this_thread::yield();
        file->cancel();
      }
    });
    (void)finish(*group);
    canceller.join();
    for (const auto& file : downloads) {
      ASSERT_TRUE(file->wait_for(0ms));
      if (!*file->result()) {
        EXPECT_THAT(*file->result(), FailsWith(ErrorCode::kCancelled));
      }
    }
  }
}

TEST_F(DownloadGroups, GoOnAsLongAsSomebodyHasAFileOfThem) {
  const auto asked = put_one(*session_, in(store_), content_);
  std::shared_ptr<FileDownload> file;
  file = open()->add_file(asked, dir_ / "file").value();
  ASSERT_TRUE(file->wait_for(kLong));
  EXPECT_THAT(*file->result(), IsOk());
  EXPECT_EQ(read_bytes(dir_ / "file"), content_);
}

TEST_F(DownloadGroups, EndWithTheLastWhoHasPartOfThem) {
  SlowServer server;
  const auto hash = server.add(content_);
  server.hold(SlowServer::is_data);
  {
    const auto file = session_->new_file_download_group(server.endpoint())
                          .value()
                          ->add_file({.hash = hash.hex()}, dir_ / "file");
    ASSERT_TRUE(server.wait_for_held(1));
  }
  server.go_on();
  EXPECT_EQ(names_in(dir_.path()), std::vector<std::string>{});
}

}  // namespace
}  // namespace xet

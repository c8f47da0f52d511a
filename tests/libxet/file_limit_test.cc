#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "libxet/session_support.h"

namespace xet {
namespace {

using namespace testing;

/// How many files a session has under way at once, over all of its groups.
class FileLimit : public NothingLeft {
 protected:
  std::shared_ptr<Session> with_limit(uint64_t limit) {
    return make_session({{"data.max_concurrent_file_downloads", limit}});
  }
  const TempDir dir_;
};

TEST_F(FileLimit, HoldsForAllGroupsOfASession) {
  for (const uint64_t limit : {1U, 3U}) {
    SlowServer server;
    std::vector<FileHash> files;
    for (uint64_t i = 0; i < 8; ++i) files.push_back(server.add(random_bytes(20'000, i)));
    server.hold(SlowServer::is_data);
    const auto session = with_limit(limit);
    std::vector<std::shared_ptr<FileDownloadGroup>> groups;
    for (size_t i = 0; i < files.size(); ++i) {
      if (i % 4 == 0) groups.push_back(session->new_file_download_group(server.endpoint()).value());
      groups.back()->add_file({.hash = files[i].hex()}, dir_ / std::to_string(i)).value();
    }
    ASSERT_TRUE(server.wait_for_held(limit));
    server.go_on();
    for (const auto& group : groups) EXPECT_EQ(finish(*group).value().files.size(), 4U);
    EXPECT_LE(server.cas().http().most_at_once(), limit) << "a file has one request at a time here";
  }
}

TEST_F(FileLimit, IsOfEachSessionAlone) {
  SlowServer server;
  const auto a = server.add(random_bytes(20'000, 1));
  const auto b = server.add(random_bytes(20'000, 2));
  server.hold(SlowServer::is_data);
  std::vector<std::shared_ptr<Session>> sessions;
  std::vector<std::shared_ptr<FileDownload>> downloads;
  for (const auto& file : {a, b}) {
    sessions.push_back(with_limit(1));
    const auto group = sessions.back()->new_file_download_group(server.endpoint()).value();
    downloads.push_back(group->add_file({.hash = file.hex()}, dir_ / file.hex()).value());
  }
  ASSERT_TRUE(server.wait_for_held(2));
  server.go_on();
  for (const auto& download : downloads) {
    EXPECT_TRUE(download->wait_for(kLong));
    EXPECT_THAT(*download->result(), IsOk());
  }
}

TEST_F(FileLimit, APlaceComesBackFromWhoIsAbortedOrFails) {
  SlowServer server;
  const auto held = server.add(random_bytes(20'000, 1));
  server.hold(SlowServer::is_data);
  const auto session = with_limit(1);
  const auto first = session->new_file_download_group(server.endpoint()).value();
  const auto second = session->new_file_download_group(server.endpoint()).value();
  first->add_file({.hash = held.hex()}, dir_ / "first").value();
  ASSERT_TRUE(server.wait_for_held(1));
  const auto missing =
      second->add_file({.hash = hash_of(random_bytes(9, 3)).hex()}, dir_ / "missing").value();
  const auto last = second->add_file({.hash = held.hex()}, dir_ / "last").value();
  first->abort();
  ASSERT_TRUE(missing->wait_for(kLong));
  EXPECT_THAT(*missing->result(), FailsWith(ErrorCode::kNotFound));
  server.go_on();
  ASSERT_TRUE(last->wait_for(kLong));
  EXPECT_THAT(*last->result(), IsOk());
}

// A group that is told of a place may be aborted before it takes it; the next one must learn of it then.
TEST_F(FileLimit, APlaceIsNotLostWithAGroupThatIsAborted) {
  const TempDir store;
  const auto session = with_limit(1);
  const auto file = put_one(*session, in(store), random_bytes(2000, 4));
  for (int round = 0; round < 60; ++round) {
    std::vector<std::shared_ptr<FileDownloadGroup>> groups;
    std::vector<std::shared_ptr<FileDownload>> downloads;
    for (int i = 0; i < 4; ++i) {
      groups.push_back(session->new_file_download_group(in(store)).value());
      downloads.push_back(groups.back()->add_file(file, dir_ / std::to_string(i)).value());
    }
    for (int i = 0; i < round; ++i) std::this_thread::yield();
    groups[1]->abort();
    groups[2]->abort();
    ASSERT_TRUE(downloads[0]->wait_for(kLong));
    ASSERT_TRUE(downloads[3]->wait_for(kLong)) << "round " << round;
    EXPECT_THAT(*downloads[3]->result(), IsOk());
  }
}

}  // namespace
}  // namespace xet

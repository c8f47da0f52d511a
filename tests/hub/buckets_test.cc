#include <gmock/gmock.h>

#include "hub/hub_fixture.h"

namespace xet::testing {
namespace {

using hub::BucketOperation;
using hub::Reason;
using ::testing::ElementsAre;

class Buckets : public ::testing::Test, public HubFixture {
 protected:
  static BucketOperation add(std::string path, const FileHash& file) {
    return {.kind = BucketOperation::Kind::kAdd,
            .path = std::move(path),
            .file = file,
            .modified = 1'700'000'000'123,
            .content_type = {},
            .source = {}};
  }
  static BucketOperation erase(std::string path) {
    return {.kind = BucketOperation::Kind::kDelete,
            .path = std::move(path),
            .file = {},
            .modified = {},
            .content_type = {},
            .source = {}};
  }
  std::vector<std::string> failures(const store::HubRepository& bucket,
                                    std::vector<BucketOperation> operations) {
    std::vector<std::string> out;
    for (const auto& failure : must(hub.batch(bucket, operations))) out.push_back(failure.path);
    return out;
  }
  std::vector<std::string> listed(std::string_view prefix, bool recursive, size_t limit) {
    std::vector<std::string> out;
    hub::ListOptions options{.recursive = recursive, .with_last_commit = false, .after = {}, .limit = limit};
    do {
      auto page = must(hub.list_bucket(data, prefix, options));
      EXPECT_LE(page.items.size(), limit);
      for (const auto& item : page.items) out.push_back(item.is_folder ? item.path + "/" : item.path);
      options.after = page.next;
    } while (!options.after.empty());
    return out;
  }
  const store::HubRepository data = make(bucket("alice", "data"));
};

TEST_F(Buckets, KeepWhatWasUploadedToThem) {
  const auto file = upload(data, 1);
  EXPECT_THAT(failures(data, {add("a/b", file.file), add("empty", FileHash())}), ElementsAre());
  const auto entry = must(hub.bucket_file(data, "a/b"));
  EXPECT_EQ(entry.size_bytes, file.size_bytes);
  EXPECT_EQ(entry.modified, 1'700'000'000'123);
  EXPECT_EQ(must(hub.bucket_file(data, "empty")).size_bytes, 0u);
  EXPECT_EQ(must(hub.totals(data)).files, 2u);
  EXPECT_EQ(must(hub.totals(data)).bytes, file.size_bytes);
  EXPECT_THAT(failures(data, {erase("a/b")}), ElementsAre());
  EXPECT_EQ(hub.bucket_file(data, "a/b").error().reason, Reason::kNoEntry);
}

TEST_F(Buckets, SayWhatTheyCouldNotDoAndDoTheRest) {
  const auto file = upload(data, 1);
  const auto other = must(hub.create(bob, bucket("bob", "other"), true)).repository;
  const auto foreign = upload(other, 2);
  auto copy = add("copied", foreign.file);
  copy.kind = BucketOperation::Kind::kCopy;
  EXPECT_THAT(failures(data, {add("good", file.file), add("foreign", foreign.file), erase("nope"), copy}),
              ElementsAre("foreign", "nope", "copied"));
  EXPECT_TRUE(hub.bucket_file(data, "good"));
  EXPECT_FALSE(hub.bucket_file(data, "foreign"));
  copy.source = other;
  EXPECT_THAT(failures(data, {copy}), ElementsAre()) << "who may read there may copy";
  EXPECT_EQ(must(hub.bucket_file(data, "copied")).size_bytes, foreign.size_bytes);
  copy.file = file.file;
  EXPECT_THAT(failures(data, {copy}), ElementsAre("copied")) << "the source has it not";
  EXPECT_THAT(failures(data, {add("x", file.file), erase("x")}), ElementsAre()) << "in order";
  EXPECT_FALSE(hub.bucket_file(data, "x"));
}

TEST_F(Buckets, CopyTheEmptyFileFromWhereThereIsOne) {
  const auto other = make(bucket("alice", "other"));
  auto copy = add("copied", FileHash());
  copy.kind = BucketOperation::Kind::kCopy;
  for (const auto& source : {data, other}) {
    copy.source = source;
    EXPECT_THAT(failures(data, {copy}), ElementsAre("copied"));
  }
  must(hub.batch(other, std::vector{add("empty", FileHash())}));
  EXPECT_THAT(failures(data, {copy}), ElementsAre());
  EXPECT_EQ(must(hub.bucket_file(data, "copied")).size_bytes, 0u);
}

TEST_F(Buckets, RefuseBatchesThatCannotBe) {
  const auto file = upload(data, 1);
  const std::vector<BucketOperation> many(1001, add("a", file.file));
  EXPECT_EQ(hub.batch(data, many).error().reason, Reason::kTooLarge);
  const std::vector<BucketOperation> bad = {add("good", file.file), add("../x", file.file)};
  EXPECT_EQ(hub.batch(data, bad).error().reason, Reason::kBadPath);
  EXPECT_FALSE(hub.bucket_file(data, "good")) << "nothing was done";
}

TEST_F(Buckets, ListWholeComponentsByPagesOfAnySize) {
  const auto file = upload(data, 1);
  std::vector<BucketOperation> all;
  for (const char* path : {"logs/1", "logs/2", "logs.json", "logs_old/1", "logs/deep/er/3", "z"}) {
    all.push_back(add(path, file.file));
  }
  EXPECT_THAT(failures(data, all), ElementsAre());
  for (size_t limit = 1; limit < 8; ++limit) {
    EXPECT_THAT(listed("", true, limit),
                ElementsAre("logs.json", "logs/1", "logs/2", "logs/deep/er/3", "logs_old/1", "z"))
        << limit;
    EXPECT_THAT(listed("", false, limit), ElementsAre("logs.json", "logs/", "logs_old/", "z")) << limit;
    EXPECT_THAT(listed("logs", false, limit), ElementsAre("logs/1", "logs/2", "logs/deep/")) << limit;
    EXPECT_THAT(listed("logs/", true, limit), ElementsAre("logs/1", "logs/2", "logs/deep/er/3")) << limit;
  }
  EXPECT_THAT(listed("logs/1", false, 10), ElementsAre("logs/1"));
  EXPECT_THAT(listed("log", true, 10), ElementsAre());
  EXPECT_THAT(listed("nope/nope", true, 10), ElementsAre());
}

}  // namespace
}  // namespace xet::testing

#include "server/local/local_cas.h"

#include <gtest/gtest.h>

#include <fstream>
#include <future>

#include "server/sample_store.h"
#include "server/store/object_key.h"
#include "support/generators.h"
#include "support/matchers.h"
#include "support/temp_dir.h"

namespace xet::testing {
namespace {

namespace fs = std::filesystem;

TEST(LocalCas, StoresAndGivesBackAFile) {
  const TempDir dir;
  const auto xorb = make_xorb(20, 1);
  const std::vector<ChunkRun> runs = {{&xorb, 0, 20}};
  const auto file = make_file(runs);
  {
    const auto cas = open_store(dir / "store");
    Store store(*cas);
    ASSERT_THAT(store.xorb_exists(xorb.hash), IsOk());
    EXPECT_FALSE(*store.xorb_exists(xorb.hash));
    const auto put = store.put_xorb(xorb);
    ASSERT_THAT(put, IsOk());
    EXPECT_TRUE(put->was_inserted);
    EXPECT_EQ(put->sent_bytes, xorb.body.size());
    EXPECT_TRUE(*store.xorb_exists(xorb.hash));
    ASSERT_THAT(store.put_shard(make_shard({file}, {&xorb})), IsOk());
  }
  const auto cas = open_store(dir / "store");  // and a later program
  Store store(*cas);
  EXPECT_EQ(*store.file_size(file.hash), content_of(runs).size());
  const auto content = store.read(file.hash);
  ASSERT_THAT(content, IsOk());
  EXPECT_EQ(*content, content_of(runs));
}

TEST(LocalCas, TellsItsNameAndItsPlaces) {
  const TempDir dir;
  const auto cas = open_store(dir / "store");
  EXPECT_EQ(cas->name(), "local:" + (dir / "store").string());
  EXPECT_EQ(cas->shard_places().cache, dir / "store" / "shard-cache");
  EXPECT_EQ(cas->shard_places().staging, dir / "store" / "staging");
  EXPECT_TRUE(fs::is_directory(cas->shard_places().cache));
  EXPECT_TRUE(fs::is_directory(cas->shard_places().staging));
}

TEST(LocalCas, MakesMissingParentsAndTakesATrailingSlash) {
  const TempDir dir;
  const auto cas = open_store((dir / "a/b/store").string() + "/");
  EXPECT_TRUE(fs::exists(dir / "a/b/store/meta.sqlite"));
  EXPECT_EQ(cas->shard_places().cache, dir / "a/b/store/shard-cache");
}

TEST(LocalCas, AppendsAFooterToTheStoredBody) {
  const TempDir dir;
  const auto xorb = make_xorb(5, 2);
  const auto cas = open_store(dir.path());
  ASSERT_THAT(Store(*cas).put_xorb(xorb), IsOk());
  const auto object = read_bytes(dir / store::xorb_key(xorb.hash, 0).path);
  ASSERT_GT(object.size(), xorb.body.size());
  EXPECT_TRUE(std::equal(xorb.body.begin(), xorb.body.end(), object.begin()));
  EXPECT_EQ(as_chars(ByteSpan(object).subspan(xorb.body.size(), 7)), "XETBLOB");
  EXPECT_EQ(objects_in(dir.path()), std::vector{store::xorb_key(xorb.hash, 0).path});
  EXPECT_EQ(store::xorb_key(xorb.hash, 0).path,
            "x/" + xorb.hash.hex().substr(0, 2) + "/" + xorb.hash.hex() + ".0");
}

TEST(LocalCas, RefusesAStoreOfTheRustClient) {
  const TempDir dir;
  fs::create_directories(dir / "xet/xorbs");
  EXPECT_THAT(server::open_local_cas(dir.path()), FailsWith(ErrorCode::kInvalidArgument, "Rust client"));
  EXPECT_FALSE(fs::exists(dir / "meta.sqlite"));
}

TEST(LocalCas, RefusesAnEmptyNameAndAFile) {
  const TempDir dir;
  EXPECT_THAT(server::open_local_cas(""), FailsWith(ErrorCode::kInvalidArgument));
  write_bytes(dir / "file", random_bytes(10, 1));
  EXPECT_THAT(server::open_local_cas(dir / "file"), FailsWith(ErrorCode::kIo));
}

TEST(LocalCas, SaysThatADatabaseIsNone) {
  const TempDir dir;
  write_bytes(dir / "meta.sqlite", random_bytes(8192, 1));
  EXPECT_THAT(server::open_local_cas(dir.path()), FailsWith(ErrorCode::kCorruption, "meta.sqlite"));
}

TEST(LocalCas, KnowsTheEmptyFileAlways) {
  const TempDir dir;
  const auto cas = open_store(dir.path());
  Store store(*cas);
  EXPECT_EQ(*store.file_size(FileHash{}), 0U);
  const auto plan = store.reconstruct(FileHash{});
  ASSERT_THAT(plan, IsOk());
  EXPECT_TRUE(plan->terms.empty());
  EXPECT_THAT(store.put_shard(make_shard({make_file({})}, {})), IsOk());
  EXPECT_EQ(*store.file_size(FileHash{}), 0U);
  EXPECT_TRUE(store.reconstruct(FileHash{}, cas::ByteRange{0, 10})->terms.empty());
}

TEST(LocalCas, DoesNotKnowWhatWasNeverStored) {
  const TempDir dir;
  const auto cas = open_store(dir.path());
  Store store(*cas);
  const FileHash file(random_hash(1));
  EXPECT_THAT(store.file_size(file), FailsWith(ErrorCode::kNotFound, file.hex()));
  EXPECT_THAT(store.reconstruct(file), FailsWith(ErrorCode::kNotFound, file.hex()));
  const XorbHash xorb(random_hash(2));
  EXPECT_THAT(store.fetch(xorb, {.chunks = {0, 1}, .bytes = {0, 10}}),
              FailsWith(ErrorCode::kNotFound, xorb.hex()));
  const auto answer = store.query_dedup(ChunkHash(random_hash(3)));
  ASSERT_THAT(answer, IsOk());
  EXPECT_FALSE(answer->has_value());
}

TEST(LocalCas, RefusesToFetchTheFooter) {
  const TempDir dir;
  const auto xorb = make_xorb(5, 2);
  const auto cas = open_store(dir.path());
  Store store(*cas);
  ASSERT_THAT(store.put_xorb(xorb), IsOk());
  EXPECT_EQ(*store.fetch(xorb.hash, {.chunks = {0, 5}, .bytes = {0, xorb.body.size()}}), xorb.body);
  EXPECT_THAT(store.fetch(xorb.hash, {.chunks = {0, 5}, .bytes = {0, xorb.body.size() + 1}}),
              FailsWith(ErrorCode::kInvalidArgument));
}

TEST(LocalCas, NoticesAnObjectThatIsGoneOrShort) {
  const TempDir dir;
  const auto xorb = make_xorb(5, 2);
  const auto file = make_file({{&xorb, 0, 5}});
  const auto cas = open_store(dir.path());
  ASSERT_THAT(Store(*cas).put_xorb(xorb), IsOk());
  ASSERT_THAT(Store(*cas).put_shard(make_shard({file}, {&xorb})), IsOk());
  const auto path = dir / store::xorb_key(xorb.hash, 0).path;
  const auto fresh = open_store(dir.path());  // has no footer cached
  fs::resize_file(path, fs::file_size(path) - 1);
  EXPECT_THAT(Store(*fresh).read(file.hash), FailsWith(ErrorCode::kCorruption, xorb.hash.hex()));
  fs::remove(path);
  EXPECT_THAT(Store(*fresh).read(file.hash), FailsWith(ErrorCode::kCorruption, xorb.hash.hex()));
  EXPECT_THAT(Store(*fresh).fetch(xorb.hash, {.chunks = {0, 1}, .bytes = {0, 1}}),
              FailsWith(ErrorCode::kCorruption, xorb.hash.hex()));
}

TEST(LocalCas, CancelsWhatWasStoppedBefore) {
  const TempDir dir;
  const auto xorb = make_xorb(5, 2);
  const auto cas = open_store(dir.path());
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THAT(Store(*cas).put_xorb(xorb.put_body(), stop.get_token()), FailsWith(ErrorCode::kCancelled));
  EXPECT_THAT(Store(*cas).put_shard(make_shard({}, {}), stop.get_token()), FailsWith(ErrorCode::kCancelled));
  EXPECT_TRUE(objects_in(dir.path()).empty());
}

TEST(LocalCas, RemovesOldTemporaryFilesOnly) {
  const TempDir dir;
  {
    const auto cas = open_store(dir.path());
  }
  const auto day_old = fs::file_time_type::clock::now() - std::chrono::hours(25);
  for (const char* name : {"tmp/old.xet-tmp", "tmp/young.xet-tmp", "tmp/foreign"}) {
    write_bytes(dir / name, random_bytes(10, 1));
    if (std::string_view(name) != "tmp/young.xet-tmp") fs::last_write_time(dir / name, day_old);
  }
  {
    const auto cas = open_store(dir.path());
  }
  EXPECT_EQ(objects_in(dir.path()), (std::vector<std::string>{"tmp/foreign", "tmp/young.xet-tmp"}));
}

}  // namespace
}  // namespace xet::testing

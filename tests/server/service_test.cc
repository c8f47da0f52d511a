#include "server/service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "format/shard.h"
#include "io/file.h"
#include "server/core/repository_name.h"
#include "server/core/signed_url.h"
#include "server/core/tokens.h"
#include "server/helper_process.h"
#include "server/store/schema.h"
#include "server/store/sqlite.h"
#include "support/generators.h"
#include "support/matchers.h"
#include "support/temp_dir.h"

namespace xet::testing {
namespace {

namespace fs = std::filesystem;

mode_t mode_of(const fs::path& path) {
  struct stat st{};
  EXPECT_EQ(::stat(path.c_str(), &st), 0) << path;
  return st.st_mode & 0777;
}

class ServiceTest : public ::testing::Test {
 protected:
  const TempDir dir_;
  Service service_{dir_.path()};
  const SampleXorb a_ = make_xorb(10, 1);
  const SampleXorb b_ = make_xorb(10, 2);
};

TEST(OpenEmbeddedStore, CreatesOnlyWhenAsked) {
  const TempDir dir;
  EXPECT_THAT(core::open_embedded_store(dir / "none", {.create = false}),
              FailsWith(ErrorCode::kNotFound, "none"));
  EXPECT_FALSE(fs::exists(dir / "none"));
  const auto made = core::open_embedded_store(dir / "a" / "b" / "");
  ASSERT_THAT(made, IsOk());
  EXPECT_EQ(made->root, dir / "a" / "b");
  EXPECT_FALSE(fs::exists(made->root / "staging"));  // a client's, not the store's
  EXPECT_THAT(core::open_embedded_store(dir / "a" / "b", {.create = false}), IsOk());
  fs::create_directories(dir / "foreign" / "xet" / "xorbs");
  EXPECT_THAT(core::open_embedded_store(dir / "foreign"), FailsWith(ErrorCode::kInvalidArgument));
}

TEST(RepositoryName, IsChecked) {
  using store::RepositoryType;
  struct Good {
    const char* text;
    RepositoryType type;
    const char* name_space;
    const char* name;
  };
  for (const Good& good : {Good{"model/team/big", RepositoryType::kModel, "team", "big"},
                           {"dataset/a/b", RepositoryType::kDataset, "a", "b"},
                           {"space/A-1/x.y_z", RepositoryType::kSpace, "A-1", "x.y_z"},
                           {"bucket/_a/_b", RepositoryType::kBucket, "_a", "_b"},
                           {"local", RepositoryType::kLocal, "local", "local"}}) {
    const auto parts = core::parse_repository_name(good.text);
    ASSERT_THAT(parts, IsOk()) << good.text;
    EXPECT_EQ(parts->type, good.type);
    EXPECT_EQ(parts->name_space, good.name_space);
    EXPECT_EQ(parts->name, good.name);
  }
  EXPECT_THAT(core::parse_repository_name("model/n/" + std::string(96, 'x')), IsOk());
  for (const std::string bad : {"",
                                "model",
                                "model/",
                                "model//",
                                "model/a",
                                "model/a/",
                                "model//b",
                                "/a/b",
                                "a/b",
                                "models/a/b",
                                "Model/a/b",
                                "model/a/b/c",
                                "model/../b",
                                "model/a/..",
                                "model/./b",
                                "model/a/.b",
                                "model/a/b.",
                                "model/-a/b",
                                "model/a/b-",
                                "model/a--b/c",
                                "model/a/b..c",
                                "model/a/b.git",
                                "model/a b/c",
                                "model/a/b%2f",
                                "model/a/\xc3\xa9",
                                "model/a/b\n",
                                "model/local/x",
                                "local/local/local",
                                "local/a/b",
                                " local"}) {
    EXPECT_THAT(core::parse_repository_name(bad), FailsWith(ErrorCode::kInvalidArgument)) << bad;
  }
  const std::string nul("model/a/b\0", 10);
  const auto refused = core::parse_repository_name(nul);
  ASSERT_THAT(refused, FailsWith(ErrorCode::kInvalidArgument));
  EXPECT_EQ(refused.error().message.find('\0'), std::string::npos);
  EXPECT_THAT(core::parse_repository_name("model/n/" + std::string(97, 'x')),
              FailsWith(ErrorCode::kInvalidArgument));
  EXPECT_LT(core::parse_repository_name(std::string(100'000, 'x')).error().message.size(), 500U);
}

TEST_F(ServiceTest, RepositoriesHaveOneNumberEach) {
  EXPECT_EQ(service_->repository("local", false).value(), store::kLocalRepository);
  EXPECT_THAT(service_->repository("model/team/big", false),
              FailsWith(ErrorCode::kNotFound, "model/team/big"));
  const auto big = service_->repository("model/team/big", true);
  ASSERT_THAT(big, IsOk());
  EXPECT_NE(*big, store::kLocalRepository);
  EXPECT_EQ(service_->repository("model/team/big", true).value(), *big);
  EXPECT_EQ(service_->repository("model/team/big", false).value(), *big);
  EXPECT_NE(service_->repository("dataset/team/big", true).value(), *big);
  EXPECT_NE(service_->repository("model/other/big", true).value(), *big);
  Service again(dir_.path());
  EXPECT_EQ(again->repository("model/team/big", false).value(), *big);
  EXPECT_THAT(service_->repository("model/local/x", true), FailsWith(ErrorCode::kInvalidArgument));
}

TEST_F(ServiceTest, ARepositoryReadsWhatItRegisteredItself) {
  const auto mine = service_.of("model/team/mine");
  const auto sister = service_.of("model/team/sister");
  const FileHash file = service_.put_file(mine, {&a_});
  EXPECT_THAT(service_->reconstruct(mine, file, std::nullopt, core::ChunkHashes::kNo), IsOk());
  for (const auto& other : {sister, service_.of("model/foreign/x"), core::Principal{}}) {
    EXPECT_THAT(service_->reconstruct(other, file, std::nullopt, core::ChunkHashes::kNo),
                FailsWith(ErrorCode::kNotFound, file.hex()));
    EXPECT_THAT(service_->file_size(other, file), FailsWith(ErrorCode::kNotFound));
  }
  EXPECT_THAT(service_->file_size(kOwner, file), IsOk());
  EXPECT_EQ(service_.put_file(sister, {&a_}), file);
  EXPECT_THAT(service_->reconstruct(sister, file, std::nullopt, core::ChunkHashes::kNo), IsOk());
}

TEST_F(ServiceTest, ChunksAreToldInsideTheirNamespaceOnly) {
  const auto mine = service_.of("model/team/mine");
  service_.put_file(mine, {&a_});
  const ChunkHash& key = a_.chunk_hashes[0];  // the first chunk of a file
  for (const char* inside : {"model/team/mine", "model/team/sister", "dataset/team/data"}) {
    const auto answer = service_->query_dedup(service_.of(inside), key);
    ASSERT_THAT(answer, IsOk());
    ASSERT_TRUE(answer->has_value()) << inside;
    EXPECT_EQ(format::Shard::parse(**answer)->xorbs[0].hash, a_.hash);
  }
  for (const char* outside : {"model/team2/mine", "bucket/foreign/x", "local"}) {
    const auto answer = service_->query_dedup(service_.of(outside), key);
    ASSERT_THAT(answer, IsOk());
    EXPECT_FALSE(answer->has_value()) << outside;
  }
  // Registered there too, it is told there too; that the xorb was stored by others changes nothing.
  const auto foreign = service_.of("bucket/foreign/x");
  service_.put_file(foreign, {&a_});
  EXPECT_TRUE((*service_->query_dedup(foreign, key)).has_value());
}

TEST_F(ServiceTest, RepeatingAShardIsQuickForWhoeverRegisteredIt) {
  const auto mine = service_.of("model/team/mine");
  service_.put_xorb(mine, a_).value();
  const auto file = make_file({{&a_, 0, 10}});
  const auto shard = make_shard({file}, {&a_});
  std::vector<std::pair<uint64_t, uint64_t>> verified;
  std::vector<core::ShardStage> stages;
  const core::ShardProgress progress{
      .on_verified = [&](uint64_t done, uint64_t total) { verified.emplace_back(done, total); },
      .on_stage = [&](core::ShardStage stage) { stages.push_back(stage); }};
  const auto first = service_->put_shard(mine, shard, progress, {});
  ASSERT_THAT(first, IsOk());
  EXPECT_TRUE(first->is_new);
  EXPECT_THAT(stages, ::testing::ElementsAre(core::ShardStage::kUploading, core::ShardStage::kSyncing));
  const uint64_t total = shard.size() / 48;
  ASSERT_EQ(verified.size(), 3U);  // nothing yet, the file, the xorb
  EXPECT_EQ(verified.front(), std::pair(uint64_t{0}, total));
  EXPECT_EQ(verified.back(), std::pair(total, total));
  EXPECT_LT(verified[1].first, total);

  verified.clear();
  stages.clear();
  const auto again = service_->put_shard(mine, shard, progress, {});
  ASSERT_THAT(again, IsOk());
  EXPECT_FALSE(again->is_new);
  EXPECT_EQ(again->stored_as, first->stored_as);
  EXPECT_THAT(stages, ::testing::IsEmpty());
  EXPECT_EQ(verified.back(), std::pair(total, total));

  // For another repository it is checked and registered: a receipt is needed there.
  const auto other = service_.of("model/else/x");
  EXPECT_TRUE(service_->put_shard(other, shard, {}, {})->is_new);
  EXPECT_THAT(service_->file_size(other, file.hash), IsOk());
}

TEST_F(ServiceTest, ARepeatedShardWhoseXorbIsGoneIsRefused) {
  service_.put_xorb(kOwner, a_).value();
  const auto shard = make_shard({make_file({{&a_, 0, 10}})}, {&a_});
  ASSERT_THAT(service_.put_shard(kOwner, shard), IsOk());
  const auto execute = [&](const char* sql) {
    auto connection = store::sqlite::Connection::open(dir_ / "meta.sqlite",
                                                      {.health = std::make_shared<store::SyncHealth>()});
    ASSERT_THAT((*connection)->execute(sql), IsOk());
  };
  execute("UPDATE xorbs SET state = 1");
  EXPECT_FALSE(service_.put_shard(kOwner, shard)->is_new);
  EXPECT_EQ(service_->open_xorb(a_.hash)->row.state, store::XorbState::kLive);  // referred to anew
  execute("UPDATE xorbs SET state = 3");
  EXPECT_THAT(service_.put_shard(kOwner, shard), FailsWith(ErrorCode::kNotFound, a_.hash.hex()));
  service_.put_xorb(kOwner, a_).value();
  EXPECT_TRUE(service_.put_shard(kOwner, shard)->is_new);
}

TEST_F(ServiceTest, ABatchNamesEachXorbOnce) {
  const auto mine = service_.of("model/team/mine");
  service_.put_xorb(mine, a_).value();
  service_.put_xorb(mine, b_).value();
  const auto first = make_file({{&a_, 0, 4}, {&b_, 2, 3}});
  const auto second = make_file({{&b_, 3, 6}, {&a_, 8, 10}, {&a_, 2, 5}});
  ASSERT_THAT(service_.put_shard(mine, make_shard({first, second}, {&a_, &b_})), IsOk());
  const FileHash unknown(random_hash(5));
  const FileHash foreign = service_.put_file(service_.of("model/else/x"), {&b_});

  const std::vector<FileHash> asked{second.hash, unknown, first.hash, second.hash, foreign, FileHash{}};
  const auto batch = service_->reconstruct_batch(mine, asked);
  ASSERT_THAT(batch, IsOk());
  ASSERT_EQ(batch->files.size(), 3U);
  EXPECT_EQ(batch->files[0].hash, second.hash);
  EXPECT_EQ(batch->files[1].hash, first.hash);
  EXPECT_EQ(batch->files[2].hash, FileHash{});
  EXPECT_TRUE(batch->files[2].terms.empty());
  ASSERT_EQ(batch->xorbs.size(), 2U);
  for (size_t i = 0; i < 2; ++i) {
    const auto& file = i == 0 ? second : first;
    ASSERT_EQ(batch->files[i].terms.size(), file.terms.size());
    for (size_t t = 0; t < file.terms.size(); ++t) {
      const auto& term = batch->files[i].terms[t];
      const auto& xorb = batch->xorbs.at(term.xorb);
      EXPECT_EQ(xorb.row.hash, file.terms[t].xorb);
      EXPECT_EQ(term.chunk_begin, file.terms[t].chunk_begin);
      EXPECT_EQ(std::count_if(xorb.ranges.begin(), xorb.ranges.end(),
                              [&](const auto& range) {
                                return range.chunk_begin <= term.chunk_begin &&
                                       term.chunk_end <= range.chunk_end;
                              }),
                1);
    }
  }
  for (const auto& xorb : batch->xorbs) {
    const auto ranges = xorb.row.hash == a_.hash ? std::vector<std::pair<uint32_t, uint32_t>>{{0, 5}, {8, 10}}
                                                 : std::vector<std::pair<uint32_t, uint32_t>>{{2, 6}};
    ASSERT_EQ(xorb.ranges.size(), ranges.size());
    for (size_t i = 0; i < ranges.size(); ++i) {
      EXPECT_EQ(std::pair(xorb.ranges[i].chunk_begin, xorb.ranges[i].chunk_end), ranges[i]);
    }
  }
  EXPECT_TRUE(service_->reconstruct_batch(mine, {})->files.empty());
  EXPECT_THAT(service_->reconstruct_batch(mine, std::vector<FileHash>(core::CasService::kMaxBatch)), IsOk());
  EXPECT_THAT(service_->reconstruct_batch(mine, std::vector<FileHash>(core::CasService::kMaxBatch + 1)),
              FailsWith(ErrorCode::kRefused));
}

TEST_F(ServiceTest, StatsCountWhatThereIs) {
  auto stats = service_->stats();
  ASSERT_THAT(stats, IsOk());
  EXPECT_EQ(stats->xorbs, 0U);
  EXPECT_EQ(stats->stored_bytes, 0U);
  EXPECT_EQ(stats->repositories, 1U);
  service_.put_file(service_.of("model/team/mine"), {&a_, &b_});
  service_.put_file(kOwner, {&a_});
  stats = service_->stats();
  ASSERT_THAT(stats, IsOk());
  EXPECT_EQ(stats->xorbs, 2U);
  EXPECT_EQ(stats->shards, 2U);
  EXPECT_EQ(stats->files, 2U);
  EXPECT_EQ(stats->repositories, 2U);
  const size_t a = content_of({{&a_, 0, 10}}).size();
  const size_t b = content_of({{&b_, 0, 10}}).size();
  EXPECT_EQ(stats->unpacked_bytes, a + b);
  EXPECT_EQ(stats->logical_bytes, 2 * a + b);
  uint64_t on_disk = 0;
  for (const auto& object : objects_in(dir_.path())) {
    if (object.starts_with("x/")) on_disk += fs::file_size(dir_ / object);
  }
  EXPECT_EQ(stats->stored_bytes, on_disk);
  EXPECT_GT(stats->free_bytes.value_or(0), 0U);
}

TEST_F(ServiceTest, ItIsHealthyUntilASyncFails) {
  class FailingSync final : public io::SystemCalls {
   public:
    int fsync(int /*fd*/) override {
      errno = EIO;
      return -1;
    }
  };
  EXPECT_TRUE(service_->healthy());
  {
    FailingSync calls;
    const io::ScopedSystemCalls scope(calls);
    EXPECT_THAT(service_.put_xorb(kOwner, a_), FailsWith(ErrorCode::kIo));
  }
  EXPECT_FALSE(service_->healthy());
  EXPECT_THAT(service_->begin_xorb(kOwner, a_.hash, {}), FailsWith(ErrorCode::kIo, "read-only"));
  EXPECT_THAT(service_->stats(), IsOk());
}

TEST_F(ServiceTest, KeysAreMadeOnceAndTheDatabaseIsThenItsOwnersAlone) {
  fs::permissions(dir_ / "meta.sqlite", fs::perms(0644));
  EXPECT_EQ(mode_of(dir_ / "meta.sqlite"), 0644U);
  const auto tokens = core::TokenAuthority::open(service_->meta(), service_.clock());
  ASSERT_THAT(tokens, IsOk());
  for (const char* name : {"meta.sqlite", "meta.sqlite-wal", "meta.sqlite-shm"}) {
    EXPECT_EQ(mode_of(dir_ / name), 0600U) << name;
  }
  Service again(dir_.path());
  const auto token = (*tokens)->issue({.expires_at_s = UINT64_MAX}).value();
  const auto same = core::TokenAuthority::open(again->meta(), again.clock());
  EXPECT_THAT((*same)->check(token), IsOk());

  const auto urls = core::UrlSigner::open(service_->meta(), service_.clock()).value();
  const auto same_urls = core::UrlSigner::open(again->meta(), again.clock()).value();
  EXPECT_THAT(same_urls->check_grant_id(urls->grant_id({.expires_at_s = UINT64_MAX})), IsOk());

  const TempDir elsewhere;
  Service other(elsewhere.path());
  const auto foreign = core::TokenAuthority::open(other->meta(), other.clock()).value();
  EXPECT_THAT(foreign->check(token), FailsWith(ErrorCode::kUnauthorized));
}

TEST_F(ServiceTest, ProcessesThatStartTogetherAgreeOnTheKeys) {
  for (int round = 0; round < 3; ++round) {
    const TempDir dir;
    constexpr uint64_t kProcesses = 4;
    {
      std::vector<std::unique_ptr<HelperProcess>> processes;
      for (uint64_t i = 0; i < kProcesses; ++i) {
        processes.push_back(std::make_unique<HelperProcess>("keys", i, dir / "store"));
      }
      for (const auto& each : processes) ASSERT_EQ(each->wait(), 0);
    }
    Service service(dir / "store");
    const auto tokens = core::TokenAuthority::open(service->meta(), service.clock()).value();
    const auto urls = core::UrlSigner::open(service->meta(), service.clock()).value();
    for (uint64_t i = 0; i < kProcesses; ++i) {
      std::ifstream in(dir / ("store.keys-" + std::to_string(i)));
      std::string token;
      std::string grant;
      ASSERT_TRUE(in >> token >> grant);
      EXPECT_THAT(tokens->check(token), IsOk()) << i;
      EXPECT_THAT(urls->check_grant_id(grant), IsOk()) << i;
    }
  }
}

/// A store that a program of schema version 1 made, from tests/golden.
class StoreOfVersion1 : public ::testing::Test {
 protected:
  StoreOfVersion1() {
    fs::copy(test_data("golden/store/v1"), dir_.path(),
             fs::copy_options::recursive | fs::copy_options::overwrite_existing);
    fs::permissions(dir_ / "meta.sqlite", fs::perms(0644));
  }
  int64_t version() {
    auto connection = store::sqlite::Connection::open(dir_ / "meta.sqlite",
                                                      {.health = std::make_shared<store::SyncHealth>()});
    auto query = (*connection)->query("SELECT version FROM schema_version");
    EXPECT_TRUE(*query->step());
    return query->integer(0);
  }
  const TempDir dir_;
};

TEST_F(StoreOfVersion1, IsMigratedAndReadsAsBefore) {
  ASSERT_EQ(version(), 1);
  {
    const auto cas = open_store(dir_.path());
    Store store(*cas);
    const auto files = nlohmann::json::parse(as_chars(read_bytes(dir_ / "files.json"))).at("files");
    ASSERT_EQ(files.size(), 2U);
    for (const auto& [hash, about] : files.items()) {
      std::string expected;
      for (int i = 0; i < about.at("lines").get<int>(); ++i) {
        expected += "line " + std::to_string(i) + " of the first file\n";
      }
      expected += about.at("tail").get<std::string>();
      const auto content = store.read(*FileHash::from_hex(hash));
      ASSERT_THAT(content, IsOk());
      EXPECT_EQ(as_chars(*content), expected);
    }
    const auto more = make_xorb(3, 5);
    EXPECT_TRUE(store.put_xorb(more)->was_inserted);
  }
  EXPECT_EQ(version(), store::latest_schema_version());
  Service service(dir_.path());
  EXPECT_THAT(core::TokenAuthority::open(service->meta(), service.clock()), IsOk());
  std::vector<std::string> found;
  const auto summary = service->fsck(
      {.deep = true}, [&](const auto& each) { found.push_back(each.object + ": " + each.message); }, {});
  ASSERT_THAT(summary, IsOk());
  EXPECT_THAT(found, ::testing::IsEmpty());
  EXPECT_EQ(summary->files, 3U);  // the empty file, too
}

TEST_F(StoreOfVersion1, IsMigratedByOneOfSeveralThatOpenItTogether) {
  std::vector<std::unique_ptr<HelperProcess>> processes;
  for (uint64_t i = 0; i < 4; ++i)
    processes.push_back(std::make_unique<HelperProcess>("keys", i, dir_.path()));
  for (const auto& each : processes) EXPECT_EQ(each->wait(), 0);
  EXPECT_EQ(version(), store::latest_schema_version());
}

}  // namespace
}  // namespace xet::testing

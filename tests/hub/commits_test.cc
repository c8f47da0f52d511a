#include <gmock/gmock.h>

#include <thread>

#include "hub/hub_fixture.h"

namespace xet::testing {
namespace {

using hub::Reason;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Commits : public ::testing::Test, public HubFixture {
 protected:
  std::string text(std::string_view path) {
    const auto file = must(hub.file(repo, must(hub.revision(repo, "main")), path));
    const auto content = must(hub.content(repo, file));
    return std::string(as_chars(content));
  }
  const store::HubRepository repo = make(model("alice", "one"));
};

TEST_F(Commits, PutAndDeleteFiles) {
  must(commit(repo, {put("a/b/c.txt", "1"), put("a/d", "2"), put("z", "3")}));
  EXPECT_THAT(paths(repo), ElementsAre(".gitattributes", "a/", "a/b/", "a/b/c.txt", "a/d", "z"));
  must(commit(repo, {remove("a/b/c.txt"), put("z", "4")}));
  EXPECT_THAT(paths(repo), ElementsAre(".gitattributes", "a/", "a/d", "z")) << "empty folders go";
  EXPECT_EQ(text("z"), "4");
  must(commit(repo, {remove_folder("a"), put("a/new", "5")}));
  EXPECT_THAT(paths(repo), ElementsAre(".gitattributes", "a/", "a/new", "z")) << "in order";
  must(commit(repo, {remove_folder("/")}));
  EXPECT_THAT(paths(repo), ElementsAre());
}

TEST_F(Commits, ThatChangeNothingAreNone) {
  const auto first = must(commit(repo, {put("a", "1")}));
  EXPECT_EQ(must(commit(repo, {put("a", "1")})), first);
  EXPECT_EQ(must(commit(repo, {})), first);
}

TEST_F(Commits, AreRefusedWhole) {
  const auto head = must(commit(repo, {put("a", "1"), put("folder/x", "1")}));
  const auto refused = [&](std::vector<hub::Operation> operations) {
    operations.insert(operations.begin(), put("new", "x"));
    const auto outcome = commit(repo, std::move(operations));
    EXPECT_FALSE(outcome);
    EXPECT_EQ(must(hub.revision(repo, "main")).commit, head);
    return outcome.error();
  };
  EXPECT_EQ(refused({remove("nope")}).reason, Reason::kNoEntry);
  EXPECT_THAT(refused({remove("nope")}).message, HasSubstr("A file with this name doesn't exist"));
  EXPECT_EQ(refused({remove_folder("a")}).reason, Reason::kNoEntry);
  EXPECT_EQ(refused({put("a/below", "x")}).reason, Reason::kInvalid) << "a is a file";
  EXPECT_EQ(refused({put("folder", "x")}).reason, Reason::kInvalid);
  EXPECT_EQ(refused({put("../x", "x")}).reason, Reason::kBadPath);
  EXPECT_EQ(refused({put(".git/config", "x")}).reason, Reason::kBadPath);
  EXPECT_EQ(refused({put("large", std::string(hub::Hub::kMaxRegularBytes + 1, 'x'))}).reason,
            Reason::kTooLarge);
  EXPECT_EQ(refused({put_lfs("x", hash::sha256(as_byte_span("never uploaded")))}).reason, Reason::kInvalid);
}

TEST_F(Commits, NameTheirParentOrTakeWhatThereIs) {
  const auto first = must(hub.revision(repo, "main")).commit;
  const auto second = must(commit(repo, {put("a", "1")}, first));
  const auto late = commit(repo, {put("b", "1")}, first);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().reason, Reason::kMoved);
  EXPECT_EQ(must(hub.revision(repo, "main")).commit, second);
  EXPECT_EQ(must(hub.commit(repo, must(commit(repo, {put("b", "1")})))).parent, second);
  EXPECT_EQ(hub.commit(alice, repo, "nope", {}).error().reason, Reason::kNoRevision);
  ASSERT_TRUE(hub.create_ref(repo, "refs/tags/", "v1", first));
  EXPECT_EQ(hub.commit(alice, repo, "refs/tags/v1", {}).error().reason, Reason::kNoRevision) << "tags stay";
}

TEST_F(Commits, TakeWhatWasUploadedToThisRepositoryOnly) {
  const auto file = upload(repo, 1);
  must(commit(repo, {put_lfs("w.bin", file.sha256)}));
  const auto entry = must(hub.file(repo, must(hub.revision(repo, "main")), "w.bin"));
  ASSERT_TRUE(entry.lfs);
  EXPECT_EQ(entry.lfs->file, file.file);
  EXPECT_EQ(entry.size_bytes, file.size_bytes);
  EXPECT_EQ(text("w.bin"), hub::encode_pointer({.sha256 = file.sha256, .size_bytes = file.size_bytes}));

  // To know the SHA-256 of somebody else's file gives nothing, also not by the text of a pointer.
  const auto other = must(hub.create(bob, model("bob", "two"), false)).repository;
  const auto stolen =
      hub.commit(bob, other, "main",
                 {.summary = {}, .description = {}, .parent = {}, .operations = {put_lfs("w", file.sha256)}});
  ASSERT_FALSE(stolen);
  EXPECT_EQ(stolen.error().reason, Reason::kInvalid);
  const auto pointer = hub::encode_pointer({.sha256 = file.sha256, .size_bytes = file.size_bytes});
  must(hub.commit(bob, other, "main",
                  {.summary = {}, .description = {}, .parent = {}, .operations = {put("w", pointer)}}));
  const auto seen = must(hub.file(other, must(hub.revision(other, "main")), "w"));
  EXPECT_FALSE(seen.lfs);
  EXPECT_EQ(seen.size_bytes, pointer.size());
}

TEST_F(Commits, KeepWhatASha256MeansInThem) {
  const auto file = upload(repo, 1);
  must(commit(repo, {put_lfs("w.bin", file.sha256)}));
  // Another file of the same (claimed) SHA-256: whoever uploads may say what he likes.
  const auto xorb = make_xorb(5, 2);
  const core::Principal who{.repository = repo.id};
  const ByteSpan body(xorb.body);
  (void)must(store.service->put_xorb(who, xorb.hash, std::span(&body, 1), {}));
  auto liar = make_file({{&xorb, 0, 5}});
  liar.sha256 = file.sha256;
  (void)must(store.service->put_shard(who, make_shard({liar}, {&xorb}), {}, {}));
  EXPECT_EQ(must(hub.lfs_file(repo, file.sha256))->file, file.file);
}

TEST_F(Commits, AreSharedByRightOfReading) {
  const auto file = upload(repo, 1);
  const auto other = must(hub.create(bob, model("bob", "two"), false)).repository;
  const auto unknown = upload(other, 3);
  const std::vector<Sha256Digest> wanted = {file.sha256, unknown.sha256};
  EXPECT_THAT(must(hub.share(repo, other, wanted)), ElementsAre(unknown.sha256));
  EXPECT_TRUE(must(hub.lfs_file(other, file.sha256)));
}

TEST_F(Commits, ClassifyUploads) {
  const auto file = upload(repo, 1);
  must(commit(repo, {put_lfs("w.bin", file.sha256), put("a.txt", "1")}));
  std::vector<hub::Preupload> files(6);
  files[0] = {.path = "w.bin", .size_bytes = 10, .sample = "text"};
  files[1] = {.path = "a.txt", .size_bytes = 10, .sample = "text"};
  files[2] = {.path = "b.txt", .size_bytes = 20'000'000, .sample = "text"};
  files[3] = {.path = "c", .size_bytes = 10, .sample = std::string("\0x", 2)};
  files[4] = {.path = "model.safetensors", .size_bytes = 10, .sample = "text"};
  files[5] = {.path = "config.json", .size_bytes = 10, .sample = "{}"};
  ASSERT_TRUE(hub.preupload(repo, must(hub.revision(repo, "main")), {}, files));
  std::vector<bool> as_lfs;
  for (const auto& each : files) as_lfs.push_back(each.as_lfs);
  EXPECT_THAT(as_lfs, ElementsAre(true, false, true, true, true, false));
  EXPECT_EQ(files[0].known_id, file.sha256.hex());
  EXPECT_EQ(files[1].known_id, hub::make_blob(as_byte_span("1")).id.hex());
  EXPECT_EQ(files[5].known_id, "");
  std::vector<bool> ignored;
  for (const auto& each : files) ignored.push_back(each.is_ignored);
  EXPECT_THAT(ignored, ::testing::Each(false));
  std::vector<hub::Preupload> many(257);
  EXPECT_EQ(hub.preupload(repo, must(hub.revision(repo, "main")), {}, many).error().reason,
            Reason::kTooLarge);
}

TEST_F(Commits, ClassifyByTheIgnoresOfTheRevisionOrOfTheCaller) {
  must(commit(repo, {put(".gitignore", "*.log\n/build/\n")}));
  const auto ignored = [&](const std::optional<std::string>& ignores) {
    std::vector<hub::Preupload> files;
    for (const char* path : {"a.log", "build/x", "src/build/x", "tmp/a"})
      files.push_back({.path = path, .size_bytes = 1, .sample = "x"});
    EXPECT_TRUE(hub.preupload(repo, must(hub.revision(repo, "main")), ignores, files));
    std::vector<bool> out;
    for (const auto& each : files) out.push_back(each.is_ignored);
    return out;
  };
  EXPECT_THAT(ignored({}), ElementsAre(true, true, false, false));
  EXPECT_THAT(ignored("tmp"), ElementsAre(false, false, false, true));
  EXPECT_THAT(ignored(""), ElementsAre(false, false, false, false));
}

TEST_F(Commits, DeleteAFolderThatIsCalledAFile) {
  must(commit(repo, {put("a/x", "1"), put("b", "1")}));
  must(commit(repo, {remove("a")}));
  EXPECT_THAT(paths(repo), ElementsAre(".gitattributes", "b"));
}

TEST_F(Commits, OfManyAtOnceAllCount) {
  constexpr int kThreads = 8;
  constexpr int kEach = 10;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kEach; ++i) {
          EXPECT_TRUE(commit(repo, {put("f/" + std::to_string(t) + "-" + std::to_string(i), "x")}));
        }
      });
    }
  }
  EXPECT_EQ(paths(repo).size(), 2u + kThreads * kEach);
  EXPECT_EQ(must(hub.commits(repo, must(hub.revision(repo, "main")), "", 1000)).items.size(),
            1u + kThreads * kEach);
}

}  // namespace
}  // namespace xet::testing

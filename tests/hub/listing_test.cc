#include <fmt/format.h>
#include <gmock/gmock.h>

#include <map>

#include "hub/hub_fixture.h"
#include "server/hub/tree_reader.h"

namespace xet::testing {
namespace {

using hub::Reason;
using ::testing::ElementsAre;

class Listing : public ::testing::Test, public HubFixture {
 protected:
  std::vector<std::string> listed(std::string_view path, bool recursive, size_t limit) {
    std::vector<std::string> out;
    hub::ListOptions options{.recursive = recursive, .with_last_commit = false, .after = {}, .limit = limit};
    do {
      auto page = must(hub.list_tree(repo, must(hub.revision(repo, "main")), path, options));
      EXPECT_LE(page.items.size(), limit);
      for (const auto& entry : page.items) out.push_back(entry.is_folder ? entry.path + "/" : entry.path);
      options.after = page.next;
    } while (!options.after.empty());
    return out;
  }
  const store::HubRepository repo = make(model("alice", "one"));
};

TEST_F(Listing, GivesTheSameByPagesOfAnySize) {
  must(commit(repo, {put("a/x", "1"), put("a.txt", "1"), put("a-b", "1"), put("a/y/z", "1"),
                     put("a/y/zz/1", "1"), put("b/1", "1"), put("c", "1")}));
  const auto all = listed("", true, 1000);
  EXPECT_THAT(all, ElementsAre(".gitattributes", "a-b", "a.txt", "a/", "a/x", "a/y/", "a/y/z", "a/y/zz/",
                               "a/y/zz/1", "b/", "b/1", "c"));
  for (size_t limit = 1; limit <= all.size(); ++limit) EXPECT_EQ(listed("", true, limit), all) << limit;
  EXPECT_THAT(listed("", false, 2), ElementsAre(".gitattributes", "a-b", "a.txt", "a/", "b/", "c"));
  EXPECT_THAT(listed("a", false, 1), ElementsAre("a/x", "a/y/"));
  EXPECT_THAT(listed("a/y", true, 1), ElementsAre("a/y/z", "a/y/zz/", "a/y/zz/1"));
}

TEST_F(Listing, RefusesWhatIsNoFolder) {
  must(commit(repo, {put("a/x", "1")}));
  const auto revision = must(hub.revision(repo, "main"));
  for (const char* path : {"nope", "a/x", "a/x/y", "a/nope"}) {
    EXPECT_EQ(hub.list_tree(repo, revision, path, {}).error().reason, Reason::kNoEntry) << path;
  }
  EXPECT_EQ(hub.list_tree(repo, revision, "../a", {}).error().reason, Reason::kBadPath);
  EXPECT_EQ(hub.file(repo, revision, "a").error().reason, Reason::kNoEntry) << "a folder is no file";
  const std::vector<std::string> paths = {"a", "nope", "a/x"};
  const auto found = must(hub.entries(repo, revision, paths, false));
  ASSERT_EQ(found.size(), 2u);
  EXPECT_TRUE(found[0].is_folder);
  EXPECT_EQ(found[1].size_bytes, 1u);
}

TEST_F(Listing, KnowsWhoChangedWhatLast) {
  const auto first = must(commit(repo, {put("a/x", "1"), put("b", "1")}));
  const auto second = must(commit(repo, {put("a/x", "2")}));
  const auto page = must(hub.list_tree(repo, must(hub.revision(repo, "main")), "",
                                       {.recursive = true, .with_last_commit = true, .after = {}}));
  std::map<std::string, hub::GitId> last;
  for (const auto& entry : page.items) last[entry.path] = entry.last_commit->id;
  EXPECT_EQ(last["a/x"], second);
  EXPECT_EQ(last["a"], second);
  EXPECT_EQ(last["b"], first);
}

TEST_F(Listing, KnowsTheLastCommitOfManyFilesAcrossALongHistory) {
  std::vector<hub::Operation> all;
  for (int i = 0; i < 50; ++i) all.push_back(put(fmt::format("d{}/f{}", i % 7, i), "0"));
  const auto first = must(commit(repo, all));
  std::map<std::string, hub::GitId> expected;
  for (int i = 0; i < 40; ++i) {
    const auto path = fmt::format("d{}/f{}", i % 7, i);
    expected[path] = must(commit(repo, {put(path, "1")}));
  }
  std::vector<std::string> paths;
  for (const auto& each : all) paths.push_back(each.path);
  for (const auto& entry : must(hub.entries(repo, must(hub.revision(repo, "main")), paths, true))) {
    const auto at = expected.find(entry.path);
    EXPECT_EQ(entry.last_commit->id, at == expected.end() ? first : at->second) << entry.path;
  }
}

TEST_F(Listing, ReadsATreeOnceUntilItHoldsTooMany) {
  must(commit(repo, {put("a/1", "1"), put("b/1", "1"), put("b/2", "1")}));
  const auto root = must(hub.revision(repo, "main")).tree;
  hub::TreeReader trees(*store.hub, repo.id, /*max_entries=*/5);
  const auto top = must(trees.tree(root));
  const auto a = must(trees.tree(top->at("a").id));
  EXPECT_EQ(must(trees.look_up(root, "a/1"))->id, a->at("1").id);
  EXPECT_FALSE(must(trees.look_up(root, "a/2")));
  EXPECT_EQ(must(trees.tree(root)), top);
  EXPECT_TRUE(must(trees.look_up(root, "b/2")));
  EXPECT_NE(must(trees.tree(root)), top) << "the names of b were too many beside those of a and the root";
  EXPECT_EQ(top->size(), 3u) << "who holds one keeps it";
}

}  // namespace
}  // namespace xet::testing

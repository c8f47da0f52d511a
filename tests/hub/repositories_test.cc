#include <gmock/gmock.h>

#include "hub/hub_fixture.h"

namespace xet::testing {
namespace {

using hub::Reason;
using hub::Right;
using ::testing::ElementsAre;

class Repositories : public ::testing::Test, public HubFixture {
 protected:
  std::vector<std::string> seen_by(const hub::Identity& who, std::string_view name_space = "") {
    std::vector<std::string> out;
    std::string after;
    do {
      auto page = must(hub.list(who, store::RepositoryType::kModel, name_space, "", after, 2));
      for (const auto& repository : page.items) out.push_back(repository.full_name());
      after = page.next;
    } while (!after.empty());
    return out;
  }
};

TEST_F(Repositories, BeginWithACommit) {
  const auto one = make(model("alice", "one"));
  const auto revision = must(hub.revision(one, "main"));
  EXPECT_EQ(must(hub.commit(one, revision.commit)).author, "alice");
  EXPECT_THAT(paths(one), ElementsAre(".gitattributes"));
  const auto again = must(hub.create(alice, model("alice", "one"), false));
  EXPECT_FALSE(again.is_new);
  EXPECT_EQ(again.repository.id, one.id);
}

TEST_F(Repositories, ArePrivateToTheirNamespace) {
  const auto secret = make(model("alice", "secret"), /*is_private=*/true);
  make(model("alice", "open"));
  make(model("team", "shared"), true);
  const auto nobody = hub::Accounts::nobody();
  for (const hub::Identity* who : {&std::as_const(bob), &nobody}) {
    EXPECT_EQ(hub.find(*who, model("alice", "secret"), Right::kRead).error().reason, Reason::kNoRepository);
    EXPECT_EQ(hub.find(*who, model("alice", "secret"), Right::kWrite).error().reason, Reason::kNoRepository)
        << "as if there were none";
    EXPECT_TRUE(hub.find(*who, model("alice", "open"), Right::kRead));
    EXPECT_THAT(seen_by(*who), ElementsAre("alice/open"));
  }
  EXPECT_EQ(hub.find(bob, model("alice", "open"), Right::kWrite).error().reason, Reason::kForbidden);
  EXPECT_EQ(hub.find(nobody, model("alice", "open"), Right::kWrite).error().reason, Reason::kBadCredentials);
  EXPECT_TRUE(hub.find(reader, model("alice", "secret"), Right::kRead));
  EXPECT_EQ(hub.find(reader, model("alice", "secret"), Right::kWrite).error().reason, Reason::kForbidden);
  EXPECT_THAT(seen_by(alice), ElementsAre("alice/secret", "alice/open", "team/shared"));
  EXPECT_THAT(seen_by(alice, "team"), ElementsAre("team/shared"));
  ASSERT_TRUE(hub.set_private(secret, false));
  EXPECT_TRUE(hub.find(bob, model("alice", "secret"), Right::kRead));
}

TEST_F(Repositories, AreCreatedWhereOneMay) {
  EXPECT_EQ(hub.create(bob, model("alice", "x"), false).error().reason, Reason::kForbidden);
  EXPECT_EQ(hub.create(reader, model("alice", "x"), false).error().reason, Reason::kForbidden);
  EXPECT_EQ(hub.create(hub::Accounts::nobody(), model("alice", "x"), false).error().reason,
            Reason::kBadCredentials);
  EXPECT_EQ(hub.create(alice, model("datasets", "x"), false).error().reason, Reason::kInvalid);
  EXPECT_EQ(hub.create(alice, model("alice", "x.git"), false).error().reason, Reason::kInvalid);
  EXPECT_TRUE(hub.create(hub::Accounts::local(), model("local", "x"), false));
}

TEST_F(Repositories, ThatAreDeletedGiveTheirNameAndNothingElse) {
  const auto first = make(model("alice", "one"));
  const auto file = upload(first, 1);
  ASSERT_TRUE(hub.remove(alice, model("alice", "one")));
  EXPECT_EQ(hub.find(alice, model("alice", "one"), Right::kRead).error().reason, Reason::kNoRepository);
  EXPECT_FALSE(must(hub.find(first.id)));
  EXPECT_THAT(seen_by(alice), ElementsAre());
  const auto second = make(model("alice", "one"));
  EXPECT_NE(second.id, first.id);
  EXPECT_FALSE(must(hub.lfs_file(second, file.sha256)))
      << "what was uploaded to the old one is not the new one's";
  EXPECT_EQ(hub.remove(bob, model("alice", "one")).error().reason, Reason::kForbidden);
}

TEST_F(Repositories, Move) {
  const auto one = make(model("alice", "one"));
  make(model("alice", "taken"));
  EXPECT_EQ(hub.move(alice, model("alice", "one"), model("alice", "taken")).error().reason, Reason::kExists);
  EXPECT_EQ(hub.move(alice, model("alice", "one"), model("bob", "one")).error().reason, Reason::kForbidden);
  ASSERT_TRUE(hub.move(alice, model("alice", "one"), model("team", "two")));
  EXPECT_EQ(must(hub.find(alice, model("team", "two"), Right::kWrite)).id, one.id);
  EXPECT_EQ(must(hub.find(alice, model("alice", "one"), Right::kRead)).full_name(), "team/two");
  EXPECT_EQ(hub.remove(alice, model("alice", "one")).error().reason, Reason::kNoRepository)
      << "what goes has to be called what it is called";
  ASSERT_TRUE(hub.move(alice, model("team", "two"), model("team", "Two")));
  EXPECT_EQ(must(hub.find(alice, model("Alice", "ONE"), Right::kRead)).full_name(), "team/Two");
  const auto another = make(model("alice", "one"));
  EXPECT_NE(another.id, one.id);
  EXPECT_EQ(must(hub.find(alice, model("alice", "one"), Right::kRead)).id, another.id);
  ASSERT_TRUE(hub.remove(alice, model("team", "two")));
  EXPECT_FALSE(hub.find(alice, model("team", "two"), Right::kRead));
}

TEST_F(Repositories, KeepTheirOldNameFromStrangersToo) {
  make(model("team", "secret"), /*is_private=*/true);
  ASSERT_TRUE(hub.move(alice, model("team", "secret"), model("alice", "hidden")));
  for (const auto& name : {model("team", "secret"), model("alice", "hidden"), model("alice", "HIDDEN")}) {
    EXPECT_EQ(hub.find(bob, name, Right::kRead).error().reason, Reason::kNoRepository);
    EXPECT_TRUE(hub.find(alice, name, Right::kWrite));
  }
}

TEST_F(Repositories, AreTheSameInAnyCase) {
  const auto one = make(model("alice", "One"));
  EXPECT_EQ(must(hub.find(alice, model("ALICE", "one"), Right::kWrite)).id, one.id);
  const auto again = must(hub.create(alice, model("alice", "one"), false));
  EXPECT_FALSE(again.is_new);
  EXPECT_EQ(again.repository.full_name(), "alice/One");
  EXPECT_EQ(hub.create(alice, model("Alice", "two"), false).error().reason, Reason::kForbidden);
  EXPECT_FALSE(hub.accounts().add_user("ALICE"));
}

TEST_F(Repositories, AreInNamespacesThatAreKnownToWhoSeesThem) {
  EXPECT_TRUE(hub.check_known_namespace(bob, "alice")) << "a user";
  EXPECT_TRUE(hub.check_known_namespace(alice, "team")) << "hers, with nothing in it";
  const auto secret = make(model("team", "x"), /*is_private=*/true);
  EXPECT_EQ(hub.check_known_namespace(bob, "team").error().reason, Reason::kNoRepository);
  EXPECT_EQ(hub.check_known_namespace(bob, "nobody").error().reason, Reason::kNoRepository);
  ASSERT_TRUE(hub.set_private(secret, false));
  EXPECT_TRUE(hub.check_known_namespace(bob, "team"));
}

TEST_F(Repositories, HaveBranchesAndTags) {
  const auto one = make(model("alice", "one"));
  const auto first = must(hub.revision(one, "main")).commit;
  ASSERT_TRUE(hub.create_ref(one, "refs/heads/", "feat/x", first));
  ASSERT_TRUE(hub.create_ref(one, "refs/tags/", "v1", first));
  EXPECT_EQ(hub.create_ref(one, "refs/tags/", "v1", first).error().reason, Reason::kExists);
  EXPECT_EQ(hub.create_ref(one, "refs/heads/", "feat", first).error().reason, Reason::kExists);
  EXPECT_EQ(hub.create_ref(one, "refs/heads/", "a..b", first).error().reason, Reason::kInvalid);
  const auto second = must(commit(one, {put("a", "1")}));
  EXPECT_EQ(must(hub.revision(one, "v1")).commit, first);
  EXPECT_EQ(must(hub.revision(one, "feat/x")).commit, first);
  EXPECT_EQ(must(hub.revision(one, "refs/heads/main")).commit, second);
  EXPECT_EQ(must(hub.revision(one, first.hex())).commit, first);
  EXPECT_EQ(must(hub.revision(one, first.hex().substr(0, 7))).commit, first);
  EXPECT_EQ(must(hub.revision(one, second.hex().substr(0, 39))).commit, second);
  EXPECT_EQ(hub.revision(one, first.hex().substr(0, 6)).error().reason, Reason::kNoRevision);
  const auto tree = must(hub.revision(one, "main")).tree.hex();
  EXPECT_EQ(hub.revision(one, tree.substr(0, 10)).error().reason, Reason::kNoRevision) << "no commit";
  for (const char* name : {"nope", "", "refs/heads/nope", "0000000000000000000000000000000000000000"}) {
    EXPECT_EQ(hub.revision(one, name).error().reason, Reason::kNoRevision) << name;
  }
  EXPECT_EQ(hub.delete_ref(one, "refs/heads/", "main").error().reason, Reason::kForbidden);
  ASSERT_TRUE(hub.delete_ref(one, "refs/heads/", "feat/x"));
  EXPECT_EQ(hub.delete_ref(one, "refs/heads/", "feat/x").error().reason, Reason::kNoRevision);
  const auto page = must(hub.commits(one, must(hub.revision(one, "main")), "", 1));
  ASSERT_EQ(page.items.size(), 1u);
  EXPECT_EQ(page.items[0].first, second);
  EXPECT_EQ(page.next, first.hex());
  ASSERT_TRUE(hub.squash(alice, one, "main", "all of it"));
  EXPECT_EQ(must(hub.commits(one, must(hub.revision(one, "main")), "", 10)).items.size(), 1u);
  EXPECT_THAT(paths(one), ElementsAre(".gitattributes", "a"));
}

}  // namespace
}  // namespace xet::testing

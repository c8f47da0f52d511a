// Ids are those that `git` itself gives: `git hash-object`, `git write-tree`.
#include "server/hub/git.h"

#include <gmock/gmock.h>

#include "hash/sha256.h"
#include "support/matchers.h"

namespace xet::hub {
namespace {

ByteVector bytes(std::string_view text) {
  const auto span = as_byte_span(text);
  return {span.begin(), span.end()};
}

Tree sample_tree() {
  const auto a = encode_tree({{"x", {.id = make_blob(bytes("x")).id}}});
  const auto c = encode_tree({{"y", {.id = make_blob(bytes("y")).id}}});
  const auto b = encode_tree({{"c", {.id = c.id, .is_folder = true}}});
  return {{"a", {.id = a.id, .is_folder = true}},
          {"a-b", {.id = make_blob(bytes("z")).id}},
          {"a.txt", {.id = make_blob(bytes("hello\n")).id}},
          {"b", {.id = b.id, .is_folder = true}}};
}

TEST(Git, NamesObjectsAsGitDoes) {
  EXPECT_EQ(make_blob(bytes("hello\n")).id.hex(), "ce013625030ba8dba906f756967f9e9ca394464a");
  EXPECT_EQ(encode_tree({}).id.hex(), "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
  EXPECT_EQ(encode_tree(sample_tree()).id.hex(), "7f6a2ea515e61c15e92ff3996cd69cdbd7bbf374")
      << "folders are sorted as if they ended with a slash";
  const Commit commit{.tree = encode_tree(sample_tree()).id,
                      .parent = {},
                      .author = "alice",
                      .time_s = 1'700'000'000,
                      .message = "first\n"};
  EXPECT_EQ(encode_commit(commit).id.hex(), "b424a206e01cd5be22d3909aa0e793f3f7bacb48");
  const auto pointer = encode_pointer({.sha256 = hash::sha256(bytes("abc")), .size_bytes = 1234});
  EXPECT_EQ(make_blob(bytes(pointer)).id.hex(), "26573a3601713a58308fd2ed3def2bd0c5f09e3f");
}

TEST(Git, ReadsWhatItWrites) {
  const auto tree = encode_tree(sample_tree());
  const auto read = decode_tree(tree.data);
  ASSERT_TRUE(read);
  EXPECT_EQ(encode_tree(*read).id, tree.id);
  Commit commit{.tree = tree.id, .parent = tree.id, .author = "bob", .time_s = -5, .message = "a\n\nb\nc\n"};
  const auto decoded = decode_commit(encode_commit(commit).data);
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(decoded->tree, commit.tree);
  EXPECT_EQ(decoded->parent, commit.parent);
  EXPECT_EQ(decoded->author, "bob");
  EXPECT_EQ(decoded->time_s, -5);
  EXPECT_EQ(decoded->title(), "a");
  EXPECT_EQ(decoded->description(), "b\nc");
}

TEST(Git, RefusesWhatIsDamaged) {
  for (const char* text : {"1", "100644 a", "100755 a\0abcdefghijklmnopqrst", "40000 a\0short"}) {
    EXPECT_THAT(decode_tree(as_byte_span(std::string_view(text, 27).substr(0, std::strlen(text)))),
                testing::FailsWith(ErrorCode::kCorruption));
  }
  for (const char* text : {"", "tree x\n", "tree 7f6a2ea515e61c15e92ff3996cd69cdbd7bbf374\n",
                           "tree 7f6a2ea515e61c15e92ff3996cd69cdbd7bbf374\nparent 1\n",
                           "tree 7f6a2ea515e61c15e92ff3996cd69cdbd7bbf374\nauthor x\ncommitter x\n\nm"}) {
    EXPECT_THAT(decode_commit(as_byte_span(text)), testing::FailsWith(ErrorCode::kCorruption)) << text;
  }
}

TEST(Git, TakesForAPointerOnlyWhatIsOne) {
  const std::string good = encode_pointer({.sha256 = hash::sha256({}), .size_bytes = 10});
  ASSERT_TRUE(decode_pointer(as_byte_span(good)));
  EXPECT_EQ(decode_pointer(as_byte_span(good))->size_bytes, 10u);
  std::string upper = good;
  upper[upper.find("sha256:") + 7] = 'E';
  const std::vector<std::string> bad = {"",
                                        good.substr(0, good.size() - 1),
                                        good + "\n",
                                        good.substr(0, good.find("size")) + "size 010\n",
                                        good.substr(0, good.find("size")) + "size -1\n",
                                        good.substr(0, good.find("size")) + "size \n",
                                        upper,
                                        "x" + good,
                                        std::string(500, 'v')};
  for (const auto& text : bad) EXPECT_FALSE(decode_pointer(as_byte_span(text))) << text;
}

}  // namespace
}  // namespace xet::hub

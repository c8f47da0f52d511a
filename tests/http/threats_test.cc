// What an attacker can try against a server that others keep private files on, one test for each row of the
// table of threats that the server is designed against. Mallory is bob: he has an account, a repository of
// his own, and knows the names and the hashes of everything, but none of the bytes.
#include <gmock/gmock.h>

#include "format/shard.h"
#include "hash/blake3.h"
#include "http/hub_routes.h"

namespace xet::testing {
namespace {

using ::testing::AnyOf;
using ::testing::Eq;

class Threats : public HubRoutes {
 protected:
  Threats() {
    make("secret", /*is_private=*/true);
    make("public");
    for (const auto& [kind, name] : {std::pair{"model", "own"}, {"dataset", "own"}}) {
      EXPECT_EQ(
          ask("POST", "/api/repos/create", foreign_, Json{{"name", name}, {"type", kind}}.dump()).status,
          200);
    }
    EXPECT_EQ(ask("POST", "/api/buckets/bob/own", foreign_, "{}").status, 200);
    EXPECT_EQ(ask("POST", "/api/buckets/alice/secret", writer_, R"({"private":true})").status, 200);
    file_.sha256 = hash::sha256(content_of({{&xorb_, 0, kChunks}}));
    upload(cas_token("models/alice/secret", writer_));
    commit_large("alice/secret", writer_, oid(), 200);
  }

  /// For the CAS, from the Hub; empty when it gave none.
  std::string cas_token(const std::string& repository, const std::string& hub_token,
                        const char* kind = "write") {
    const auto answer = ask("GET", fmt::format("/api/{}/xet-{}-token/main", repository, kind), hub_token);
    return answer.status == 200 ? Json::parse(answer.body)["accessToken"].get<std::string>() : std::string();
  }
  std::string bobs_cas_token() { return cas_token("models/bob/own", foreign_); }

  HttpAnswer post_shard(const std::string& cas_token, const format::FileRecord& file,
                        const std::vector<const SampleXorb*>& xorbs) {
    return ask("POST", "/v1/shards", cas_token, as_chars(make_shard({file}, xorbs)));
  }
  void upload(const std::string& cas_token) {
    EXPECT_EQ(ask("POST", "/v1/xorbs/default/" + xorb_.hash.hex(), cas_token, as_chars(xorb_.body)).status,
              200);
    EXPECT_EQ(post_shard(cas_token, file_, {&xorb_}).status, 200);
  }
  void commit_large(const std::string& repository, const std::string& hub_token, const std::string& oid,
                    int status) {
    const auto answer =
        ask("POST", fmt::format("/api/models/{}/commit/main", repository), hub_token,
            R"({"key":"header","value":{"summary":"x"}})"
            "\n" +
                Json{{"key", "lfsFile"}, {"value", {{"path", "w.bin"}, {"oid", oid}}}}.dump());
    EXPECT_EQ(answer.status, status) << answer.body;
  }
  std::string bobs_bytes() {
    const auto where = ask("GET", "/bob/own/resolve/main/w.bin", foreign_);
    return where.status == 302 ? ask("GET", path_of(where.header("Location"))).body : std::string();
  }

  std::string oid() const { return file_.sha256->hex(); }
  std::string xet_hash() const { return file_.hash.hex(); }

  static constexpr uint32_t kChunks = 40;
  const SampleXorb xorb_ = make_xorb(kChunks, 1);
  format::FileRecord file_ = make_file({{&xorb_, 0, kChunks}});
};

TEST_F(Threats, ATokenOfOneRepositoryUsedOnAnother) {
  EXPECT_EQ(cas_token("models/alice/secret", foreign_), "") << "the repository is not there for him";
  EXPECT_EQ(cas_token("models/alice/secret", foreign_, "read"), "");
  EXPECT_EQ(cas_token("models/alice/public", foreign_), "") << "he may read it, not write";
  EXPECT_NE(cas_token("models/alice/public", foreign_, "read"), "");
  const auto alices_other = cas_token("models/alice/public", writer_);
  for (const auto& token :
       {bobs_cas_token(), cas_token("models/alice/public", foreign_, "read"), alices_other}) {
    for (const char* route : {"/v1/reconstructions/", "/v2/reconstructions/", "/v1/files/"}) {
      const auto method = std::string_view(route) == "/v1/files/" ? "HEAD" : "GET";
      EXPECT_EQ(ask(method, route + xet_hash(), token).status, 404) << route;
    }
  }
  EXPECT_EQ(ask("GET", "/v2/reconstructions/" + xet_hash(), cas_token("models/alice/secret", reader_, "read"))
                .status,
            200);
}

TEST_F(Threats, KnowingTheSha256OfAPrivateFile) {
  commit_large("bob/own", foreign_, oid(), 400);
  const auto batch = [&](const char* operation) {
    const auto body =
        Json{{"operation", operation}, {"objects", {{{"oid", oid()}, {"size", file_.size_bytes()}}}}};
    return Json::parse(
        ask("POST", "/bob/own.git/info/lfs/objects/batch", foreign_, body.dump()).body)["objects"][0];
  };
  EXPECT_TRUE(batch("upload")["actions"].contains("upload"))
      << "as if nobody had it: he has to bring the bytes";
  EXPECT_EQ(batch("download")["error"]["code"], 404);
  const auto verify = Json{{"oid", oid()}, {"size", file_.size_bytes()}}.dump();
  EXPECT_EQ(ask("POST", "/bob/own.git/info/lfs/objects/verify", foreign_, verify).status, 404);
  const auto duplicate =
      Json{{"target", {{"type", "model"}, {"name", "bob/own"}}},
           {"files", {{{"xetHash", xet_hash()}, {"sha256", oid()}, {"filename", "w.bin"}}}}};
  EXPECT_EQ(ask("POST", "/api/models/alice/secret/lfs-files/duplicate", foreign_, duplicate.dump()).status,
            404);
  const auto from_public =
      ask("POST", "/api/models/alice/public/lfs-files/duplicate", foreign_, duplicate.dump());
  EXPECT_NE(Json::parse(from_public.body).value("failed", Json::array()), Json::array()) << from_public.body;
  commit_large("bob/own", foreign_, oid(), 400);
  for (const char* path : {"/alice/secret/resolve/main/w.bin", "/api/models/alice/secret/tree/main",
                           "/api/models/alice/secret", "/buckets/alice/secret/resolve/w.bin"}) {
    EXPECT_EQ(ask("GET", path, foreign_).status, 404) << path;
  }
}

TEST_F(Threats, KnowingTheXetHashOfAPrivateFile) {
  const auto batch = [&](const Json& line) {
    const auto answer = ask("POST", "/api/buckets/bob/own/batch", foreign_, line.dump());
    EXPECT_THAT(answer.status, AnyOf(Eq(422), Eq(404))) << answer.body;
  };
  batch({{"type", "addFile"}, {"path", "w"}, {"xetHash", xet_hash()}, {"mtime", 1}});
  for (const auto& [type, id] : {std::pair{"model", "alice/secret"},
                                 {"model", "alice/public"},
                                 {"bucket", "alice/secret"},
                                 {"bucket", "bob/own"}}) {
    batch({{"type", "copyFile"},
           {"path", "w"},
           {"xetHash", xet_hash()},
           {"sourceRepoType", type},
           {"sourceRepoId", id}});
  }
  EXPECT_EQ(ask("GET", "/api/buckets/bob/own/tree?recursive=true", foreign_).body, "[]");
  EXPECT_EQ(ask("GET", "/v2/reconstructions/" + xet_hash(), bobs_cas_token()).status, 404) << "404, not 403";
  EXPECT_EQ(ask("GET", "/v2/reconstructions/" + std::string(64, 'a'), bobs_cas_token()).status, 404)
      << "the same as for what nobody has";
}

TEST_F(Threats, AFileOverTheXorbOfSomebodyElse) {
  // He knows the xorb and how long its chunks are. What he does not know are the hashes of the chunks.
  format::FileRecord guess = file_;
  guess.sha256.reset();
  auto& verification = guess.verification.front();
  verification = RangeHash::from_words(1, 2, 3, 4);
  EXPECT_EQ(post_shard(bobs_cas_token(), guess, {}).status, 400);
  guess.has_verification = false;
  guess.verification.clear();
  EXPECT_EQ(post_shard(bobs_cas_token(), guess, {}).status, 400) << "without any";
  EXPECT_EQ(ask("GET", "/v2/reconstructions/" + xet_hash(), bobs_cas_token()).status, 404);

  // One who can say all of it has had the bytes.
  EXPECT_EQ(post_shard(bobs_cas_token(), file_, {}).status, 200);
  EXPECT_EQ(ask("GET", "/v2/reconstructions/" + xet_hash(), bobs_cas_token()).status, 200);
}

TEST_F(Threats, ChunkHashesLearntFromADedupAnswer) {
  const auto target = "/v1/chunks/default/" + xorb_.chunk_hashes[0].hex();
  const auto answer = ask("GET", target, cas_token("models/alice/public", writer_));
  ASSERT_EQ(answer.status, 200) << "of the same namespace";
  const auto shard = format::Shard::parse(as_byte_span(answer.body));
  ASSERT_TRUE(shard.has_value());
  EXPECT_TRUE(shard->files.empty());
  ASSERT_TRUE(shard->footer.has_value());
  EXPECT_FALSE(shard->footer->key.is_zero()) << "hashes are keyed: they compare, and tell nothing";
  for (const auto& chunk : xorb_.chunk_hashes) {
    const bool is_told = answer.body.find(as_chars(chunk.raw())) != std::string::npos;
    EXPECT_FALSE(is_told);
  }
  const auto keyed = hash::keyed_chunk_hash(shard->footer->key, xorb_.chunk_hashes[7]);
  EXPECT_EQ(shard->xorbs.at(0).chunks.at(7).hash, keyed) << "who has a chunk finds it";
}

TEST_F(Threats, ProbingWhetherSomebodyStoresAChunk) {
  // Of her private repository there is nothing to be found either through her public one, which he may read.
  for (const auto& token : {bobs_cas_token(), cas_token("models/alice/public", foreign_, "read")}) {
    for (const auto& chunk : xorb_.chunk_hashes)
      EXPECT_EQ(ask("GET", "/v1/chunks/default/" + chunk.hex(), token).status, 404);
  }
}

TEST_F(Threats, AUrlForSomeChunksUsedForTheirNeighbours) {
  const auto token = cas_token("models/alice/secret", reader_, "read");
  const auto answer = ask("GET", "/v2/reconstructions/" + xet_hash(), token, {}, {{"Range", "bytes=0-10"}});
  ASSERT_EQ(answer.status, 200);
  const auto entry = Json::parse(answer.body)["xorbs"][xorb_.hash.hex()][0];
  const uint64_t end = entry["ranges"][0]["bytes"]["end"];
  ASSERT_LT(end + 1, xorb_.body.size());
  const auto url = path_of(entry["url"].get<std::string>());
  const auto fetch = [&](uint64_t from, uint64_t to) {
    return ask("GET", url, {}, {}, {{"Range", fmt::format("bytes={}-{}", from, to)}}).status;
  };
  EXPECT_EQ(fetch(0, end), 206);
  EXPECT_EQ(fetch(0, end + 1), 403);
  EXPECT_EQ(fetch(end + 1, xorb_.body.size() - 1), 403);
  EXPECT_EQ(ask("GET", url).status, 403) << "all of it";
}

TEST_F(Threats, AChunkThatSaysItIsHuge) {
  // Version, 3 bytes packed length, scheme, 3 bytes unpacked length: 16 MiB - 1 out of 8 bytes.
  ByteVector bomb(16, std::byte{0});
  bomb[1] = std::byte{8};
  bomb[4] = std::byte{1};
  bomb[5] = bomb[6] = bomb[7] = std::byte{0xff};
  const auto answer =
      ask("POST", "/v1/xorbs/default/" + std::string(64, 'b'), bobs_cas_token(), as_chars(bomb));
  EXPECT_EQ(answer.status, 400) << answer.body;
}

TEST_F(Threats, PathsThatLeadElsewhere) {
  for (const char* path : {"../../meta.sqlite", "..%2f..%2fmeta.sqlite", "%2e%2e/meta.sqlite",
                           "a/../../admin-token", "%2Fetc%2Fpasswd", "w.bin%00", "a%0Ab", ".%2f", "%ff%fe"}) {
    for (const auto* root : {"/alice/secret/resolve/main/", "/buckets/alice/secret/resolve/",
                             "/api/models/alice/secret/tree/main/"}) {
      const auto answer = ask("GET", std::string(root) + path, writer_);
      EXPECT_THAT(answer.status, AnyOf(Eq(400), Eq(404), Eq(422))) << root << path;
    }
  }
}

TEST_F(Threats, TokensAnywhereButInTheHeader) {
  for (const auto& target : {"/api/models/alice/secret", "/api/whoami-v2"}) {
    for (const auto& [where, headers] : std::vector<std::pair<std::string, HttpHeaders>>{
             {"", {{"Cookie", "token=" + writer_}}},
             {"", {{"Cookie", "Authorization=Bearer " + writer_}}},
             {"?token=" + writer_, {}},
             {"?access_token=" + writer_, {}}}) {
      const auto answer = ask("GET", target + where, {}, {}, headers);
      EXPECT_THAT(answer.status, AnyOf(Eq(401), Eq(404))) << target << where;
      EXPECT_EQ(answer.header("Set-Cookie"), "");
    }
  }
}

TEST_F(Threats, ALieAboutASha256) {
  // Bytes of his own, said to be alice's: whoever reads his repository gets what he put there, nobody else
  // does.
  const auto lie = make_xorb(3, 77);
  auto file = make_file({{&lie, 0, 3}});
  file.sha256 = file_.sha256;
  ASSERT_EQ(ask("POST", "/v1/xorbs/default/" + lie.hash.hex(), bobs_cas_token(), as_chars(lie.body)).status,
            200);
  ASSERT_EQ(post_shard(bobs_cas_token(), file, {&lie}).status, 200);
  commit_large("bob/own", foreign_, oid(), 200);
  EXPECT_EQ(bobs_bytes(), as_chars(content_of({{&lie, 0, 3}})));
  const auto alices = ask("GET", "/alice/secret/resolve/main/w.bin", writer_);
  EXPECT_EQ(ask("GET", path_of(alices.header("Location"))).body,
            as_chars(content_of({{&xorb_, 0, kChunks}})));
  // Nor does it say anything of her file to another repository of his.
  const auto body = Json{{"operation", "download"}, {"objects", {{{"oid", oid()}, {"size", 1}}}}};
  const auto other = ask("POST", "/datasets/bob/own.git/info/lfs/objects/batch", foreign_, body.dump());
  EXPECT_EQ(Json::parse(other.body)["objects"][0]["error"]["code"], 404);
}

}  // namespace
}  // namespace xet::testing

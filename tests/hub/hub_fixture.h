#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "hash/sha256.h"
#include "server/core/embedded_store.h"
#include "server/hub/hub.h"
#include "server/sample_store.h"
#include "support/fake_clock.h"
#include "support/temp_dir.h"

namespace xet::testing {

/// The value of an outcome; throws what was refused.
template <class T>
T must(hub::Outcome<T> outcome) {
  if (!outcome) throw std::runtime_error(outcome.error().message + outcome.error().store.message);
  if constexpr (!std::is_void_v<T>) return *std::move(outcome);
}
template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return *std::move(result);
}

inline ByteVector bytes_of(std::string_view text) {
  const auto bytes = as_byte_span(text);
  return {bytes.begin(), bytes.end()};
}

/// A Hub on a fresh store, with users alice (may write to alice and team), bob (to bob) and reader (reads
/// alice).
class HubFixture {
 public:
  HubFixture() {
    for (const char* name : {"alice", "bob", "reader"}) must(hub.accounts().add_user(name));
    alice = login("alice", store::TokenRole::kWrite, {"alice", "team"});
    bob = login("bob", store::TokenRole::kWrite, {});
    reader = login("reader", store::TokenRole::kRead, {"alice"});
  }

  hub::Identity login(const std::string& user, store::TokenRole role, std::vector<std::string> name_spaces) {
    const auto token = must(hub.accounts().create_token(
        {.user = user, .role = role, .name_spaces = std::move(name_spaces), .label = {}, .expires = {}}));
    return must(hub.accounts().identify(token));
  }

  static store::RepositoryName model(std::string_view name_space, std::string_view name) {
    return {.type = store::RepositoryType::kModel, .name_space = name_space, .name = name};
  }
  static store::RepositoryName bucket(std::string_view name_space, std::string_view name) {
    return {.type = store::RepositoryType::kBucket, .name_space = name_space, .name = name};
  }
  store::HubRepository make(const store::RepositoryName& name, bool is_private = false) {
    return must(hub.create(alice, name, is_private)).repository;
  }

  /// Uploads a file to a repository, as a client of the CAS does.
  store::LfsFile upload(const store::HubRepository& repository, uint64_t seed) {
    const core::Principal who{.repository = repository.id};
    const auto xorb = make_xorb(5, seed);
    const ByteSpan body(xorb.body);
    (void)must(store.service->put_xorb(who, xorb.hash, std::span(&body, 1), {}));
    const std::vector<ChunkRun> runs = {{&xorb, 0, 5}};
    auto file = make_file(runs);
    const auto content = content_of(runs);
    file.sha256 = hash::sha256(content);
    (void)must(store.service->put_shard(who, make_shard({file}, {&xorb}), {}, {}));
    return {.sha256 = *file.sha256, .file = file.hash, .size_bytes = content.size()};
  }

  static hub::Operation put(std::string path, std::string_view content) {
    return {.kind = hub::Operation::Kind::kFile,
            .path = std::move(path),
            .content = bytes_of(content),
            .sha256 = {}};
  }
  static hub::Operation put_lfs(std::string path, const Sha256Digest& sha256) {
    return {.kind = hub::Operation::Kind::kLfsFile, .path = std::move(path), .content = {}, .sha256 = sha256};
  }
  static hub::Operation remove(std::string path) {
    return {.kind = hub::Operation::Kind::kDeleteFile, .path = std::move(path), .content = {}, .sha256 = {}};
  }
  static hub::Operation remove_folder(std::string path) {
    return {
        .kind = hub::Operation::Kind::kDeleteFolder, .path = std::move(path), .content = {}, .sha256 = {}};
  }
  hub::Outcome<hub::GitId> commit(const store::HubRepository& repository,
                                  std::vector<hub::Operation> operations,
                                  std::optional<hub::GitId> parent = {}) {
    return hub.commit(
        alice, repository, "main",
        {.summary = "change", .description = {}, .parent = parent, .operations = std::move(operations)});
  }
  /// All paths of a revision, folders with a slash behind them.
  std::vector<std::string> paths(const store::HubRepository& repository, std::string_view revision = "main") {
    std::vector<std::string> out;
    const auto page = must(hub.list_tree(repository, must(hub.revision(repository, revision)), "",
                                         {.recursive = true, .with_last_commit = false, .after = {}}));
    for (const auto& entry : page.items) out.push_back(entry.is_folder ? entry.path + "/" : entry.path);
    return out;
  }

  const TempDir dir;
  FakeClock clock;
  core::EmbeddedStore store = must(core::open_embedded_store(dir / "store", {.clock = &clock}));
  hub::Hub hub{*store.hub, clock};
  hub::Identity alice;
  hub::Identity bob;
  hub::Identity reader;
};

}  // namespace xet::testing

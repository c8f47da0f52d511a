#pragma once

#include <cstdlib>

#include "server/store/meta_store.h"

namespace xet::testing {

/// Metadata that holds nothing but keys, the same in every run.
class FixedKeys final : public store::MetaStore {
 public:
  explicit FixedKeys(std::byte fill = std::byte{7}, uint32_t n_keys = 1) : fill_(fill), n_keys_(n_keys) {}

  Result<std::vector<store::SigningKey>> signing_keys(
      store::KeyPurpose purpose, const std::function<Result<ByteVector>()>& /*make*/) override {
    std::vector<store::SigningKey> out;
    for (uint32_t i = 0; i < n_keys_; ++i) {
      ByteVector secret(32, fill_);
      secret.front() = static_cast<std::byte>(purpose);
      secret.back() = static_cast<std::byte>(i);
      out.push_back({.id = i + 1, .secret = std::move(secret)});
    }
    return out;
  }

  // Nothing else is asked for.
  Result<store::XorbLookup> find_xorb(const XorbHash&) override { std::abort(); }
  Result<std::vector<std::optional<store::XorbRow>>> find_usable_xorbs(std::span<const XorbHash>) override {
    std::abort();
  }
  Result<store::XorbInsert> insert_xorb(store::RepositoryId, const store::XorbRow&) override { std::abort(); }
  Result<bool> revive_xorb(const store::XorbRow&) override { std::abort(); }
  Result<std::optional<store::FileRow>> find_file(const FileHash&) override { std::abort(); }
  Result<bool> may_read(store::RepositoryId, const FileHash&) override { std::abort(); }
  Result<std::optional<store::FileRow>> find_file_of(store::RepositoryId, const FileHash&) override {
    std::abort();
  }
  Result<bool> touch_shard(store::RepositoryId, const ShardHash&) override { std::abort(); }
  Result<store::ShardCommitOutcome> commit_shard(const store::ShardCommit&) override { std::abort(); }
  Result<std::vector<store::XorbRow>> find_key_chunk(store::RepositoryId, const ChunkHash&,
                                                     uint32_t) override {
    std::abort();
  }
  Result<std::optional<store::RepositoryId>> find_repository(const store::RepositoryName&) override {
    std::abort();
  }
  Result<store::RepositoryId> ensure_repository(const store::RepositoryName&) override { std::abort(); }
  Result<store::MetaTotals> totals() override { std::abort(); }
  Result<std::vector<store::XorbRow>> xorbs_after(uint64_t, uint32_t) override { std::abort(); }
  Result<std::vector<store::ShardRow>> shards_after(uint64_t, uint32_t) override { std::abort(); }
  Result<std::vector<NumberedFile>> files_after(uint64_t, uint32_t) override { std::abort(); }
  Result<bool> shard_exists(const ShardHash&) override { std::abort(); }
  Result<std::vector<std::string>> find_inconsistencies(bool) override { std::abort(); }

 private:
  const std::byte fill_;
  const uint32_t n_keys_;
};

}  // namespace xet::testing

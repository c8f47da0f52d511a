#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "server/core/cas_service.h"
#include "server/hub/accounts.h"
#include "server/hub/git.h"
#include "server/hub/refusal.h"
#include "server/store/hub_store.h"

namespace xet::hub {

enum class Right : uint8_t { kRead, kWrite };

/// A name in a listing of a repository.
struct Entry {
  std::string path;
  GitId id;
  bool is_folder = false;
  uint64_t size_bytes = 0;
  std::optional<store::LfsFile> lfs;  ///< the file's bytes are in the CAS
  uint64_t pointer_bytes = 0;         ///< of its pointer

  struct LastCommit {
    GitId id;
    std::string title;
    int64_t time_s = 0;
  };
  std::optional<LastCommit> last_commit;  ///< where it was asked for, and is among the last Hub::kMaxHistory
};

struct ListOptions {
  bool recursive = false;
  bool with_last_commit = false;
  std::string after;  ///< the `next` of the page before
  size_t limit = 1000;
};

template <class T>
struct Page {
  std::vector<T> items;
  std::string next;  ///< empty: there are no more
};

/// One line of a commit.
struct Operation {
  enum class Kind : uint8_t { kFile, kLfsFile, kDeleteFile, kDeleteFolder };
  Kind kind = Kind::kFile;
  std::string path;
  ByteVector content;   ///< of kFile
  Sha256Digest sha256;  ///< of kLfsFile
};

struct CommitRequest {
  std::string summary;
  std::string description;
  std::optional<GitId> parent;  ///< the head must be this; otherwise whatever it is at that moment
  std::vector<Operation> operations;
};

struct Revision {
  GitId commit;
  GitId tree;
};

/// A file that is about to be uploaded, and what became of the question.
struct Preupload {
  std::string path;
  uint64_t size_bytes = 0;
  std::string sample;  ///< its first bytes

  bool as_lfs = false;
  bool is_ignored = false;
  std::string known_id;  ///< of what the path holds now: SHA-256 or Git's id; empty: nothing
};

/// One line of a bucket batch.
struct BucketOperation {
  enum class Kind : uint8_t { kAdd, kCopy, kDelete };
  Kind kind = Kind::kAdd;
  std::string path;
  FileHash file;
  std::optional<store::TimeMs> modified;
  std::string content_type;
  std::optional<store::HubRepository> source;  ///< of kCopy: one that the caller may read
};

struct BucketFailure {
  std::string path;
  std::string error;
};

/// A name in a listing of a bucket.
struct BucketItem {
  std::string path;
  bool is_folder = false;
  store::BucketEntry file;     ///< of a file
  store::TimeMs uploaded = 0;  ///< of a folder: of the first file found in it
};

/// What a Hub does, without a protocol: repositories with commits, buckets, and who may see and change them.
/// Real Git objects from the first commit on. Calls block; thread-safe.
///
/// Callers get a repository by find(), which checks what an identity may do; everything else takes such a
/// repository and checks nothing again.
class Hub {
 public:
  static constexpr size_t kMaxPreupload = 256;
  static constexpr size_t kMaxOperations = 25'000;
  static constexpr size_t kMaxBatch = 1'000;
  static constexpr size_t kMaxPaths = 1'000;
  /// Larger ones are asked to be uploaded to the CAS, and refused in a commit.
  static constexpr uint64_t kMaxRegularBytes = 10'000'000;
  /// How many commits are looked through for the last one of a path.
  static constexpr size_t kMaxHistory = 1'000;

  /// All must outlive this.
  Hub(store::HubStore& store, const Clock& clock) : store_(store), clock_(clock), accounts_(store, clock) {}

  Accounts& accounts() { return accounts_; }
  const Accounts& accounts() const { return accounts_; }

  // --- Repositories and buckets (repositories.cc)

  /// kNoRepository when there is none, or it is private and not the caller's; kForbidden when he sees it and
  /// may not write.
  Outcome<store::HubRepository> find(const Identity& who, const store::RepositoryName& name, Right right);
  /// The same by number: what a token of the CAS stands for.
  Outcome<std::optional<store::HubRepository>> find(store::RepositoryId id);
  /// `is_new` false: there was one, which the caller sees; nothing was done.
  Outcome<store::HubStore::Created> create(const Identity& who, const store::RepositoryName& name,
                                           bool is_private);
  Done remove(const Identity& who, const store::RepositoryName& name);
  Done move(const Identity& who, const store::RepositoryName& from, const store::RepositoryName& to);
  /// kNoRepository unless it is a user's name, one of the caller's, or he sees a repository in it.
  Done check_known_namespace(const Identity& who, std::string_view name);
  Done set_private(const store::HubRepository& repository, bool is_private);
  /// Those that the caller sees. `name_space` empty: of all.
  Outcome<Page<store::HubRepository>> list(const Identity& who, store::RepositoryType type,
                                           std::string_view name_space, std::string_view search,
                                           const std::string& after, size_t limit);

  // --- Revisions (revisions.cc)

  /// A branch, a tag, a whole ref name, a commit id, or the first seven or more digits of one.
  Outcome<Revision> revision(const store::HubRepository& repository, std::string_view name);
  Outcome<std::vector<store::Ref>> refs(const store::HubRepository& repository);
  Outcome<Page<std::pair<GitId, Commit>>> commits(const store::HubRepository& repository,
                                                  const Revision& revision, const std::string& after,
                                                  size_t limit);
  Outcome<Commit> commit(const store::HubRepository& repository, const GitId& id);
  /// `ref` is a full name. kExists when there is one, kInvalid for names that cannot be.
  Done create_ref(const store::HubRepository& repository, std::string_view folder, std::string_view name,
                  const GitId& commit);
  Done delete_ref(const store::HubRepository& repository, std::string_view folder, std::string_view name);
  /// One commit without parent, of what the branch holds.
  Done squash(const Identity& who, const store::HubRepository& repository, std::string_view branch,
              std::string_view message);

  // --- Listing (listing.cc)

  /// kNoEntry when there is no such folder.
  Outcome<Page<Entry>> list_tree(const store::HubRepository& repository, const Revision& revision,
                                 std::string_view path, const ListOptions& options);
  /// In the order of `paths`, those that are there.
  Outcome<std::vector<Entry>> entries(const store::HubRepository& repository, const Revision& revision,
                                      std::span<const std::string> paths, bool with_last_commit);
  /// kNoEntry when it is not there, or a folder.
  Outcome<Entry> file(const store::HubRepository& repository, const Revision& revision,
                      std::string_view path);
  /// The bytes of a file that is not in the CAS.
  Outcome<ByteVector> content(const store::HubRepository& repository, const Entry& file);

  // --- Committing (committing.cc)

  /// How each of the files is to be uploaded. `ignores`: a `.gitignore` in place of the one of the revision.
  Done preupload(const store::HubRepository& repository, const Revision& revision,
                 const std::optional<std::string>& ignores, std::span<Preupload> files);
  /// The new head of the branch; the old one when nothing has changed. kInvalid names a file that was never
  /// uploaded to this repository, kNoEntry what cannot be deleted, kMoved a head that is not `parent`,
  /// kTooLarge a file of more than kMaxRegularBytes.
  Outcome<GitId> commit(const Identity& who, const store::HubRepository& repository, std::string_view branch,
                        const CommitRequest& request);
  /// Lets `to` have what `from` has. Gives those that `from` has not.
  Outcome<std::vector<Sha256Digest>> share(const store::HubRepository& from, const store::HubRepository& to,
                                           std::span<const Sha256Digest> files);
  /// Whether the content was uploaded to this repository.
  Outcome<std::optional<store::LfsFile>> lfs_file(const store::HubRepository& repository,
                                                  const Sha256Digest& sha256);

  // --- Buckets (buckets.cc)

  Outcome<store::BucketTotals> totals(const store::HubRepository& bucket);
  /// Files, and unless `recursive` folders, below `prefix` in whole components; the file itself when it is
  /// one. Empty when there are none.
  Outcome<Page<BucketItem>> list_bucket(const store::HubRepository& bucket, std::string_view prefix,
                                        const ListOptions& options);
  Outcome<std::vector<store::BucketEntry>> bucket_files(const store::HubRepository& bucket,
                                                        std::span<const std::string> paths);
  /// kNoEntry when it is not there.
  Outcome<store::BucketEntry> bucket_file(const store::HubRepository& bucket, std::string_view path);
  /// Does what can be done, all at once; says what could not.
  Outcome<std::vector<BucketFailure>> batch(const store::HubRepository& bucket,
                                            std::span<const BucketOperation> operations);

 private:
  Outcome<std::optional<GitId>> commit_by_prefix(const store::HubRepository& repository,
                                                 std::string_view hex);
  /// Content of a regular file; "" when there is none.
  Outcome<std::string> text_of(const store::HubRepository& repository, const Revision& revision,
                               std::string_view path);
  Done fill(const store::HubRepository& repository, std::span<Entry> entries);
  Done fill_last_commits(const store::HubRepository& repository, const Revision& revision,
                         std::span<Entry> entries);
  int64_t now_s() const;
  store::TimeMs now_ms() const;

  store::HubStore& store_;
  const Clock& clock_;
  Accounts accounts_;
};

}  // namespace xet::hub

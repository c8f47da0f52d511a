#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "xet/client.h"
#include "xet/export.h"
#include "xet/hash.h"
#include "xet/result.h"

/// Repositories and buckets on a Hub (huggingface.co, `xet serve`): what files they have, and commits. The
/// bytes of large files travel through the store that Hub::connect() opens, by UploadSession and
/// DownloadSession.
namespace xet {

enum class HubKind : uint8_t { kModel, kDataset, kSpace, kBucket };

/// One repository or bucket.
struct HubAddress {
  HubKind kind = HubKind::kModel;
  std::string name;      ///< NAMESPACE/NAME
  std::string revision;  ///< a branch, tag or commit; empty for buckets, which have none
};

/// Whether it begins with "hf:".
XET_EXPORT bool is_hub_endpoint(std::string_view endpoint);

/// hf:TYPE/NAMESPACE/NAME[@REVISION], TYPE one of models, datasets, spaces, or hf:buckets/NAMESPACE/NAME;
/// also hf://…, and the types in the singular. Without a revision it is "main". kInvalidArgument for anything
/// else.
XET_EXPORT Result<HubAddress> parse_hub_address(std::string_view endpoint);

/// Which Hub, and as whom.
struct HubOptions {
  std::string url = "https://huggingface.co";  ///< http(s), no slash at the end
  std::string token;                           ///< empty: as nobody in particular
};
/// As huggingface_hub: HF_ENDPOINT; HF_TOKEN, HUGGING_FACE_HUB_TOKEN or the file that HF_TOKEN_PATH or
/// HF_HOME says, which `hf auth login` writes; no token when HF_HUB_DISABLE_IMPLICIT_TOKEN is set.
XET_EXPORT HubOptions hub_options_from_environment();

/// A file as the Hub lists it.
struct HubFile {
  std::string path;
  uint64_t size_bytes = 0;
  std::optional<FileHash> file;        ///< in the store; nothing for what only the Hub itself hands out
  std::optional<Sha256Digest> sha256;  ///< of large files in repositories
  std::string git_id;                  ///< of the blob, 40 hex digits; empty in buckets
};

/// What the Hub makes of a path that is about to be uploaded.
struct HubTreatment {
  bool is_regular = false;  ///< goes into the commit itself, and not into the store
  bool is_ignored = false;  ///< the repository's .gitignore says so
  std::string current_id;   ///< what the path has now: hex of SHA-256 or blob id; empty: nothing
};

/// What Hub::treatment() looks at.
struct HubCandidate {
  std::string path;
  uint64_t size_bytes = 0;
  std::vector<std::byte> sample;  ///< the first bytes, at most kSampleBytes of them
  static constexpr size_t kSampleBytes = 512;
};

/// A file that a commit adds or replaces.
struct HubAddition {
  std::string path;
  std::optional<std::vector<std::byte>> content;  ///< of a regular file; else it is in the store:
  FileHash file;
  std::optional<Sha256Digest> sha256;  ///< required where there are commits
  uint64_t size_bytes = 0;
  int64_t modified_ms = 0;  ///< since 1970; kept by buckets only
};

/// One repository or bucket on a Hub. All calls block; a fired `stop` ends them soon, with kCancelled. What
/// can be sent twice is tried again as the configuration says; a commit is not, once the Hub may have got it.
/// Thread-safe.
class XET_EXPORT Hub {
 public:
  class Impl;
  /// Sends nothing yet. Of `client` the HTTP part's headers, user agent and notices are used, and its
  /// configuration.
  static Result<std::shared_ptr<Hub>> open(HubAddress address, HubOptions options,
                                           const ClientOptions& client = {});
  explicit Hub(std::unique_ptr<Impl> impl);
  ~Hub();

  const HubAddress& address() const;

  enum class Access : uint8_t { kRead, kWrite };
  /// Opens the store of this repository, with a token that renews itself.
  Result<std::shared_ptr<Client>> connect(Access access, const std::stop_token& stop = {}) const;

  /// Makes it; one that is there stays as it is.
  Status create(const std::stop_token& stop = {}) const;
  /// The commit that the revision means now, 40 hex digits; empty for buckets.
  Result<std::string> head(const std::stop_token& stop = {}) const;

  /// The files at `commit` (from head()), sorted by path: all of them, or those that `path` means: a file, or
  /// a folder with everything below. kNotFound when `path` means nothing.
  Result<std::vector<HubFile>> files(std::string_view commit, std::string_view path,
                                     const std::stop_token& stop = {}) const;

  /// Delivers a file, or a range of it, as the Hub hands it out itself: what HubFile::file is missing of. One
  /// that is delivered whole is compared with its SHA-256 or blob id at the end: kCorruption. Returns the
  /// bytes delivered.
  using Sink = std::function<Status(std::span<const std::byte>)>;
  Result<uint64_t> read(std::string_view commit, const HubFile& file, std::optional<FileRange> range,
                        const Sink& sink, const std::stop_token& stop = {}) const;

  /// One for each candidate, in order. Buckets have nothing regular and ignore nothing, and are not asked.
  Result<std::vector<HubTreatment>> treatment(std::span<const HubCandidate> candidates,
                                              const std::stop_token& stop = {}) const;

  /// Makes all of it visible at once, as one commit on the branch; returns its id. In a bucket, which has no
  /// commits, up to 1,000 files at once, and the result is empty.
  Result<std::string> commit(std::span<const HubAddition> additions, std::string_view message,
                             const std::stop_token& stop = {}) const;

 private:
  std::unique_ptr<Impl> impl_;
};

/// The id that Git gives a blob, 40 hex digits.
XET_EXPORT std::string git_blob_id(std::span<const std::byte> content);

}  // namespace xet

#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "cas/cas.h"
#include "session/client_impl.h"
#include "support/fake_cas.h"
#include "support/fake_clock.h"
#include "xet/download.h"
#include "xet/upload.h"

namespace xet::testing {

inline constexpr size_t kMiB = size_t{1} << 20;

/// Under a sanitizer everything takes ten times as long; tests of sizes take smaller ones then.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

/// std::stop_source, made where the compiler does not see it: g++ 12 warns, wrongly, of one on the stack.
class StopSource {
 public:
  StopSource();
  std::stop_token get_token() const { return source_->get_token(); }
  bool request_stop() const { return source_->request_stop(); }

 private:
  std::unique_ptr<std::stop_source> source_;
};

/// A client of a store that the test keeps.
std::shared_ptr<Client> client_of(std::shared_ptr<cas::Cas> cas, size_t threads = 2,
                                  size_t max_memory_bytes = 64 * kMiB, const Clock& clock = system_clock(),
                                  const Client::Impl::Tuning& tuning = {});

/// The hash that these bytes have as a file, by the plain functions.
FileHash hash_of(ByteSpan bytes);

/// Uploads pieces of memory in one session, named "0", "1", ….
Result<UploadReport> upload(const std::shared_ptr<Client>& client, const std::vector<ByteVector>& contents,
                            UploadOptions options = {}, FileOptions file = {});
/// One of them; fails the test (by an exception) when anything does.
FileReport upload_one(const std::shared_ptr<Client>& client, ByteSpan content);

/// What a download gives, without its file.
Result<ByteVector> download(const std::shared_ptr<Client>& client, const FileHash& file,
                            std::optional<FileRange> range = std::nullopt);
Result<ByteVector> stream(const std::shared_ptr<Client>& client, const FileHash& file,
                          std::optional<FileRange> range = std::nullopt, const SessionOptions& options = {});

/// total = deduped + new, in bytes and chunks, for each file and the session.
void expect_sums_hold(const UploadReport& report);

/// The names in a directory, sorted.
std::vector<std::string> names_in(const std::filesystem::path& directory);
size_t n_open_fds();
size_t n_threads();

}  // namespace xet::testing

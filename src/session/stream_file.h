#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "session/client_impl.h"
#include "xet/download.h"

namespace xet::session {

struct StreamRequest {
  FileHash file;
  std::optional<FileRange> range;
  std::optional<uint64_t> size_bytes;  ///< expected size of the whole file, checked where it shows
  /// Its total is raised as the file is planned, unless size or range say it; what is done is for the
  /// consumer to count.
  std::shared_ptr<FileProgress> progress;
};

/// What xet::stream_file() does.
Result<uint64_t> stream_file(Client::Impl& shared, const StreamRequest& request,
                             const std::function<Status(std::span<const std::byte>)>& sink,
                             const SessionOptions& options);

}  // namespace xet::session

#pragma once

#include <filesystem>
#include <memory>
#include <thread>
#include <vector>

#include "exec/in_flight.h"
#include "session/ingest.h"
#include "session/monitor.h"
#include "xet/result.h"

namespace xet::session {

/// Puts a path into an Ingest as what it is. A regular file goes in with its size. A pipe, a device, or a
/// file that says it is empty but is not (/proc), has no size to go by and may block for ever, so a thread of
/// its own pushes its bytes. Use from one thread at a time. The destructor waits for those threads; they end
/// soon once the monitor has stopped.
class SourceOpener {
 public:
  SourceOpener(Ingest& ingest, const exec::InFlight& in_flight, Monitor& monitor)
      : ingest_(ingest), in_flight_(in_flight), monitor_(monitor) {}

  /// Counts the size in the monitor and in `progress`, at once or, where it is not known, as the bytes come.
  /// An error when the path cannot be used; the source is then not in the Ingest.
  Status add(size_t source, const std::filesystem::path& path, bool want_sha256,
             std::shared_ptr<FileProgress> progress = {});

 private:
  Status push_from(io::File file, size_t source, bool want_sha256, std::shared_ptr<FileProgress> progress);

  Ingest& ingest_;
  const exec::InFlight& in_flight_;
  Monitor& monitor_;
  std::vector<std::jthread> threads_;
};

}  // namespace xet::session

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apps/xet/context.h"
#include "xet/hub.h"

namespace xet::cli {

/// A file or stdin that is to become a file of a repository.
struct HubSource {
  std::string name;  ///< as reported, and to open; "-" is stdin
  std::string path;  ///< in the repository
  // Of a file, as ask_treatment() found it; of stdin 0 and the time then.
  uint64_t size_bytes = 0;
  int64_t modified_ms = 0;  ///< since 1970
  HubTreatment treatment;
};

/// The files that the paths of a command mean, and what they become in the repository: a file its own name,
/// what lies below a directory its path below it, all of it behind `to`, which is a folder when it ends with
/// '/' or when there is more than one file, and else the name. Failures are reported: what comes back is
/// worth using only if the context has none.
std::vector<HubSource> collect_hub_sources(Context& context, const std::vector<std::string>& paths,
                                           bool recursive, const std::string& to);

/// Asks the Hub how each is to be uploaded. Reads the first bytes of each file, not of stdin, which goes into
/// the store without asking. What cannot be read is reported, what the repository ignores is told, and both
/// are taken out.
Status ask_treatment(Context& context, const Hub& hub, std::vector<HubSource>& sources);

}  // namespace xet::cli

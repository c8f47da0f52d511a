#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "net/transport.h"
#include "xet/hub.h"
#include "xet/result.h"

/// What a Hub is asked and answers, as text: paths of its routes, bodies, JSON. Pure. Answers are kCorruption
/// when they are not what the contract says (docs/hub.md).
namespace xet::hub_wire {

/// "/api/models/NAMESPACE/NAME" + `rest`.
std::string api(const HubAddress& address, std::string_view rest = {});
/// Where the Hub hands out a file itself.
std::string resolve(const HubAddress& address, std::string_view commit, std::string_view path);
/// First page of everything below a folder ("": below the root).
std::string tree(const HubAddress& address, std::string_view commit, std::string_view folder);

/// One entry of a listing.
struct Entry {
  bool is_folder = false;
  HubFile file;  ///< of a folder only the path
};
Result<std::vector<Entry>> parse_entries(ByteSpan json);
/// The URL of the next page; nullopt at the end.
std::optional<std::string> next_page(const net::Headers& headers);

struct Body {
  std::string type;  ///< for Content-Type
  std::string text;
};
Body create(const HubAddress& address);
Body paths_info(const HubAddress& address, std::string_view path);
Body preupload(std::span<const HubCandidate> candidates);
Body commit(std::span<const HubAddition> additions, std::string_view message);
Body batch(std::span<const HubAddition> additions);

/// In the order of the candidates.
Result<std::vector<HubTreatment>> parse_treatment(ByteSpan json, std::span<const HubCandidate> candidates);
/// A text member of an object.
Result<std::string> parse_member(ByteSpan json, const char* name);
/// An error when a batch says that it failed in part.
Status check_batch(ByteSpan json);

}  // namespace xet::hub_wire

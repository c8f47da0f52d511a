#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "server/core/cas_service.h"
#include "server/core/reconstruct.h"

namespace xet::http {

/// Gives the URL under which some ranges of a xorb can be fetched. Its text needs no escaping in JSON.
using UrlOf = std::function<std::string(const core::Reconstruction::Xorb& xorb,
                                        std::span<const core::Reconstruction::Range> ranges)>;

/// The bodies of answers, in the order of members that the genuine server has. `v2` puts at most
/// `max_ranges_per_url` ranges under one URL; `v1` has a URL for each range, for its readers want no others
/// in it.
std::string reconstruction_v2_json(const core::Reconstruction& plan, const UrlOf& url_of,
                                   size_t max_ranges_per_url);
std::string reconstruction_v1_json(const core::Reconstruction& plan, const UrlOf& url_of);
std::string batch_json(const core::BatchReconstruction& batch, const UrlOf& url_of);

/// `text` between quotes, escaped. What is no ASCII becomes '?': names in logs, not content.
std::string quoted(std::string_view text);

}  // namespace xet::http

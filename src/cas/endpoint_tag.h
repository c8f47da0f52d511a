#pragma once

#include <string>
#include <string_view>

namespace xet::cas {

/// Name of the directory where a client keeps what belongs to an endpoint, the same as the genuine client's:
/// readable start, then a hash of the text exactly as it was given.
std::string endpoint_tag(std::string_view endpoint);

}  // namespace xet::cas

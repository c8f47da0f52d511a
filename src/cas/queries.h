#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

#include "cas/context.h"

namespace xet::cas {

/// The read calls of the protocol, each as cas::Cas promises it. They hold a token of the context's in-flight
/// counter until their callback has run.

void ask_file_size(HttpContext& context, const FileHash& file, const std::stop_token& stop,
                   Callback<uint64_t> done);

void ask_reconstruction(HttpContext& context, const FileHash& file, std::optional<ByteRange> range,
                        const std::stop_token& stop, Callback<Reconstruction> done);

/// How to rebuild several files, in the order of the answer; files that the store does not know are left out.
void ask_reconstructions(HttpContext& context, const std::vector<FileHash>& files,
                         const std::stop_token& stop,
                         Callback<std::vector<std::pair<FileHash, Reconstruction>>> done);

void ask_dedup(HttpContext& context, const ChunkHash& chunk, std::stop_token stop,
               Callback<std::optional<ByteVector>> done);

void ask_xorb_exists(HttpContext& context, const XorbHash& xorb, std::stop_token stop, Callback<bool> done);

/// A token from the refresh URL of the options.
void ask_token(HttpContext& context, std::stop_token stop, Callback<TokenAnswer> done);

}  // namespace xet::cas

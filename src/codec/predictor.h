#pragma once

#include <array>

#include "base/bytes.h"
#include "codec/scheme.h"

namespace xet::codec {

/// The scheme that will probably make `chunk` smallest, from samples of it: a few microseconds at most, and
/// a fraction of one on random data. kNone means that compression cannot pay; when in doubt it says a scheme
/// that is worth trying. Only size depends on it, never a hash. docs/adr/0003-compression-choice.md.
Scheme predict_scheme(ByteSpan chunk);

/// The predictor of the genuine client: how much the bit counts of the bytes in each of the four positions
/// modulo 4 differ from those of all bytes (Kullback-Leibler divergence). NaN for a position in which some
/// bit count from 0 to 8 never occurs.
std::array<double, 4> kl_divergences(ByteSpan chunk);

/// The choice of the genuine client, kLz4 or kBg4Lz4, for where choices must equal its own. It decides by
/// the first chunk of every 32 of a file. Positions with a NaN divergence take no part.
Scheme reference_scheme(ByteSpan chunk);

}  // namespace xet::codec

// Reads a stored xorb of the released client with our reader and writes the same chunks again with our
// writer, footer included: reencode_xorb IN OUT POLICY. Prints, as JSON, how many chunks took which scheme.
#include <fmt/format.h>

#include <cstdio>

#include "format/xorb.h"
#include "format/xorb_footer.h"
#include "format/xorb_stream.h"
#include "support/temp_dir.h"

namespace {

using namespace xet;

struct Reencoded {
  ByteVector object;
  size_t n_by_scheme[3] = {};
  size_t n_unlike = 0;  // chunks whose bytes differ from those that came
};

Result<Reencoded> reencode(ByteSpan object, codec::Policy policy) {
  Reencoded out;
  codec::Codec reading;
  codec::Codec writing;
  format::XorbFooterBuilder builder;
  ByteVector room(format::max_encoded_chunk(format::kMaxChunkBytes));
  format::XorbStreamReader reader(
      reading, format::XorbStreamReader::Footer::kAllowed, [&](const format::StreamedChunk& chunk) -> Status {
        const size_t n = format::encode_chunk(chunk.unpacked, policy, writing, room);
        const ByteSpan encoded = ByteSpan(room).first(n);
        XET_TRY(const auto header,
                format::ChunkHeader::parse(encoded.first<format::ChunkHeader::kEncodedSize>()));
        ++out.n_by_scheme[static_cast<size_t>(header.scheme)];
        if (as_chars(encoded) != as_chars(chunk.encoded)) ++out.n_unlike;
        append_bytes(out.object, encoded);
        return builder.add(chunk.hash, header.packed_len, header.unpacked_len);
      });
  XET_TRY_STATUS(reader.feed(object));
  XET_TRY(const auto footer, reader.finish());
  const format::XorbFooter ours = builder.finish();
  if (ours.hash != footer.hash) return fail(ErrorCode::kInternal, "the same chunks gave another xorb hash");
  ours.append_to(out.object);
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  const auto policy = argc == 4 ? codec::parse_policy(argv[3]) : std::nullopt;
  if (!policy) {
    fmt::print(stderr, "usage: reencode_xorb IN OUT auto|none|lz4|bg4-lz4\n");
    return 2;
  }
  const auto done = reencode(testing::read_bytes(argv[1]), *policy);
  if (!done) {
    fmt::print(stderr, "{}: {}\n", argv[1], done.error().message);
    return 1;
  }
  testing::write_bytes(argv[2], done->object);
  fmt::print("{{\"none\":{},\"lz4\":{},\"bg4_lz4\":{},\"unlike\":{},\"bytes\":{}}}\n", done->n_by_scheme[0],
             done->n_by_scheme[1], done->n_by_scheme[2], done->n_unlike, done->object.size());
  return 0;
}

#include <fmt/format.h>

#include <optional>
#include <vector>

#include "apps/xet/inspect.h"
#include "base/try.h"
#include "codec/codec.h"
#include "format/xorb.h"
#include "format/xorb_footer.h"
#include "hash/blake3.h"
#include "hash/tree.h"

namespace xet::cli {

namespace {

using format::ChunkHeader;
using format::XorbFooter;

constexpr std::string_view kFooterTag = "XETBLOB";

std::string_view scheme_name(codec::Scheme scheme) {
  switch (scheme) {
    case codec::Scheme::kNone:
      return "none";
    case codec::Scheme::kLz4:
      return "lz4";
    case codec::Scheme::kBg4Lz4:
      return "bg4-lz4";
  }
  return "?";
}

struct Row {
  uint64_t offset = 0;  // of the header
  ChunkHeader header;
  std::optional<ChunkHash> computed;  // with --verify
};

/// What a walk over the chunks found before it met the footer, the end, or something wrong.
struct Walk {
  std::vector<Row> rows;
  uint64_t end = 0;  // of the last whole chunk
  uint64_t unpacked_bytes = 0;
  bool at_footer = false;
  Status status;
};

class ChunkWalker {
 public:
  ChunkWalker(ByteSpan bytes, bool verify) : bytes_(bytes), verify_(verify) {}

  Walk walk() {
    while (out_.end < bytes_.size() && !out_.at_footer && out_.status) out_.status = next();
    return std::move(out_);
  }

 private:
  tl::unexpected<Error> wrong(const Error& error) const {
    return fail(error.code,
                fmt::format("chunk {} at offset {}: {}", out_.rows.size(), out_.end, error.message));
  }
  tl::unexpected<Error> wrong(std::string message) const {
    return wrong(Error{ErrorCode::kCorruption, std::move(message)});
  }

  Status next() {
    const ByteSpan rest = bytes_.subspan(static_cast<size_t>(out_.end));
    if (rest.size() < ChunkHeader::kEncodedSize) {
      return wrong(fmt::format("the object ends inside the header, after {} of {} bytes", rest.size(),
                               ChunkHeader::kEncodedSize));
    }
    const auto header_bytes = rest.first<ChunkHeader::kEncodedSize>();
    if (ChunkHeader::is_footer_marker(header_bytes)) {
      out_.at_footer = true;
      return {};
    }
    auto header = ChunkHeader::parse(header_bytes);
    if (!header) return wrong(header.error());
    if (out_.rows.size() == format::kMaxXorbChunks) {
      return wrong(fmt::format("more than {} chunks", format::kMaxXorbChunks));
    }
    const ByteSpan after = rest.subspan(ChunkHeader::kEncodedSize);
    if (after.size() < header->packed_len) {
      return wrong(fmt::format("the object ends inside the payload, after {} of {} bytes", after.size(),
                               header->packed_len));
    }
    Row row{.offset = out_.end, .header = *header, .computed = {}};
    if (verify_) {
      scratch_.resize(format::kMaxChunkBytes);
      auto chunk = format::decode_chunk(*header, after.first(header->packed_len), codec_, scratch_);
      if (!chunk) return wrong(chunk.error());
      row.computed = hash::chunk_hash(*chunk);
    }
    out_.rows.push_back(row);
    out_.end += ChunkHeader::kEncodedSize + header->packed_len;
    out_.unpacked_bytes += header->unpacked_len;
    return {};
  }

  ByteSpan bytes_;
  bool verify_;
  codec::Codec codec_;
  ByteVector scratch_;
  Walk out_;
};

/// Where the object says that its footer begins; nullopt when it does not end with a footer.
std::optional<size_t> footer_offset(ByteSpan bytes) {
  const auto size = XorbFooter::tail_size(bytes, bytes.size());
  if (!size || *size > bytes.size()) return std::nullopt;
  const size_t at = bytes.size() - *size;
  if (!as_chars(bytes.subspan(at)).starts_with(kFooterTag)) return std::nullopt;
  return at;
}

/// The footer against the chunks before it; both have been read.
Status compare(const XorbFooter& footer, const Walk& walk) {
  const auto wrong = [](std::string message) { return fail(ErrorCode::kCorruption, std::move(message)); };
  if (footer.chunk_count() != walk.rows.size()) {
    return wrong(fmt::format("footer at offset {}: it lists {} chunks, the object has {}", walk.end,
                             footer.chunk_count(), walk.rows.size()));
  }
  uint64_t unpacked_end = 0;
  for (size_t i = 0; i < walk.rows.size(); ++i) {
    const auto& row = walk.rows[i];
    const uint64_t packed_end = row.offset + ChunkHeader::kEncodedSize + row.header.packed_len;
    unpacked_end += row.header.unpacked_len;
    if (footer.ends.packed_ends[i] != packed_end) {
      return wrong(fmt::format("footer at offset {}: chunk {} ends at {} there, and at {} in the object",
                               walk.end, i, footer.ends.packed_ends[i], packed_end));
    }
    if (footer.ends.has_unpacked() && footer.ends.unpacked_ends[i] != unpacked_end) {
      return wrong(
          fmt::format("footer at offset {}: chunk {} ends at uncompressed byte {} there, and at {} in the "
                      "object",
                      walk.end, i, footer.ends.unpacked_ends[i], unpacked_end));
    }
    if (row.computed && *row.computed != footer.chunk_hashes[i]) {
      return wrong(fmt::format("chunk {} at offset {}: its content has the hash {}, the footer says {}", i,
                               row.offset, row.computed->hex(), footer.chunk_hashes[i].hex()));
    }
  }
  return {};
}

/// Name of the xorb by its chunks; the hashes are the footer's or computed.
XorbHash root_of(const Walk& walk, const XorbFooter* footer) {
  hash::TreeHasher tree;
  for (size_t i = 0; i < walk.rows.size(); ++i) {
    tree.add(hash::ChunkInfo{footer != nullptr ? footer->chunk_hashes[i] : *walk.rows[i].computed,
                             walk.rows[i].header.unpacked_len});
  }
  return tree.finish_xorb();
}

class XorbReport {
 public:
  XorbReport(Output& out, const InspectedFile& file) : out_(out), file_(file) {}

  Status run() {
    walk_ = ChunkWalker(file_.bytes, file_.verify).walk();
    // Read even when a chunk is damaged: it still tells the hashes of the chunks before.
    footer_at_ = footer_offset(file_.bytes);
    if (footer_at_) {
      auto parsed = XorbFooter::parse_tail(file_.bytes, file_.bytes.size());
      if (parsed) {
        footer_ = *std::move(parsed);
      } else {
        footer_status_ = fail(std::move(parsed).error(), fmt::format("footer at offset {}", *footer_at_));
      }
    } else if (walk_.at_footer) {
      footer_at_ = static_cast<size_t>(walk_.end);
      footer_status_ =
          fail(ErrorCode::kCorruption,
               fmt::format("footer at offset {}: its end, with the length of the footer, is missing or "
                           "damaged",
                           walk_.end));
    }
    const Status status = check();
    print();
    return status;
  }

 private:
  /// The first thing wrong, in the order of the bytes.
  Status check() {
    XET_TRY_STATUS(walk_.status);
    XET_TRY_STATUS(footer_status_);
    if (walk_.rows.empty()) return fail(ErrorCode::kCorruption, "it has no chunks");
    if (footer_) XET_TRY_STATUS(compare(*footer_, walk_));
    if (!footer_ && !file_.verify) return {};
    const XorbHash root = root_of(walk_, footer_ ? &*footer_ : nullptr);
    root_ = root;
    if (footer_ && footer_->hash != root) {
      return fail(ErrorCode::kCorruption,
                  fmt::format("footer at offset {}: it says xorb {}, its chunk hashes make {}", *footer_at_,
                              footer_->hash.hex(), root.hex()));
    }
    const auto named = hash_in_name(file_.path);
    if (!named.empty() && XorbHash::from_hex(named) != root) {
      return fail(ErrorCode::kCorruption,
                  fmt::format("the name of the file is not the hash of its content, {}", root.hex()));
    }
    return {};
  }

  std::optional<XorbHash> shown_hash() const {
    if (root_) return root_;
    if (footer_) return footer_->hash;
    return std::nullopt;
  }

  std::string chunk_hash(size_t i) const {
    if (walk_.rows[i].computed) return walk_.rows[i].computed->hex();
    if (footer_ && i < footer_->chunk_count()) return footer_->chunk_hashes[i].hex();
    return {};
  }

  int footer_version() const { return std::to_integer<int>(file_.bytes[*footer_at_ + kFooterTag.size()]); }

  void print() const { out_.json() ? print_json() : print_text(); }

  void print_text() const {
    const auto hash = shown_hash();
    out_.line("xorb");
    out_.line(fmt::format("  hash    {}", hash ? hash->hex() : "unknown: no footer; --verify computes it"));
    out_.line(fmt::format("  size    {} bytes", file_.bytes.size()));
    out_.line(fmt::format("  chunks  {}, {} bytes, packed {} bytes ({})", walk_.rows.size(),
                          walk_.unpacked_bytes, walk_.end, ratio_text(walk_.end, walk_.unpacked_bytes)));
    if (footer_) {
      out_.line(fmt::format("  footer  version {}, {} bytes at offset {}, {} chunks", footer_version(),
                            file_.bytes.size() - *footer_at_, *footer_at_, footer_->chunk_count()));
    } else {
      out_.line(footer_status_ ? "  footer  none, as in an upload" : "  footer  damaged");
    }
    out_.line("");
    out_.line(fmt::format("{:>6} {:>10} {:>8} {:>9} {:<8} {:>8}  {}", "chunk", "offset", "packed", "unpacked",
                          "scheme", "ratio", "hash"));
    for (size_t i = 0; i < walk_.rows.size(); ++i) {
      const auto& [offset, header, computed] = walk_.rows[i];
      const auto chunk = chunk_hash(i);
      out_.line(fmt::format("{:>6} {:>10} {:>8} {:>9} {:<8} {:>8}  {}", i, offset, header.packed_len,
                            header.unpacked_len, scheme_name(header.scheme),
                            ratio_text(header.packed_len, header.unpacked_len), chunk.empty() ? "-" : chunk));
    }
  }

  void print_json() const {
    JsonLine head("xorb");
    head.add_path(file_.path);
    const auto hash = shown_hash();
    hash ? head.add("xorb_hash", hash->hex()) : head.add_null("xorb_hash");
    head.add("size", file_.bytes.size())
        .add("chunks", walk_.rows.size())
        .add("unpacked_bytes", walk_.unpacked_bytes)
        .add("packed_bytes", walk_.end);
    footer_ ? head.add("footer_version", footer_version()) : head.add_null("footer_version");
    out_.event(head.add("verified", file_.verify));
    for (size_t i = 0; i < walk_.rows.size(); ++i) {
      const auto& [offset, header, computed] = walk_.rows[i];
      JsonLine row("xorb_chunk");
      row.add("index", i)
          .add("offset", offset)
          .add("packed_bytes", header.packed_len)
          .add("unpacked_bytes", header.unpacked_len)
          .add("scheme", scheme_name(header.scheme));
      const auto chunk = chunk_hash(i);
      chunk.empty() ? row.add_null("hash") : row.add("hash", chunk);
      out_.event(row);
    }
  }

  Output& out_;
  const InspectedFile& file_;
  Walk walk_;
  std::optional<size_t> footer_at_;
  std::optional<XorbFooter> footer_;
  Status footer_status_;
  std::optional<XorbHash> root_;
};

}  // namespace

bool looks_like_xorb(ByteSpan bytes) {
  if (footer_offset(bytes)) return true;
  if (bytes.size() < ChunkHeader::kEncodedSize) return false;
  const auto first = bytes.first<ChunkHeader::kEncodedSize>();
  return ChunkHeader::is_footer_marker(first) || ChunkHeader::parse(first).has_value();
}

Status inspect_xorb(Output& out, const InspectedFile& file) {
  return XorbReport(out, file).run();
}

}  // namespace xet::cli

#include <fmt/format.h>

#include <ctime>
#include <unordered_map>
#include <vector>

#include "apps/xet/inspect.h"
#include "base/try.h"
#include "format/shard.h"
#include "format/shard_stream.h"
#include "hash/blake3.h"
#include "hash/tree.h"

namespace xet::cli {

namespace {

using format::FileRecord;
using format::Shard;
using format::ShardFooter;
using format::XorbRecord;

// The readable part of the 32 bytes that every shard begins with.
constexpr std::string_view kTag = "HFRepoMetaData";
constexpr size_t kTagBytes = 32;

std::string_view form_of(const Shard& shard) {
  if (!shard.footer) return "upload";
  return shard.footer->key.is_zero() ? "stored" : "keyed";
}

std::string time_text(uint64_t seconds) {
  if (seconds == 0) return "0 (not recorded)";
  if (seconds == ShardFooter::kNever) return "never";
  // Beyond the year 9999 only the number means anything.
  if (seconds > 253'402'300'799) return fmt::format("{}", seconds);
  const auto time = static_cast<std::time_t>(seconds);
  std::tm utc{};
  ::gmtime_r(&time, &utc);
  char text[32];
  const size_t n = std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &utc);
  return std::string(text, n);
}

class ShardPrinter {
 public:
  ShardPrinter(Output& out, const InspectedFile& file) : out_(out), file_(file) {}

  void print(const Shard& shard, bool damaged) const {
    print_head(shard, damaged);
    for (const auto& record : shard.files) out_.json() ? json_file(record) : text_file(record);
    for (const auto& record : shard.xorbs) out_.json() ? json_xorb(record) : text_xorb(record);
    if (shard.footer) out_.json() ? json_footer(*shard.footer) : text_footer(*shard.footer);
  }

 private:
  void print_head(const Shard& shard, bool damaged) const {
    const std::string_view form = damaged ? "damaged" : form_of(shard);
    if (out_.json()) {
      out_.event(JsonLine("shard")
                     .add_path(file_.path)
                     .add("form", form)
                     .add("size", file_.bytes.size())
                     .add("files", shard.files.size())
                     .add("xorbs", shard.xorbs.size())
                     .add("verified", file_.verify));
      return;
    }
    out_.line(fmt::format("shard ({} form)", form));
    out_.line(fmt::format("  size    {} bytes", file_.bytes.size()));
    out_.line(fmt::format("  header  {}", header_text()));
    out_.line(fmt::format("  files   {}{}", shard.files.size(), damaged ? " up to the damage" : ""));
    out_.line(fmt::format("  xorbs   {}{}", shard.xorbs.size(), damaged ? " up to the damage" : ""));
  }

  /// The two numbers behind the tag; the parser has checked them unless the shard is damaged.
  std::string header_text() const {
    ByteReader in(file_.bytes);
    const auto tag = in.take(kTagBytes);
    const auto version = in.le<uint64_t>();
    const auto footer_size = in.le<uint64_t>();
    if (!tag || !version || !footer_size) return "cut off";
    if (*footer_size == 0) return fmt::format("version {}, no footer", *version);
    return fmt::format("version {}, footer of {} bytes", *version, *footer_size);
  }

  void text_file(const FileRecord& record) const {
    out_.line("");
    out_.line(fmt::format("file {}  {} bytes, {} terms{}", record.hash.hex(), record.size_bytes(),
                          record.terms.size(), record.has_verification ? ", with range hashes" : ""));
    if (record.sha256) out_.line(fmt::format("  sha256 {}", record.sha256->hex()));
    for (size_t i = 0; i < record.terms.size(); ++i) {
      const auto& term = record.terms[i];
      out_.line(fmt::format("  term {:>5}  xorb {}  chunks {} to {}  {} bytes{}", i, term.xorb.hex(),
                            term.chunk_begin, int64_t{term.chunk_end} - 1, term.unpacked_len,
                            i < record.verification.size()
                                ? fmt::format("  range hash {}", record.verification[i].hex())
                                : std::string()));
    }
  }

  void json_file(const FileRecord& record) const {
    JsonLine line("shard_file");
    line.add("xet_hash", record.hash.hex())
        .add("size", record.size_bytes())
        .add("terms", record.terms.size())
        .add("has_verification", record.has_verification);
    record.sha256 ? line.add("sha256", record.sha256->hex()) : line.add_null("sha256");
    out_.event(line);
    for (size_t i = 0; i < record.terms.size(); ++i) {
      const auto& term = record.terms[i];
      JsonLine out("shard_term");
      out.add("index", i)
          .add("xorb_hash", term.xorb.hex())
          .add("chunk_begin", term.chunk_begin)
          .add("chunk_end", term.chunk_end)
          .add("unpacked_bytes", term.unpacked_len);
      i < record.verification.size() ? out.add("range_hash", record.verification[i].hex())
                                     : out.add_null("range_hash");
      out_.event(out);
    }
  }

  void text_xorb(const XorbRecord& record) const {
    out_.line("");
    out_.line(fmt::format("xorb {}  {} chunks, {} bytes", record.hash.hex(), record.chunks.size(),
                          record.unpacked_bytes));
    for (size_t i = 0; i < record.chunks.size(); ++i) {
      const auto& chunk = record.chunks[i];
      out_.line(fmt::format("  chunk {:>5}  offset {:>9}  {:>6} bytes  {}{}", i, chunk.unpacked_offset,
                            chunk.len_bytes, chunk.hash.hex(),
                            (chunk.flags & format::kChunkIsDedupKey) != 0 ? "  dedup key" : ""));
    }
  }

  void json_xorb(const XorbRecord& record) const {
    out_.event(JsonLine("shard_xorb")
                   .add("xorb_hash", record.hash.hex())
                   .add("chunks", record.chunks.size())
                   .add("unpacked_bytes", record.unpacked_bytes)
                   .add("packed_bytes", record.packed_bytes));
    for (size_t i = 0; i < record.chunks.size(); ++i) {
      const auto& chunk = record.chunks[i];
      out_.event(JsonLine("shard_chunk")
                     .add("index", i)
                     .add("offset", chunk.unpacked_offset)
                     .add("length", chunk.len_bytes)
                     .add("hash", chunk.hash.hex())
                     .add("dedup_key", (chunk.flags & format::kChunkIsDedupKey) != 0));
    }
  }

  void text_footer(const ShardFooter& footer) const {
    out_.line("");
    out_.line("footer");
    out_.line(fmt::format("  chunk hashes   {}",
                          footer.key.is_zero() ? "plain" : "keyed with " + footer.key.hex()));
    out_.line(fmt::format("  created        {}", time_text(footer.creation_s)));
    out_.line(fmt::format("  expires        {}", time_text(footer.expiry_s)));
    out_.line(fmt::format("  lookup tables  {}", footer.has_tables ? "yes" : "no"));
  }

  void json_footer(const ShardFooter& footer) const {
    JsonLine line("shard_footer");
    footer.key.is_zero() ? line.add_null("key") : line.add("key", footer.key.hex());
    out_.event(line.add("creation", footer.creation_s)
                   .add("expiry", footer.expiry_s)
                   .add("has_tables", footer.has_tables));
  }

  Output& out_;
  const InspectedFile& file_;
};

/// Hashes everything in a shard that can be hashed from the shard alone.
class ShardVerifier {
 public:
  explicit ShardVerifier(const Shard& shard) : shard_(shard) {}

  Status run(const InspectedFile& file) {
    const auto named = hash_in_name(file.path);
    if (const auto actual = hash::shard_hash(file.bytes);
        !named.empty() && ShardHash::from_hex(named) != actual) {
      return wrong(fmt::format("the name of the file is not the hash of its content, {}", actual.hex()));
    }
    // Keyed chunk hashes say nothing about roots.
    if (shard_.footer && !shard_.footer->key.is_zero()) return {};
    for (const auto& xorb : shard_.xorbs) {
      xorbs_.emplace(xorb.hash, &xorb);
      hash::TreeHasher tree;
      for (const auto& chunk : xorb.chunks) tree.add(hash::ChunkInfo{chunk.hash, chunk.len_bytes});
      if (const auto root = tree.finish_xorb(); root != xorb.hash) {
        return wrong(fmt::format("xorb {}: the hashes of its chunks make {}", xorb.hash.hex(), root.hex()));
      }
    }
    for (const auto& record : shard_.files) XET_TRY_STATUS(check_file(record));
    return {};
  }

 private:
  static tl::unexpected<Error> wrong(std::string message) {
    return fail(ErrorCode::kCorruption, std::move(message));
  }

  Status check_file(const FileRecord& record) const {
    hash::TreeHasher tree;
    bool complete = true;  // every xorb it refers to is described in this shard
    for (size_t i = 0; i < record.terms.size(); ++i) {
      const auto& term = record.terms[i];
      const auto at = xorbs_.find(term.xorb);
      if (at == xorbs_.end()) {
        complete = false;
        continue;
      }
      const auto bad_term = [&](std::string why) {
        return wrong(fmt::format("file {}, term {}: {}", record.hash.hex(), i, why));
      };
      const auto& chunks = at->second->chunks;
      if (term.chunk_begin > term.chunk_end || term.chunk_end > chunks.size()) {
        return bad_term(fmt::format("chunk {} of a xorb that has {}", term.chunk_end, chunks.size()));
      }
      hash::RangeHasher range;
      uint64_t n_bytes = 0;
      for (uint32_t c = term.chunk_begin; c < term.chunk_end; ++c) {
        tree.add(hash::ChunkInfo{chunks[c].hash, chunks[c].len_bytes});
        range.add(chunks[c].hash);
        n_bytes += chunks[c].len_bytes;
      }
      if (n_bytes != term.unpacked_len) {
        return bad_term(fmt::format("it says {} bytes, its chunks have {}", term.unpacked_len, n_bytes));
      }
      if (i < record.verification.size() && range.finish() != record.verification[i]) {
        return bad_term("its range hash does not belong to its chunks");
      }
    }
    if (!complete) return {};
    if (const auto root = tree.finish_file(); root != record.hash) {
      return wrong(fmt::format("file {}: the hashes of its chunks make {}", record.hash.hex(), root.hex()));
    }
    return {};
  }

  const Shard& shard_;
  std::unordered_map<XorbHash, const XorbRecord*> xorbs_;
};

/// The records in front of the damage.
Shard readable_part(ByteSpan bytes) {
  Shard out;
  format::ShardStreamParser parser(
      bytes.size(),
      [&](FileRecord record) -> Status {
        out.files.push_back(std::move(record));
        return {};
      },
      [&](XorbRecord record) -> Status {
        out.xorbs.push_back(std::move(record));
        return {};
      });
  (void)parser.feed(bytes);  // why it stops is what Shard::parse said
  return out;
}

}  // namespace

bool looks_like_shard(ByteSpan bytes) {
  return as_chars(bytes).starts_with(kTag);
}

Status inspect_shard(Output& out, const InspectedFile& file) {
  const ShardPrinter printer(out, file);
  const auto shard = Shard::parse(file.bytes);
  if (!shard) {
    printer.print(readable_part(file.bytes), /*damaged=*/true);
    return tl::unexpected(shard.error());
  }
  printer.print(*shard, /*damaged=*/false);
  if (file.verify) return ShardVerifier(*shard).run(file);
  return {};
}

}  // namespace xet::cli

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "apps/xet/commands.h"
#include "apps/xet/inspect.h"
#include "apps/xet/names.h"
#include "apps/xet/upload_files.h"
#include "base/try.h"
#include "io/file.h"

namespace xet::cli {

namespace {

// Xorbs and shards end at 64 MiB of content; tables, headers and footers come on top. Anything larger is
// neither, and is not read.
constexpr uint64_t kMaxObjectBytes = uint64_t{256} << 20;

Result<ByteVector> read_object(const std::string& path) {
  XET_TRY(const auto file, io::File::open_read(path));
  XET_TRY(const auto info, file.info());
  if (!info.is_regular) return fail(ErrorCode::kIo, fmt::format("{} is not a regular file", path));
  if (info.size_bytes > kMaxObjectBytes) {
    return fail(ErrorCode::kCorruption,
                fmt::format("{} has {} bytes: too many for a xorb or a shard", path, info.size_bytes));
  }
  ByteVector out(static_cast<size_t>(info.size_bytes));
  XET_TRY_STATUS(file.read_exactly_at(0, out));
  return out;
}

Status inspect(Output& out, const InspectedFile& file) {
  // The more specific sign first; the name decides about an object whose beginning is damaged.
  if (looks_like_shard(file.bytes) || file.path.ends_with(".mdb")) return inspect_shard(out, file);
  if (looks_like_xorb(file.bytes)) return inspect_xorb(out, file);
  return fail(
      ErrorCode::kCorruption,
      "neither a xorb nor a shard: it has the header of neither at offset 0, and no xorb footer at the end");
}

}  // namespace

std::string hash_in_name(const std::string& path) {
  const std::string name = std::filesystem::path(path).filename().string();
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find('.', begin), name.size());
    const std::string part = name.substr(begin, end - begin);
    if (FileHash::from_hex(part)) return part;
    begin = end + 1;
  }
  return {};
}

std::string ratio_text(uint64_t packed, uint64_t unpacked) {
  if (unpacked == 0) return "-";
  return fmt::format("{:.1f} %", 100.0 * static_cast<double>(packed) / static_cast<double>(unpacked));
}

void run(Context& context, const InspectArgs& args) {
  const auto bytes = read_object(args.path);
  if (!bytes) return context.fail(source_error(bytes.error()), args.path);
  const auto status = inspect(context.out(), {.path = args.path, .bytes = *bytes, .verify = args.verify});
  if (status) {
    context.out().line("");
    context.out().line(args.verify ? "intact: everything was unpacked and hashed"
                                   : "well-formed; --verify also unpacks and hashes the content");
  } else {
    context.fail({status.error().code, fmt::format("{}: {}", args.path, status.error().message)}, args.path);
  }
  context.out().summary_event({.files = 1, .logical_bytes = bytes->size(), .seconds = context.seconds()});
}

}  // namespace xet::cli

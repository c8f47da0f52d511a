#include "server/store/object_key.h"

#include <fmt/format.h>

namespace xet::store {

namespace {
// Two printed digits give 256 folders: enough to keep listings short and to spread S3 prefixes.
std::string in_folder(char kind, const std::string& hex) {
  return fmt::format("{}/{}/{}", kind, std::string_view(hex).substr(0, 2), hex);
}
}  // namespace

ObjectKey xorb_key(const XorbHash& xorb, uint32_t generation) {
  return {fmt::format("{}.{}", in_folder('x', xorb.hex()), generation)};
}

ObjectKey shard_key(const ShardHash& shard) {
  return {in_folder('s', shard.hex())};
}

ObjectKey manifest_key(const FileHash& file, uint32_t generation) {
  return {fmt::format("{}.{}", in_folder('m', file.hex()), generation)};
}

}  // namespace xet::store

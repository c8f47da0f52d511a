#include <algorithm>

#include "chunk/gear.h"
#include "chunk/gear_step.h"
#include "chunk/kernels.h"

namespace xet::chunk::detail {

bool scan_serial(ByteSpan bytes, size_t context, size_t limit, std::vector<uint32_t>& out) {
  const size_t had = out.size();
  const size_t warm = std::min(bytes.size(), kWindow - 1);
  uint64_t h = gear_hash(bytes.first(warm));
  for (size_t i = warm; i < bytes.size(); ++i) {
    h = gear_step(h, bytes[i]);
    if (is_trigger(h)) [[unlikely]] {
      if (out.size() - had == limit) {
        out.resize(had);
        return false;
      }
      out.push_back(static_cast<uint32_t>(i + 1 - context));
    }
  }
  return true;
}

}  // namespace xet::chunk::detail

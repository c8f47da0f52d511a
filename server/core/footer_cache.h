#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <unordered_map>

#include "base/sync.h"
#include "format/xorb_footer.h"
#include "server/store/meta_store.h"
#include "server/store/object_store.h"
#include "xet/result.h"

namespace xet::core {

/// The footers of stored xorbs, the last used ones kept in memory. They never change: a generation's bytes do
/// not. Thread-safe; two threads that miss the same footer both read it.
class FooterCache {
 public:
  FooterCache(store::ObjectStore& objects, size_t max_bytes) : objects_(objects), max_bytes_(max_bytes) {}

  /// The footer of a usable generation, checked against its row. kCorruption when the object is missing or
  /// damaged. shared_ptr: a footer may be dropped from the cache while readers use it.
  Result<std::shared_ptr<const format::XorbFooter>> get(const store::XorbRow& xorb);

 private:
  struct Entry {
    uint64_t id;
    size_t bytes;
    std::shared_ptr<const format::XorbFooter> footer;
  };
  struct Entries {
    std::list<Entry> by_use;  // last used first
    std::unordered_map<uint64_t, std::list<Entry>::iterator> by_id;
    size_t bytes = 0;
  };
  Result<std::shared_ptr<const format::XorbFooter>> load(const store::XorbRow& xorb) const;

  store::ObjectStore& objects_;
  const size_t max_bytes_;
  Sync<Entries> entries_;
};

}  // namespace xet::core

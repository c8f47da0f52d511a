#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/bytes.h"
#include "server/store/object_key.h"
#include "xet/result.h"

namespace xet::store {

/// One stored object, open for reading. Thread-safe.
class ObjectReader {
 public:
  virtual ~ObjectReader() = default;
  virtual uint64_t size_bytes() const = 0;
  /// Fills `into` from `offset`; kCorruption when the object ends before.
  virtual Status read_at(uint64_t offset, MutableByteSpan into) const = 0;
};

/// An object being written. Nobody sees it before publish(); destroyed without, it leaves nothing. Not
/// thread-safe.
class ObjectWriter {
 public:
  virtual ~ObjectWriter() = default;
  /// Appends all pieces. After an error only the destructor may be called.
  virtual Status append(std::span<const ByteSpan> pieces) = 0;
  virtual uint64_t size_bytes() const = 0;
  /// Makes the object durable under its key, unless the key is taken. True: it is stored. False: another
  /// object has the key, its name is durable too when this returns, and ours is gone. Call once.
  virtual Result<bool> publish() = 0;
};

/// Immutable bytes under keys. Nothing here compares and sets: who wins a race is decided by the MetaStore's
/// unique keys, because not every object store can. Blocking calls. Thread-safe, and safe between processes.
class ObjectStore {
 public:
  virtual ~ObjectStore() = default;
  virtual Result<std::unique_ptr<ObjectWriter>> create(const ObjectKey& key) = 0;
  /// kNotFound when there is no such object.
  virtual Result<std::unique_ptr<ObjectReader>> open(const ObjectKey& key) = 0;
  /// Removing what is not there is fine.
  virtual Status remove(const ObjectKey& key) = 0;
};

}  // namespace xet::store

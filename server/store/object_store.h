#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

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
  /// A file that holds exactly the object, for sendfile(); valid while the reader lives. None: there is no
  /// such file.
  virtual std::optional<int> file_descriptor() const { return std::nullopt; }
};

/// An object being written. Nobody sees it before publish(); destroyed without, it leaves nothing. Not
/// thread-safe.
class ObjectWriter {
 public:
  virtual ~ObjectWriter() = default;
  /// Appends all pieces. After an error only the destructor may be called.
  virtual Status append(std::span<const ByteSpan> pieces) = 0;
  virtual uint64_t size_bytes() const = 0;
  /// Makes the object durable under a key, unless the key is taken. True: it is stored, and nothing more may
  /// be called. False: another object has the key, and its name is durable too when this returns; ours can
  /// be published under another one. Nothing may be appended after the first call.
  virtual Result<bool> publish(const ObjectKey& key) = 0;
};

/// What a listing tells of an object.
struct ObjectInfo {
  ObjectKey key;
  uint64_t size_bytes = 0;
  std::chrono::system_clock::time_point stored_at;  ///< not before its last byte was written
};

/// Immutable bytes under keys. Nothing here compares and sets: who wins a race is decided by the MetaStore's
/// unique keys, because not every object store can. Blocking calls. Thread-safe, and safe between processes.
class ObjectStore {
 public:
  virtual ~ObjectStore() = default;
  virtual Result<std::unique_ptr<ObjectWriter>> create() = 0;
  /// kNotFound when there is no such object.
  virtual Result<std::unique_ptr<ObjectReader>> open(const ObjectKey& key) = 0;
  /// Removing what is not there is fine.
  virtual Status remove(const ObjectKey& key) = 0;
  /// Tells every object of a kind ("x", "s", "m"), in any order, until `each` gives an error, which is passed
  /// on. What is stored or removed meanwhile may be told or not: for checks only.
  virtual Status list(std::string_view kind, const std::function<Status(const ObjectInfo&)>& each) = 0;
  /// Room that is left for objects, where that can be told.
  virtual std::optional<uint64_t> free_bytes() const { return std::nullopt; }
};

}  // namespace xet::store

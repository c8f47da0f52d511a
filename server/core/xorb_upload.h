#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <vector>

#include "base/bytes.h"
#include "format/xorb_stream.h"
#include "server/store/meta_store.h"
#include "server/store/object_store.h"
#include "xet/hash.h"
#include "xet/result.h"

namespace xet::core {

/// Takes in one uploaded xorb, whose bytes come in pieces of any size: each chunk is decoded and hashed as
/// soon as it is complete, and written. What is stored gets a footer of ours; one that was sent must agree
/// and is dropped. The first xorb stored under a hash stays: a hash covers chunks, not their packed form, so
/// another upload may have other bytes. A xorb that the store has is verified all the same, and nothing is
/// written.
///
///     XET_TRY(auto upload, service.begin_xorb(who, name, stop));
///     while (...) XET_TRY_STATUS(upload->feed(piece));
///     XET_TRY(const bool is_new, upload->finish());
///
/// Calls block, on disk and CPU; one thread at a time, which may be another one for each call. Destroyed
/// before finish(), or after an error, it leaves nothing. Memory: at most 1 MiB, whatever is sent.
class XorbUpload {
 public:
  /// What storing needs. Borrowed.
  struct Context {
    store::ObjectStore& objects;
    store::MetaStore& meta;
  };
  static Result<std::unique_ptr<XorbUpload>> begin(const Context& context, store::RepositoryId repository,
                                                   const XorbHash& name, std::stop_token stop);
  ~XorbUpload();
  XorbUpload(const XorbUpload&) = delete;
  XorbUpload& operator=(const XorbUpload&) = delete;

  /// kCorruption: what came so far is not a sequence of chunks within the limits of a xorb (names chunk and
  /// offset). kNoSpace, kIo: it cannot be written. kCancelled when the stop token fired. After an error only
  /// the destructor may be called.
  Status feed(ByteSpan bytes);

  /// After the last byte. True: the xorb was new, and object and row are durable. False: the store has it,
  /// from before or by another upload that was faster. kCorruption when the chunks make another name. Call
  /// once.
  Result<bool> finish();

 private:
  XorbUpload(const Context& context, store::RepositoryId repository, const XorbHash& name,
             std::stop_token stop);
  Status take_chunk(const format::StreamedChunk& chunk);
  Status write_run();
  Status check_not_stopped() const;
  Result<bool> store(store::XorbRow row);
  Result<std::optional<store::XorbRow>> publish(store::XorbRow row);

  const Context context_;
  const store::RepositoryId repository_;
  const XorbHash name_;
  const std::stop_token stop_;
  struct Verifier;
  std::unique_ptr<Verifier> verifier_;           // gone once all is verified
  std::unique_ptr<store::ObjectWriter> writer_;  // none: the store has the xorb, it is only verified
  ByteSpan piece_;                               // being fed
  ByteSpan run_;                                 // verified bytes of it that are not yet written
};

}  // namespace xet::core

#include "server/core/xorb_upload.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <span>
#include <utility>

#include "codec/codec.h"
#include "server/core/xorb_check.h"

namespace xet::core {

namespace {

// Verified and written at a time; between two the stop token is asked.
constexpr size_t kStep = 1 << 20;
// Generations tried when the objects found under the first ones are unusable. More than one is already
// strange.
constexpr uint32_t kMaxAttempts = 8;

}  // namespace

struct XorbUpload::Verifier {
  explicit Verifier(XorbUpload& upload)
      : reader(codec, format::XorbStreamReader::Footer::kAllowed,
               [&upload](const format::StreamedChunk& chunk) { return upload.take_chunk(chunk); }) {}
  codec::Codec codec;
  format::XorbStreamReader reader;
};

XorbUpload::XorbUpload(const Context& context, store::RepositoryId repository, const XorbHash& name,
                       std::stop_token stop)
    : context_(context),
      repository_(repository),
      name_(name),
      stop_(std::move(stop)),
      verifier_(std::make_unique<Verifier>(*this)) {}

XorbUpload::~XorbUpload() = default;

Result<std::unique_ptr<XorbUpload>> XorbUpload::begin(const Context& context, store::RepositoryId repository,
                                                      const XorbHash& name, std::stop_token stop) {
  std::unique_ptr<XorbUpload> upload(new XorbUpload(context, repository, name, std::move(stop)));
  XET_TRY_STATUS(upload->check_not_stopped());
  XET_TRY(const auto known, context.meta.find_xorb(name));
  // One that is condemned may be deleted before the last byte is here, and a stream cannot be asked for
  // again: so it is written like a new one.
  if (!known.usable || known.usable->state != store::XorbState::kLive) {
    XET_TRY(upload->writer_, context.objects.create());
  }
  return upload;
}

Status XorbUpload::check_not_stopped() const {
  if (!stop_.stop_requested()) return {};
  return fail(ErrorCode::kCancelled, fmt::format("storing xorb {}", name_.hex()));
}

Status XorbUpload::feed(ByteSpan bytes) {
  while (!bytes.empty()) {
    XET_TRY_STATUS(check_not_stopped());
    piece_ = bytes.first(std::min(bytes.size(), kStep));
    bytes = bytes.subspan(piece_.size());
    auto fed = verifier_->reader.feed(piece_);
    if (!fed) {
      // What the store said names its object already.
      if (fed.error().code != ErrorCode::kCorruption) return fed;
      return fail(fed.error(), fmt::format("xorb {}", name_.hex()));
    }
    XET_TRY_STATUS(write_run());
  }
  return {};
}

/// Chunks that lie one behind the other in the piece being fed are written in one go. One that was put
/// together from two pieces lies in the reader's buffer, which the reader needs again.
Status XorbUpload::take_chunk(const format::StreamedChunk& chunk) {
  if (!writer_) return {};
  if (!run_.empty() && run_.data() + run_.size() == chunk.encoded.data()) {
    run_ = {run_.data(), run_.size() + chunk.encoded.size()};
    return {};
  }
  XET_TRY_STATUS(write_run());
  run_ = chunk.encoded;
  const std::less_equal<> not_after;
  const bool in_piece = not_after(piece_.data(), run_.data()) &&
                        not_after(run_.data() + run_.size(), piece_.data() + piece_.size());
  return in_piece ? Status() : write_run();
}

Status XorbUpload::write_run() {
  if (run_.empty()) return {};
  const ByteSpan run = std::exchange(run_, {});
  return writer_->append(std::span(&run, 1));
}

Result<bool> XorbUpload::finish() {
  XET_TRY_STATUS(check_not_stopped());
  store::XorbRow row;
  {
    XET_TRY(const auto footer, check_name(verifier_->reader.finish(), name_));
    verifier_.reset();
    if (!writer_) return false;
    XET_TRY_STATUS(footer.write_to([&](ByteSpan piece) { return writer_->append(std::span(&piece, 1)); }));
    row = xorb_row(footer, 0);
  }
  auto outcome = store(row);
  writer_.reset();  // another upload's object is used: then ours goes
  return outcome;
}

Result<bool> XorbUpload::store(store::XorbRow row) {
  XET_TRY(const auto known, context_.meta.find_xorb(name_));
  if (known.usable) {  // condemned before, or another upload was faster: nothing has to reach the disk
    bool live = known.usable->state == store::XorbState::kLive;
    if (!live) {
      XET_TRY(live, context_.meta.revive_xorb(*known.usable));
    }
    if (live) return false;
  }
  for (uint32_t attempt = 0; attempt < kMaxAttempts; ++attempt) {
    XET_TRY_STATUS(check_not_stopped());
    row.generation = known.next_generation + attempt;
    XET_TRY(const auto stored, publish(row));
    if (!stored) continue;
    XET_TRY(const auto outcome, context_.meta.insert_xorb(repository_, *stored));
    // Another generation won. Nobody can come to use ours: its row would be refused in the same way.
    if (!outcome.inserted && outcome.row.generation != stored->generation) {
      (void)context_.objects.remove(store::xorb_key(name_, stored->generation));
    }
    return outcome.inserted;
  }
  return fail(
      ErrorCode::kCorruption,
      fmt::format("xorb {}: the store holds {} damaged objects under this name", name_.hex(), kMaxAttempts));
}

/// Gives the row that belongs to the object that is now under the key of this generation, ours or another
/// writer's; nothing when what is there is unusable.
Result<std::optional<store::XorbRow>> XorbUpload::publish(store::XorbRow row) {
  const auto key = store::xorb_key(name_, row.generation);
  XET_TRY(const bool ours, writer_->publish(key));
  if (ours) return row;
  // Left by a writer of the same xorb who has not come to write its row, or who crashed before.
  XET_TRY(const auto object, context_.objects.open(key));
  auto found = verify_xorb_object(*object, name_, {});
  if (found) return xorb_row(*found, row.generation);
  if (found.error().code == ErrorCode::kCorruption) return std::nullopt;
  return tl::unexpected(std::move(found).error());
}

}  // namespace xet::core

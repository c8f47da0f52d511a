#include "session/range_receiver.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace xet::session {

using format::ChunkHeader;

RangeReceiver::RangeReceiver(const XorbHash& xorb, const cas::FetchRange& range, exec::BufferPool& buffers,
                             std::function<void(FramedBlock)> on_block, std::function<void(Error)> on_error)
    : xorb_(xorb),
      chunks_(range.chunks),
      bytes_(range.bytes),
      buffers_(buffers),
      on_block_(std::move(on_block)),
      on_error_(std::move(on_error)),
      next_chunk_(range.chunks.begin) {}

std::shared_ptr<RangeReceiver> RangeReceiver::make(const XorbHash& xorb, const cas::FetchRange& range,
                                                   exec::BufferPool& buffers,
                                                   std::function<void(FramedBlock)> on_block,
                                                   std::function<void(Error)> on_error) {
  return std::shared_ptr<RangeReceiver>(
      new RangeReceiver(xorb, range, buffers, std::move(on_block), std::move(on_error)));
}

Status RangeReceiver::check_complete() const {
  if (received_ == bytes_.size()) return {};
  return fail(ErrorCode::kCorruption, fmt::format("xorb {}: the store sent {} bytes of the {} from offset {}",
                                                  xorb_.hex(), received_, bytes_.size(), bytes_.begin));
}

MutableByteSpan RangeReceiver::room(UniqueFunction<void()> resume) {
  if (!current_) current_ = buffers_.try_acquire();
  if (!current_) {
    buffers_.acquire([weak = weak_from_this(), resume = std::move(resume)](exec::Buffer buffer) mutable {
      // empty only when the session stops, and then nobody asks again
      if (const auto self = weak.lock()) self->current_ = std::move(buffer);
      resume();
    });
    return {};
  }
  if (filled_ == 0 && !carry_.empty()) {
    std::memcpy(current_.bytes().data(), carry_.data(), carry_.size());
    filled_ = carry_.size();
    carry_.clear();
  }
  const auto free = current_.bytes().subspan(filled_);
  return free.first(std::min<uint64_t>(free.size(), bytes_.size() - received_));
}

void RangeReceiver::filled(size_t n_bytes) {
  filled_ += n_bytes;
  received_ += n_bytes;
  if (filled_ == current_.bytes().size() || received_ == bytes_.size()) cut();
}

void RangeReceiver::cut() {
  FramedBlock block;
  const auto memory = std::make_shared<exec::Buffer>(std::exchange(current_, {}));
  const ByteSpan bytes = memory->bytes().first(std::exchange(filled_, 0));
  if (failed_) return;
  size_t used = 0;
  if (auto status = cut_chunks(bytes, block, used); !status) {
    failed_ = true;
    on_error_(std::move(status).error());
    return;
  }
  const ByteSpan rest = bytes.subspan(used);
  carry_.assign(rest.begin(), rest.end());
  if (block.chunks.empty()) return;
  block.memory = memory;
  on_block_(std::move(block));
}

Status RangeReceiver::cut_chunks(ByteSpan bytes, FramedBlock& block, size_t& used) {
  const auto at = [&] { return bytes_.begin + cut_bytes_; };
  while (bytes.size() - used >= ChunkHeader::kEncodedSize) {
    const auto header = ChunkHeader::parse(bytes.subspan(used).first<ChunkHeader::kEncodedSize>());
    if (!header) {
      return fail(header.error(),
                  fmt::format("xorb {} chunk {} at offset {}", xorb_.hex(), next_chunk_, at()));
    }
    const size_t whole = ChunkHeader::kEncodedSize + header->packed_len;
    if (bytes.size() - used < whole) break;
    if (next_chunk_ == chunks_.end) {
      return fail(ErrorCode::kCorruption,
                  fmt::format("xorb {}: chunk {} at offset {} lies behind the range that was asked for",
                              xorb_.hex(), next_chunk_, at()));
    }
    block.chunks.push_back({next_chunk_, at(), unpacked_, *header,
                            bytes.subspan(used + ChunkHeader::kEncodedSize, header->packed_len)});
    ++next_chunk_;
    unpacked_ += header->unpacked_len;
    used += whole;
    cut_bytes_ += whole;
  }
  if (received_ == bytes_.size() && (used != bytes.size() || next_chunk_ != chunks_.end)) {
    return fail(
        ErrorCode::kCorruption,
        fmt::format("xorb {}: the range ends at offset {} inside chunk {}, chunks up to {} were asked for",
                    xorb_.hex(), bytes_.end, next_chunk_, chunks_.end));
  }
  return {};
}

}  // namespace xet::session

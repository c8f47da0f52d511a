#include "format/shard_stream.h"

#include <fmt/format.h>

#include <algorithm>

#include "format/shard_wire.h"

namespace xet::format {

ShardStreamParser::ShardStreamParser(uint64_t budget_bytes, OnFile on_file, OnXorb on_xorb)
    : budget_left_(budget_bytes), on_file_(std::move(on_file)), on_xorb_(std::move(on_xorb)) {}

Status ShardStreamParser::feed(ByteSpan piece) {
  while (!piece.empty() && state_ != State::kRest) {
    // A group's size is known when its first record is there; then the rest of it is wanted.
    const size_t wanted = group_bytes_ == 0 ? wire::kRecordBytes : static_cast<size_t>(group_bytes_);
    ByteSpan group;
    if (pending_.empty() && piece.size() >= wanted) {
      group = piece.first(wanted);
      if (group_bytes_ != 0) piece = piece.subspan(wanted);
    } else {
      const size_t n = std::min(wanted - pending_.size(), piece.size());
      append_bytes(pending_, piece.first(n));
      piece = piece.subspan(n);
      if (pending_.size() < wanted) return {};
      group = pending_;
    }
    if (group_bytes_ == 0) {
      XET_TRY(group_bytes_, group_size(group));
      XET_TRY_STATUS(spend(group_bytes_));
      if (group_bytes_ > group.size() || pending_.empty()) continue;  // not complete, or still in `piece`
    }
    XET_TRY_STATUS(take_group(group));
    offset_ += group_bytes_;
    group_bytes_ = 0;
    pending_.clear();
  }
  return {};
}

Result<uint64_t> ShardStreamParser::group_size(ByteSpan header_bytes) const {
  static_assert(wire::kHeaderBytes == wire::kRecordBytes);
  if (state_ == State::kHeader) return wire::kHeaderBytes;
  ByteReader in(header_bytes);
  XET_TRY(const auto header, wire::GroupHeader::parse(in));
  if (header.is_bookend) return wire::kRecordBytes;
  if (state_ == State::kXorbs) XET_TRY_STATUS(wire::check_xorb_count(header, offset_));
  const uint64_t followers = state_ == State::kFiles ? header.file_followers() : header.n_records;
  return wire::kRecordBytes * (1 + followers);  // at most 48 * 2^33
}

Status ShardStreamParser::spend(uint64_t n_bytes) {
  if (n_bytes > budget_left_) {
    return wire::bad_shard(offset_,
                           fmt::format("records of {} bytes where {} are left", n_bytes, budget_left_));
  }
  budget_left_ -= n_bytes;
  return {};
}

Status ShardStreamParser::take_group(ByteSpan group) {
  ByteReader in(group);
  if (state_ == State::kHeader) {
    XET_TRY_STATUS(wire::Header::parse(in));
    state_ = State::kFiles;
    return {};
  }
  XET_TRY(const auto header, wire::GroupHeader::parse(in));
  if (header.is_bookend) {
    state_ = state_ == State::kFiles ? State::kXorbs : State::kRest;
    return {};
  }
  if (state_ == State::kXorbs) {
    XET_TRY(XorbRecord xorb, wire::parse_xorb(header, in, offset_));
    return on_xorb_ ? on_xorb_(std::move(xorb)) : Status();
  }
  XET_TRY(FileRecord file, wire::parse_file(header, in, offset_));
  if (files_have_verification_.value_or(file.has_verification) != file.has_verification) {
    return wire::bad_shard(offset_, "files with and files without verification");
  }
  files_have_verification_ = file.has_verification;
  if (!seen_.insert(file.hash).second) return {};
  return on_file_ ? on_file_(std::move(file)) : Status();
}

Status ShardStreamParser::finish() {
  if (state_ == State::kRest) return {};
  return wire::bad_shard(offset_ + pending_.size(), "truncated: the xorb section does not end");
}

}  // namespace xet::format

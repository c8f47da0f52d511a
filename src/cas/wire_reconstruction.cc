#include "cas/wire_reconstruction.h"

#include <fmt/format.h>

#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string_view>

namespace xet::cas {

namespace {

using nlohmann::json;

/// What the parser is inside of.
enum class Node : uint8_t {
  kStart,       // before the answer
  kAnswer,      // the object itself
  kTerms,       // [Term]
  kTerm,        // {hash, unpacked_length, range}
  kFiles,       // {file: [Term]}
  kXorbs,       // {xorb: [Fetch]}
  kFetches,     // [Fetch]
  kFetch,       // {url, ranges}
  kRanges,      // [{chunks, bytes}]
  kRange,       // {chunks, bytes}
  kInfos,       // {xorb: [Info]}
  kInfoList,    // [Info]
  kInfo,        // {range, url, url_range}
  kChunkRange,  // {start, end}, exclusive
  kByteRange,   // {start, end}, inclusive
  kUnknown,     // anything that we do not read
};

enum class Form : uint8_t { kV1, kV2, kBatch };

enum class Type : uint8_t { kNumber32, kNumber64, kText, kObject, kArray };

/// A member that an object has to have.
struct Member {
  std::string_view name;
  Type type;
  Node child = Node::kUnknown;  // of an object or array
};

constexpr Member kOffset{"offset_into_first_range", Type::kNumber64};
constexpr Member kTermsMember{"terms", Type::kArray, Node::kTerms};
constexpr std::array kAnswerV1{kOffset, kTermsMember, Member{"fetch_info", Type::kObject, Node::kInfos}};
constexpr std::array kAnswerV2{kOffset, kTermsMember, Member{"xorbs", Type::kObject, Node::kXorbs}};
constexpr std::array kAnswerBatch{Member{"files", Type::kObject, Node::kFiles},
                                  Member{"fetch_info", Type::kObject, Node::kInfos}};
constexpr std::array kTermMembers{Member{"hash", Type::kText}, Member{"unpacked_length", Type::kNumber32},
                                  Member{"range", Type::kObject, Node::kChunkRange}};
constexpr std::array kFetchMembers{Member{"url", Type::kText}, Member{"ranges", Type::kArray, Node::kRanges}};
constexpr std::array kRangeMembers{Member{"chunks", Type::kObject, Node::kChunkRange},
                                   Member{"bytes", Type::kObject, Node::kByteRange}};
constexpr std::array kInfoMembers{Member{"range", Type::kObject, Node::kChunkRange},
                                  Member{"url", Type::kText},
                                  Member{"url_range", Type::kObject, Node::kByteRange}};
constexpr std::array kChunkRangeMembers{Member{"start", Type::kNumber32}, Member{"end", Type::kNumber32}};
constexpr std::array kByteRangeMembers{Member{"start", Type::kNumber64}, Member{"end", Type::kNumber64}};

std::span<const Member> members_of(Node node, Form form) {
  switch (node) {
    case Node::kAnswer:
      if (form == Form::kBatch) return kAnswerBatch;
      return form == Form::kV1 ? std::span<const Member>(kAnswerV1) : kAnswerV2;
    case Node::kTerm:
      return kTermMembers;
    case Node::kFetch:
      return kFetchMembers;
    case Node::kRange:
      return kRangeMembers;
    case Node::kInfo:
      return kInfoMembers;
    case Node::kChunkRange:
      return kChunkRangeMembers;
    case Node::kByteRange:
      return kByteRangeMembers;
    default:
      return {};
  }
}

/// What the elements of an array, or the values of an object with hashes as keys, are.
Node element_of(Node node) {
  switch (node) {
    case Node::kStart:
      return Node::kAnswer;
    case Node::kTerms:
      return Node::kTerm;
    case Node::kFiles:
      return Node::kTerms;
    case Node::kXorbs:
      return Node::kFetches;
    case Node::kFetches:
      return Node::kFetch;
    case Node::kRanges:
      return Node::kRange;
    case Node::kInfos:
      return Node::kInfoList;
    case Node::kInfoList:
      return Node::kInfo;
    default:
      return Node::kUnknown;
  }
}

bool is_keyed_by_hash(Node node) {
  return node == Node::kFiles || node == Node::kXorbs || node == Node::kInfos;
}
bool is_array(Node node) {
  return node == Node::kTerms || node == Node::kFetches || node == Node::kRanges || node == Node::kInfoList;
}

/// Walks along the members above. Whatever is not listed there is skipped, whatever is has to be as listed.
class Reader final : public nlohmann::json_sax<json> {
 public:
  explicit Reader(Form form) : form_(form) {}

  bool null() override { return scalar(std::nullopt); }
  bool boolean(bool /*value*/) override { return scalar(std::nullopt); }
  bool number_integer(number_integer_t /*negative*/) override { return scalar(std::nullopt); }
  bool number_float(number_float_t /*value*/, const string_t& /*text*/) override {
    return scalar(std::nullopt);
  }
  bool binary(binary_t& /*value*/) override { return false; }
  bool number_unsigned(number_unsigned_t value) override { return scalar(uint64_t{value}); }
  bool string(string_t& value) override;
  bool key(string_t& name) override;
  bool start_object(size_t /*size*/) override { return enter(false); }
  bool start_array(size_t /*size*/) override { return enter(true); }
  bool end_object() override { return leave(); }
  bool end_array() override { return leave(); }
  bool parse_error(size_t at, const std::string& /*token*/,
                   const nlohmann::detail::exception& /*error*/) override {
    return refuse(fmt::format("no JSON at offset {}", at));
  }

  const std::string& problem() const { return problem_; }
  WireReconstruction take_reconstruction() {
    return {.offset_into_first_term = offset_, .terms = std::move(terms_), .fetches = std::move(fetches_)};
  }
  WireBatch take_batch() { return {.files = std::move(files_), .fetches = std::move(fetches_)}; }

 private:
  struct Level {
    Node node;
    uint8_t seen = 0;                // bit i: member i has come
    const Member* member = nullptr;  // that of the last key, if it is known
  };

  bool refuse(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
    return false;
  }
  /// Whether a value of this type may come here; `known` tells whether we read it.
  bool expect(Type type, bool& known);
  bool scalar(std::optional<uint64_t> number);
  bool enter(bool is_array_here);
  bool leave();
  bool begin(Node node);
  bool end(const Level& level);

  const Form form_;
  std::vector<Level> levels_{{Node::kStart}};
  size_t unknown_depth_ = 0;  // levels of what we do not read are counted, not kept
  std::string problem_;

  uint64_t offset_ = 0;
  std::vector<Term> terms_;
  std::vector<std::pair<FileHash, std::vector<Term>>> files_;
  WireFetches fetches_;
  XorbHash xorb_;       // whose fetches are read
  Term term_;           // being read
  WireFetch fetch_;     // being read
  WireRange range_;     // being read
  uint64_t start_ = 0;  // of the range of numbers being read
  uint64_t end_ = 0;
};

bool Reader::expect(Type type, bool& known) {
  known = false;
  auto& level = levels_.back();
  if (is_array(level.node) || level.node == Node::kStart || is_keyed_by_hash(level.node)) {
    // elements are objects, but those of a map are lists
    if (type == (is_keyed_by_hash(level.node) ? Type::kArray : Type::kObject)) return known = true;
    return refuse("a value of the wrong type");
  }
  if (level.member == nullptr) return true;
  if (level.member->type == type || (level.member->type == Type::kNumber64 && type == Type::kNumber32))
    return known = true;
  return refuse(fmt::format("\"{}\" is out of range or of the wrong type", level.member->name));
}

bool Reader::scalar(std::optional<uint64_t> number) {
  if (unknown_depth_ > 0) return true;
  auto& level = levels_.back();
  bool known = false;
  if (!number) {
    if (level.member == nullptr && !members_of(level.node, form_).empty()) return true;
    return refuse("a value of the wrong type");
  }
  const bool is_small = *number <= std::numeric_limits<uint32_t>::max();
  if (!expect(is_small ? Type::kNumber32 : Type::kNumber64, known)) return false;
  if (!known) return true;
  switch (level.node) {
    case Node::kAnswer:
      offset_ = *number;
      break;
    case Node::kTerm:
      term_.unpacked_len = static_cast<uint32_t>(*number);
      break;
    default:
      (level.member->name == "start" ? start_ : end_) = *number;
  }
  return true;
}

bool Reader::string(string_t& value) {
  if (unknown_depth_ > 0) return true;
  bool known = false;
  if (!expect(Type::kText, known)) return false;
  if (!known) return true;
  if (levels_.back().node != Node::kTerm) {
    fetch_.url = std::move(value);
    return true;
  }
  const auto hash = XorbHash::from_hex(value);
  if (!hash) return refuse("a term's hash is not one");
  term_.xorb = *hash;
  return true;
}

bool Reader::key(string_t& name) {
  if (unknown_depth_ > 0) return true;
  auto& level = levels_.back();
  if (level.node == Node::kFiles) {
    const auto hash = FileHash::from_hex(name);
    if (!hash) return refuse("the name of a file is no hash");
    files_.emplace_back(*hash, std::vector<Term>());
    return true;
  }
  if (is_keyed_by_hash(level.node)) {
    const auto hash = XorbHash::from_hex(name);
    if (!hash) return refuse("the name of a xorb is no hash");
    xorb_ = *hash;
    return fetches_.try_emplace(xorb_).second || refuse("a xorb comes twice");
  }
  level.member = nullptr;
  const auto members = members_of(level.node, form_);
  for (size_t i = 0; i < members.size(); ++i) {
    if (members[i].name != name) continue;
    const auto bit = static_cast<uint8_t>(1U << i);
    if ((level.seen & bit) != 0) return refuse(fmt::format("\"{}\" comes twice", name));
    level.seen |= bit;
    level.member = &members[i];
  }
  return true;
}

bool Reader::enter(bool is_array_here) {
  if (unknown_depth_ > 0) {
    ++unknown_depth_;
    return true;
  }
  bool known = false;
  if (!expect(is_array_here ? Type::kArray : Type::kObject, known)) return false;
  if (!known) {
    ++unknown_depth_;
    return true;
  }
  const auto& level = levels_.back();
  return begin(level.member != nullptr ? level.member->child : element_of(level.node));
}

bool Reader::begin(Node node) {
  levels_.push_back({node});
  switch (node) {
    case Node::kTerm:
      term_ = {};
      break;
    case Node::kFetch:
    case Node::kInfo:
      fetch_ = {};
      range_ = {};
      break;
    case Node::kRange:
      range_ = {};
      break;
    default:
      break;
  }
  return true;
}

bool Reader::leave() {
  if (unknown_depth_ > 0) {
    --unknown_depth_;
    return true;
  }
  const Level level = levels_.back();
  levels_.pop_back();
  const auto members = members_of(level.node, form_);
  for (size_t i = 0; i < members.size(); ++i) {
    if ((level.seen & (1U << i)) == 0) return refuse(fmt::format("\"{}\" is missing", members[i].name));
  }
  return end(level);
}

bool Reader::end(const Level& level) {
  switch (level.node) {
    case Node::kTerm:
      (form_ == Form::kBatch ? files_.back().second : terms_).push_back(term_);
      return true;
    case Node::kFetch:
      fetches_[xorb_].push_back(std::move(fetch_));
      return true;
    case Node::kRange:
      fetch_.ranges.push_back(range_);
      return true;
    case Node::kInfo:
      fetch_.ranges.push_back(range_);
      fetches_[xorb_].push_back(std::move(fetch_));
      return true;
    case Node::kChunkRange: {
      const ChunkRange chunks{static_cast<uint32_t>(start_), static_cast<uint32_t>(end_)};
      (levels_.back().node == Node::kTerm ? term_.chunks : range_.chunks) = chunks;
      return true;
    }
    case Node::kByteRange:
      if (end_ == UINT64_MAX || end_ < start_) return refuse("a range of bytes ends before it begins");
      range_.bytes = {start_, end_ + 1};
      return true;
    default:
      return true;
  }
}

Status read(ByteSpan text, Reader& reader) {
  const auto chars = as_chars(text);
  if (json::sax_parse(chars.begin(), chars.end(), &reader)) return {};
  return fail(ErrorCode::kCorruption, fmt::format("the reconstruction is wrong: {}", reader.problem()));
}

}  // namespace

Result<WireReconstruction> parse_reconstruction_v1(ByteSpan text) {
  Reader reader(Form::kV1);
  XET_TRY_STATUS(read(text, reader));
  return reader.take_reconstruction();
}
Result<WireReconstruction> parse_reconstruction_v2(ByteSpan text) {
  Reader reader(Form::kV2);
  XET_TRY_STATUS(read(text, reader));
  return reader.take_reconstruction();
}
Result<WireBatch> parse_batch_reconstruction(ByteSpan text) {
  Reader reader(Form::kBatch);
  XET_TRY_STATUS(read(text, reader));
  return reader.take_batch();
}

}  // namespace xet::cas

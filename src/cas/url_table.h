#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/sync.h"
#include "cas/fetch_layout.h"
#include "cas/shared_flight.h"

namespace xet::cas {

/// The URLs of one reconstruction answer. They end some time; then the same question is asked once more, once
/// for all fetches of the answer, and must be answered with the same ranges. Thread-safe; kept alive by the
/// tickets of its ranges.
class UrlTable {
 public:
  /// Asks the question again.
  using Requery = std::function<void(std::stop_token, Callback<FetchLayout>)>;

  UrlTable(FetchLayout layout, Requery requery);

  /// Where to get a byte of a range.
  struct Source {
    std::string url;
    ByteRange signed_for;     ///< the piece that holds the byte
    uint64_t generation = 0;  ///< of the table, when the URL was taken
    size_t url_index = 0;     ///< in that generation
  };
  /// `at`: position in the xorb, inside of the entry.
  Source source(size_t entry, uint64_t at);
  uint64_t generation() { return state_->lock()->generation; }
  /// All ranges that the URL is signed for, if it is still of this generation.
  std::vector<ByteRange> signed_ranges(const Source& source);

  /// Done when the table is newer than `generation`. kCorruption when the store now lays the ranges out
  /// otherwise.
  void refresh(uint64_t generation, std::stop_token stop, Callback<void> done);

 private:
  struct State {
    FetchLayout layout;
    uint64_t generation = 0;
  };
  static Status replace(State& state, FetchLayout layout);

  const Requery requery_;
  const std::shared_ptr<Sync<State>> state_;  // shared with a refresh under way
  SharedFlight<void> flight_;
};

/// How HttpCas fetches a range: an entry of a table.
struct HttpTicket final : FetchTicket {
  HttpTicket(std::shared_ptr<UrlTable> from, size_t index) : table(std::move(from)), entry(index) {}
  const std::shared_ptr<UrlTable> table;  // shared by all tickets of the answer
  const size_t entry;
};

}  // namespace xet::cas

#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/sync.h"
#include "cas/cas_server.h"
#include "session/pipelines.h"
#include "support/generators.h"
#include "support/matchers.h"
#include "support/temp_dir.h"
#include "xet/session.h"

namespace xet::testing {

/// What must come comes sooner; a wait as long has failed.
inline constexpr std::chrono::milliseconds kLong{60'000};

using Setting = std::pair<std::string_view, Config::Value>;
/// A session that knows nothing of the environment.
std::shared_ptr<Session> make_session(std::initializer_list<Setting> settings = {});

ConnectOptions to(std::string endpoint);
inline ConnectOptions in(const TempDir& dir) {
  return to("local:" + dir.path().string());
}

/// Looks until it holds, for what no condition variable tells; false after a minute.
bool eventually(const std::function<bool()>& condition);

/// A commit of these bytes, to its end. Throws when it fails.
CommitReport put(Session& session, const ConnectOptions& store, const std::vector<ByteVector>& contents);
FileToDownload put_one(Session& session, const ConnectOptions& store, const ByteVector& content);

/// Finishes a commit or a group and waits for it.
template <class Group>
auto finish(Group& group) -> decltype(group.result()) {
  if (const auto begun = group.begin_finish(); !begun) return tl::unexpected(begun.error());
  EXPECT_TRUE(group.wait_for(kLong));
  return group.result();
}

/// The rest of a stream.
Result<ByteVector> read_all(DownloadStream& stream);
/// What a new group of streams gives for a file.
Result<ByteVector> stream_of(Session& session, const ConnectOptions& store, const FileToDownload& file);

/// What reports told, in order.
class Reports {
 public:
  struct Snapshot {
    std::chrono::steady_clock::time_point when;
    Progress progress;
    std::vector<ItemProgress> items;
  };
  /// `then` runs in each report, after it was noted.
  explicit Reports(std::function<bool()> then = [] { return true; }) : then_(std::move(then)) {}
  ProgressReports every(std::chrono::milliseconds interval);
  std::vector<Snapshot> seen() { return *seen_.lock(); }
  bool wait_for(size_t n);

 private:
  const std::function<bool()> then_;
  Sync<std::vector<Snapshot>> seen_;
  std::condition_variable more_;
};

/// A CAS over HTTP that keeps what a test picks waiting until it is told to go on.
class SlowServer {
 public:
  using Pick = std::function<bool(const CasServer::Exchange&)>;
  void hold(Pick which);
  void go_on();
  bool wait_for_held(size_t n);
  CasServer& cas() { return cas_; }
  /// Puts a file into its store.
  FileHash add(ByteSpan content);
  ConnectOptions endpoint() const { return to("http://" + authority_); }

  static bool is_upload(const CasServer::Exchange& exchange) { return exchange.request().method != "GET"; }
  static bool is_data(const CasServer::Exchange& exchange) { return CasServer::is_data(exchange); }

 private:
  Gate gate_;
  Sync<size_t> n_held_{0};
  std::condition_variable more_;
  CasServer cas_;  // last: its handlers use the rest
  const std::string authority_ = cas_.http().authority();
};

/// Nothing of the process is left over from what the test does inside.
class NothingLeft : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override { expect_nothing_left(); }
  void expect_nothing_left();
  /// Threads more than there were at the beginning, once the kernel has forgotten those that have ended.
  bool has_threads(size_t n) const;

 private:
  size_t fds_ = 0;
  size_t threads_ = 0;
};

}  // namespace xet::testing

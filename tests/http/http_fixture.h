#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/sync.h"
#include "http/raw_client.h"
#include "server/core/embedded_store.h"
#include "server/core/tokens.h"
#include "server/http/server.h"
#include "server/sample_store.h"
#include "support/fake_clock.h"
#include "support/temp_dir.h"

namespace xet::testing {

/// A server on a fresh store, with a clock for expiry that stands still. Throws when it cannot be had.
class HttpFixture {
 public:
  explicit HttpFixture(const std::function<void(http::ServerOptions&)>& edit = {});

  core::CasService& service() { return *store_.service; }
  store::HubStore& hub() { return *store_.hub; }
  http::Server& server() { return *server_; }
  RawClient connect() { return RawClient(server_->port()); }
  /// Ends the server; the store stays.
  void stop() { server_.reset(); }

  std::string token(core::Scope scope, std::string_view repository = "model/acme/one",
                    std::chrono::seconds lifetime = std::chrono::hours(1));
  /// "Authorization" with a token that may write to model/acme/one.
  std::pair<std::string, std::string> writer() { return bearer(token(core::Scope::kWrite)); }
  std::pair<std::string, std::string> reader() { return bearer(token(core::Scope::kRead)); }
  static std::pair<std::string, std::string> bearer(const std::string& token) {
    return {"Authorization", "Bearer " + token};
  }
  core::Principal principal(std::string_view repository = "model/acme/one");

  /// Puts a xorb and a file of all its chunks into the store, past the server.
  format::FileRecord add_file(const SampleXorb& xorb, std::string_view repository = "model/acme/one");
  format::FileRecord add_file(const std::vector<ChunkRun>& runs, const std::vector<const SampleXorb*>& xorbs,
                              std::string_view repository = "model/acme/one");

  FakeClock clock;
  std::vector<std::string> log_lines();
  /// The lines that are there once there are `n` of them; fewer after half a minute.
  std::vector<std::string> wait_for_log_lines(size_t n);
  std::vector<std::string> events();
  /// A value of /metrics, by name and labels; -1 when it is not there. Needs an admin listener.
  double metric(std::string_view name_and_labels);
  /// Asks until the metric has the value; false after half a minute.
  bool wait_for_metric(std::string_view name_and_labels, double value);

  const TempDir dir;

 private:
  core::EmbeddedStore store_;
  std::unique_ptr<core::TokenAuthority> tokens_;
  Sync<std::vector<std::string>> log_lines_;
  Sync<std::vector<std::string>> events_;
  std::unique_ptr<http::Server> server_;
};

/// "http://server.test/d/x?y" -> "/d/x?y".
std::string target_of(std::string_view url);

}  // namespace xet::testing

#include "bindings/python/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "bindings/python/config.h"
#include "bindings/python/connect.h"
#include "bindings/python/docstrings.h"
#include "bindings/python/downloads.h"
#include "bindings/python/streams.h"
#include "bindings/python/uploads.h"

#ifndef XET_PYTHON_VERSION
#error "the build says the version of the distribution"
#endif

namespace xet::python {

namespace {

using nb::literals::operator""_a;

bool is_user_agent(std::string_view name) {
  constexpr std::string_view kName = "user-agent";
  return std::equal(name.begin(), name.end(), kName.begin(), kName.end(), [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  });
}

Config to_config(nb::handle value) {
  if (value.is_none()) return Config::from_environment();
  const auto* config = instance_of<Config>(value);
  if (config == nullptr) raise_not_instance(value, "XetConfig");
  return *config;
}

UploadCommitObject new_upload_commit(const SessionObject& self, const nb::object& endpoint,
                                     const nb::object& token, const nb::object& token_expiry_unix_secs,
                                     const nb::object& token_refresh_url,
                                     const nb::object& token_refresh_headers,
                                     const nb::object& custom_headers, const nb::object& progress_callback,
                                     const nb::object& progress_interval_ms) {
  const auto to = to_connect(
      {endpoint, token, token_expiry_unix_secs, token_refresh_url, token_refresh_headers, custom_headers});
  const std::chrono::milliseconds interval(to_interval(progress_interval_ms));
  ProgressCallback callback(progress_callback, true);
  auto& session = self.begin();
  return {make_part(self.session(),
                    [&](const std::stop_token& stop) {
                      return session.new_upload_commit(to, callback.reports(interval), stop);
                    }),
          callback};
}

DownloadGroupObject new_file_download_group(const SessionObject& self, const nb::object& endpoint,
                                            const nb::object& token, const nb::object& token_expiry_unix_secs,
                                            const nb::object& token_refresh_url,
                                            const nb::object& token_refresh_headers,
                                            const nb::object& custom_headers,
                                            const nb::object& progress_callback,
                                            const nb::object& progress_interval_ms) {
  const auto from = to_connect(
      {endpoint, token, token_expiry_unix_secs, token_refresh_url, token_refresh_headers, custom_headers});
  const std::chrono::milliseconds interval(to_interval(progress_interval_ms));
  ProgressCallback callback(progress_callback, false);
  auto& session = self.begin();
  return {make_part(self.session(),
                    [&](const std::stop_token& stop) {
                      return session.new_file_download_group(from, callback.reports(interval), stop);
                    }),
          callback};
}

StreamGroupObject new_download_stream_group(const SessionObject& self, const nb::object& endpoint,
                                            const nb::object& token, const nb::object& token_expiry_unix_secs,
                                            const nb::object& token_refresh_url,
                                            const nb::object& token_refresh_headers,
                                            const nb::object& custom_headers) {
  const auto from = to_connect(
      {endpoint, token, token_expiry_unix_secs, token_refresh_url, token_refresh_headers, custom_headers});
  auto& session = self.begin();
  return make_part(self.session(), [&](const std::stop_token& stop) {
    return session.new_download_stream_group(from, stop);
  });
}

}  // namespace

int64_t to_interval(nb::handle value) {
  constexpr uint64_t kMost = 24 * 3'600'000;  // a day; more is never waited for
  return static_cast<int64_t>(std::min(to_count(value), kMost));
}

void set_headers(HttpOptions& http, Pairs headers) {
  const std::string ours = "hf_xet/" XET_PYTHON_VERSION;
  http.user_agent = ours;
  for (auto& [name, value] : headers) {
    if (is_user_agent(name)) {
      http.user_agent = fmt::format("{}; {}", value, ours);
    } else {
      http.headers.emplace_back(std::move(name), std::move(value));
    }
  }
}

ConnectOptions to_connect(const ConnectArguments& arguments) {
  ConnectOptions out;
  out.endpoint = to_optional_text(arguments.endpoint);
  auto token = to_optional_text(arguments.token);
  const auto expiry = to_optional_count(arguments.token_expiry_unix_secs);
  if (token && expiry) out.http.token = AccessToken{std::move(*token), *expiry};
  (void)to_pairs(arguments.token_refresh_headers);  // of the right kind, also where they are of no use
  if (auto url = to_optional_text(arguments.token_refresh_url)) {
    if (url->empty()) raise_value_error("Configuration error: token_refresh_url is empty");
    out.http.refresh_url = std::move(*url);
    out.http.refresh_headers = to_headers(arguments.token_refresh_headers);
  }
  set_headers(out.http, to_headers(arguments.custom_headers));
  return out;
}

void bind_session(nb::module_& module) {
  Documented<SessionObject>(module, "XetSession", nb::is_final())
      .def(
          "__init__",
          [](SessionObject* self, const nb::object& config) {
            const auto session = Session::make(to_config(config));
            add_session(session);
            new (self) SessionObject(session, session);
          },
          "config"_a = nb::none())
      .def("new_upload_commit", new_upload_commit, "endpoint"_a = nb::none(), "token"_a = nb::none(),
           "token_expiry_unix_secs"_a = nb::none(), "token_refresh_url"_a = nb::none(),
           "token_refresh_headers"_a = nb::none(), "custom_headers"_a = nb::none(),
           "progress_callback"_a = nb::none(), "progress_interval_ms"_a.none() = 100)
      .def("new_file_download_group", new_file_download_group, "endpoint"_a = nb::none(),
           "token"_a = nb::none(), "token_expiry_unix_secs"_a = nb::none(),
           "token_refresh_url"_a = nb::none(), "token_refresh_headers"_a = nb::none(),
           "custom_headers"_a = nb::none(), "progress_callback"_a = nb::none(),
           "progress_interval_ms"_a.none() = 100)
      .def("new_download_stream_group", new_download_stream_group, "endpoint"_a = nb::none(),
           "token"_a = nb::none(), "token_expiry_unix_secs"_a = nb::none(),
           "token_refresh_url"_a = nb::none(), "token_refresh_headers"_a = nb::none(),
           "custom_headers"_a = nb::none())
      .def("status", [](const SessionObject& /*self*/) { return state_object(TaskState::kRunning); })
      .def("sigint_abort",
           [](const SessionObject& self) {
             auto& session = self.use();
             const ReleasedGil released;
             session.abort();
           })
      .def("__repr__", [](const SessionObject& self) {
        const auto& session = self.look();
        return fmt::format("XetSession(id=\"{}\", status=\"Running\", config={})", session.id(),
                           shown(session.config()));
      });
}

}  // namespace xet::python

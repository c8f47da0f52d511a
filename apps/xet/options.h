#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "server/store/hub_store.h"
#include "xet/client.h"
#include "xet/hash.h"
#include "xet/hub.h"

namespace xet::cli {

enum class ProgressMode : uint8_t { kAuto, kBar, kLines, kJson, kNone };

/// What every command takes, as far as its --help lists it.
struct CommonOptions {
  std::string endpoint;  ///< -e, else XET_ENDPOINT; empty when neither is given, or none is needed
  bool json = false;
  bool quiet = false;
  ProgressMode progress = ProgressMode::kAuto;
  ClientOptions client;  ///< of its HTTP part only the token; the rest comes from the environment
  HubOptions hub;        ///< for hf: endpoints
  std::optional<std::chrono::milliseconds> timeout;
};

/// Paths are strings because they are results, too: they are printed as they were typed. "-" is stdin.
struct UploadArgs {
  std::vector<std::string> paths;
  bool recursive = false;
  bool sha256 = true;
};
struct PlanArgs {
  std::vector<std::string> paths;
};
/// The same with a hf: endpoint, where files have paths.
struct HubUploadArgs {
  std::vector<std::string> paths;
  bool recursive = false;
  bool sha256 = true;
  std::string to;  ///< where in the repository; empty: the root
  std::string message;
  bool create = false;
};
struct HubPlanArgs {
  std::vector<std::string> paths;
  std::string to;
};
struct HashArgs {
  std::vector<std::string> paths;
  bool sha256 = false;
};
struct DownloadArgs {
  std::optional<FileHash> file;  ///< this or `manifest`
  std::string output;
  std::optional<FileRange> range;
  std::string manifest;
  std::string directory;
};
struct CatArgs {
  FileHash file;
  std::optional<FileRange> range;
};
struct HubDownloadArgs {
  std::vector<std::string> paths;  ///< none: everything
  std::string output;              ///< of one file; this or `directory`
  std::optional<FileRange> range;
  std::string directory;
};
struct HubCatArgs {
  std::string path;
  std::optional<FileRange> range;
};
struct ChunksArgs {
  std::string path;
};
struct InspectArgs {
  std::string path;
  bool verify = false;
};
struct ServeArgs {
  std::string data;
  std::string listen;        ///< ADDRESS:PORT; port 0: any free one
  std::string admin_listen;  ///< the same for /metrics; empty: none
  std::string public_url;    ///< empty: as the client addressed us
  std::string tls_certificate;
  std::string tls_key;
  bool auth = true;
  bool access_log = false;
};
struct AdminTokenArgs {
  std::string data;
  bool may_write = false;
  std::string repository;  ///< empty: repository 0
  std::chrono::seconds lifetime{3600};
};
struct AdminStatsArgs {
  std::string data;
};
struct AdminFsckArgs {
  std::string data;
  bool deep = false;
};

struct AddUserArgs {
  std::string data;
  std::string name;
};
struct ListUsersArgs {
  std::string data;
};
struct CreateTokenArgs {
  std::string data;
  std::string user;
  store::TokenRole role = store::TokenRole::kRead;
  std::vector<std::string> name_spaces;          ///< empty: the user's own
  std::optional<std::chrono::seconds> lifetime;  ///< nullopt: until it is revoked
};
struct ListTokensArgs {
  std::string data;
};
struct RevokeTokenArgs {
  std::string data;
  int64_t id = 0;
};

using Command =
    std::variant<UploadArgs, DownloadArgs, CatArgs, PlanArgs, HubUploadArgs, HubDownloadArgs, HubCatArgs,
                 HubPlanArgs, HashArgs, ChunksArgs, InspectArgs, ServeArgs, AdminTokenArgs, AdminStatsArgs,
                 AdminFsckArgs, AddUserArgs, ListUsersArgs, CreateTokenArgs, ListTokensArgs, RevokeTokenArgs>;

}  // namespace xet::cli

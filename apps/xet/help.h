#pragma once

#include <string_view>

namespace xet::cli {

/// The words of --help, apart from the lists of options.
struct CommandHelp {
  std::string_view name;
  std::string_view summary;
  std::string_view details;
};

extern const std::string_view kProgramSummary;
extern const std::string_view kProgramDetails;
extern const CommandHelp kUploadHelp;
extern const CommandHelp kDownloadHelp;
extern const CommandHelp kCatHelp;
extern const CommandHelp kPlanHelp;
extern const CommandHelp kHashHelp;
extern const CommandHelp kChunksHelp;
extern const CommandHelp kInspectHelp;
extern const CommandHelp kServeHelp;
extern const CommandHelp kAdminHelp;
extern const CommandHelp kAdminTokenHelp;
extern const CommandHelp kAdminStatsHelp;
extern const CommandHelp kAdminFsckHelp;
extern const CommandHelp kUserHelp;
extern const CommandHelp kAddUserHelp;
extern const CommandHelp kListUsersHelp;
extern const CommandHelp kHubTokenHelp;
extern const CommandHelp kCreateTokenHelp;
extern const CommandHelp kListTokensHelp;
extern const CommandHelp kRevokeTokenHelp;

}  // namespace xet::cli

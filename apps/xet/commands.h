#pragma once

#include "apps/xet/context.h"
#include "apps/xet/options.h"

namespace xet::cli {

/// One function per command. Each reports its failures with context.fail() and its results through
/// context.out(); the exit code follows from these.
void run(Context& context, const UploadArgs& args);
void run(Context& context, const DownloadArgs& args);
void run(Context& context, const CatArgs& args);
void run(Context& context, const PlanArgs& args);
void run(Context& context, const HubUploadArgs& args);
void run(Context& context, const HubDownloadArgs& args);
void run(Context& context, const HubCatArgs& args);
void run(Context& context, const HubPlanArgs& args);
void run(Context& context, const HashArgs& args);
void run(Context& context, const ChunksArgs& args);
void run(Context& context, const InspectArgs& args);
void run(Context& context, const ServeArgs& args);
void run(Context& context, const AdminTokenArgs& args);
void run(Context& context, const AdminStatsArgs& args);
void run(Context& context, const AdminFsckArgs& args);
void run(Context& context, const AddUserArgs& args);
void run(Context& context, const ListUsersArgs& args);
void run(Context& context, const CreateTokenArgs& args);
void run(Context& context, const ListTokensArgs& args);
void run(Context& context, const RevokeTokenArgs& args);

}  // namespace xet::cli

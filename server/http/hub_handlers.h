#pragma once

#include "server/http/answer.h"
#include "server/hub/refusal.h"

namespace xet::http {

struct HubCall;

// The routes of the Hub. They block.

// hub_accounts.cc
hub::Outcome<Answer> hub_whoami(HubCall& call);
hub::Outcome<Answer> hub_harnesses(HubCall& call);
hub::Outcome<Answer> hub_validate_yaml(HubCall& call);

// hub_repositories.cc
hub::Outcome<Answer> hub_create_repository(HubCall& call);
hub::Outcome<Answer> hub_delete_repository(HubCall& call);
hub::Outcome<Answer> hub_move_repository(HubCall& call);
hub::Outcome<Answer> hub_change_settings(HubCall& call);
hub::Outcome<Answer> hub_repository_info(HubCall& call);
hub::Outcome<Answer> hub_list_repositories(HubCall& call);
hub::Outcome<Answer> hub_list_own_repositories(HubCall& call);
hub::Outcome<Answer> hub_auth_check(HubCall& call);

// hub_revisions.cc
hub::Outcome<Answer> hub_refs(HubCall& call);
hub::Outcome<Answer> hub_commits(HubCall& call);
hub::Outcome<Answer> hub_create_branch(HubCall& call);
hub::Outcome<Answer> hub_delete_branch(HubCall& call);
hub::Outcome<Answer> hub_create_tag(HubCall& call);
hub::Outcome<Answer> hub_delete_tag(HubCall& call);
hub::Outcome<Answer> hub_squash(HubCall& call);

// hub_files.cc
hub::Outcome<Answer> hub_tree(HubCall& call);
hub::Outcome<Answer> hub_paths_info(HubCall& call);
hub::Outcome<Answer> hub_resolve(HubCall& call);

// hub_commit.cc
hub::Outcome<Answer> hub_preupload(HubCall& call);
hub::Outcome<Answer> hub_commit(HubCall& call);
hub::Outcome<Answer> hub_duplicate_lfs(HubCall& call);

// hub_tokens.cc
hub::Outcome<Answer> hub_read_token(HubCall& call);
hub::Outcome<Answer> hub_write_token(HubCall& call);

// hub_buckets.cc
hub::Outcome<Answer> hub_create_bucket(HubCall& call);
hub::Outcome<Answer> hub_list_buckets(HubCall& call);
hub::Outcome<Answer> hub_bucket_info(HubCall& call);
hub::Outcome<Answer> hub_delete_bucket(HubCall& call);
hub::Outcome<Answer> hub_bucket_tree(HubCall& call);
hub::Outcome<Answer> hub_bucket_paths(HubCall& call);
hub::Outcome<Answer> hub_bucket_batch(HubCall& call);
hub::Outcome<Answer> hub_bucket_resolve(HubCall& call);

// hub_lfs.cc
hub::Outcome<Answer> hub_lfs_batch(HubCall& call);
hub::Outcome<Answer> hub_lfs_verify(HubCall& call);

}  // namespace xet::http

#pragma once

#include "server/http/answer.h"
#include "server/http/request.h"

namespace xet::http {

struct App;

// Requests that are answered in one piece. They may block where their route says so.

Answer reconstruct_v2(App& app, const Request& request);
Answer reconstruct_v1(App& app, const Request& request);
Answer reconstruct_batch_of_query(App& app, const Request& request);
Answer reconstruct_batch_of_body(App& app, const Request& request);
Answer query_dedup(App& app, const Request& request);
Answer look_for_xorb(App& app, const Request& request);
Answer look_for_file(App& app, const Request& request);
Answer grant_upload(App& app, const Request& request);
Answer commit_upload(App& app, const Request& request);
Answer take_shard(App& app, const Request& request);
Answer drop_telemetry(App& app, const Request& request);
Answer tell_alive(App& app, const Request& request);
Answer tell_ready(App& app, const Request& request);
Answer tell_metrics(App& app, const Request& request);

/// What a refused shard is answered with, on both routes; counts it. The message names what is wrong, and the
/// cure when the client refers to a xorb that is not here.
Answer shard_refused(App& app, const Request& request, const Error& error);
void count_shard(App& app, const core::PutShardOutcome& outcome);

}  // namespace xet::http

#pragma once

#include "server/store/sqlite.h"
#include "xet/result.h"

namespace xet::store {

/// The schema version that this program writes.
int latest_schema_version();

/// Brings the database to the latest schema: creates it, or applies the migrations it lacks, each once even
/// when several processes open the store together. kInvalidArgument for a schema newer than this program
/// knows.
Status migrate(sqlite::Connection& connection);

}  // namespace xet::store

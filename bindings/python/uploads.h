#pragma once

#include "bindings/python/held.h"
#include "bindings/python/progress.h"
#include "xet/session.h"

namespace xet::python {

using SessionObject = Held<Session>;

struct UploadCommitObject {
  Held<UploadCommit> commit;
  ProgressCallback callback;
};

/// Waits for a commit to finish and gives its report; raises what failed.
CommitReport finish(const Held<UploadCommit>& commit);

/// Milliseconds; any number of them is taken.
int64_t to_interval(nb::handle value);

}  // namespace xet::python

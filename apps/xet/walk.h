#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "xet/result.h"

namespace xet::cli {

struct WalkOptions {
  bool recursive = false;  ///< false: a directory among the arguments is kInvalidArgument
  std::stop_token stop;
  /// Left out wherever it turns up below a directory: a store must not swallow its own files, which change
  /// under the reader. As an argument it is kInvalidArgument.
  std::optional<std::filesystem::path> store;
};

/// Called for everything that cannot be read, with its name; the walk goes on.
using WalkErrorHandler = std::function<void(const Error&, const std::string& name)>;
/// Called for the store's directory when it is left out.
using StoreSkippedHandler = std::function<void(const std::string& name)>;

/// The files that `arguments` mean, in their order, those below a directory sorted by name (as bytes), so
/// that two runs over the same tree do the same. A name is the argument as given, or argument/rest below a
/// directory; it is also the path to open. "-" stands for stdin and is passed through.
///
/// Symbolic links are followed; one that leads back to a directory it lies in is an error. Below a directory
/// only regular files count: reading a pipe that happens to lie there could wait for ever. As an argument a
/// pipe or device is taken. Unreadable things are kIo.
std::vector<std::string> collect_files(const std::vector<std::string>& arguments, const WalkOptions& options,
                                       const WalkErrorHandler& on_error,
                                       const StoreSkippedHandler& on_store_skipped);

}  // namespace xet::cli

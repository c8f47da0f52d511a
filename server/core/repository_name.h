#pragma once

#include <optional>
#include <string_view>

#include "server/store/meta_store.h"
#include "xet/result.h"

namespace xet::core {

/// "model", "dataset", "space", "bucket"; "local" for the repository that every store has.
std::string_view type_word(store::RepositoryType type);
/// The reverse, of the first four.
std::optional<store::RepositoryType> type_of_word(std::string_view word);

/// Whether this can be a namespace or a repository's name: 1 to 96 of letters, digits, '-', '_', '.',
/// beginning and ending with neither '-' nor '.', without "--" and "..".
bool is_name_part(std::string_view part);

/// Takes "TYPE/NAMESPACE/NAME" apart; the parts are views of `name`. Type: model, dataset, space, bucket.
/// Namespace and name are is_name_part(), the name not ending with ".git". "local" is the repository that
/// every store has; no other may lie in its namespace. kInvalidArgument for all else.
Result<store::RepositoryName> parse_repository_name(std::string_view name);

}  // namespace xet::core

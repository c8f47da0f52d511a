#pragma once

#include <optional>
#include <string>
#include <variant>

#include "apps/xet/options.h"
#include "xet/result.h"

namespace xet::cli {

struct Invocation {
  CommonOptions common;
  Command command;
};

/// --help or --version was asked for: text for stdout.
struct InfoText {
  std::string text;
};

/// Understands the command line. Wrong usage is kInvalidArgument with a message that says what to write
/// instead. Reads XET_ENDPOINT and XET_TOKEN, nothing else of the environment.
Result<std::variant<Invocation, InfoText>> parse_command_line(int argc, const char* const* argv);

}  // namespace xet::cli

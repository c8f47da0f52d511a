#include "libxet/environment.h"

#include <unistd.h>

#include <string_view>

#include "io/memory.h"

namespace xet {

Config::Environment process_environment() {
  Config::Environment out;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (const size_t equals = text.find('='); equals != std::string_view::npos)
      out.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return out;
}

// Here, because src/config reads neither the process nor files.
Config Config::from_environment() {
  return from_environment(process_environment(), io::usable_memory_bytes());
}

}  // namespace xet

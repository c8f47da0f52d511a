#include "server/helper_process.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <utility>

namespace xet::testing {

HelperProcess::HelperProcess(const std::string& mode, uint64_t number,
                             const std::filesystem::path& directory) {
  std::string program = XET_STORE_HELPER;
  std::string mode_arg = mode;
  std::string number_arg = std::to_string(number);
  std::string directory_arg = directory.string();
  std::array<char*, 5> arguments = {program.data(), mode_arg.data(), number_arg.data(), directory_arg.data(),
                                    nullptr};
  if (posix_spawn(&pid_, program.c_str(), nullptr, nullptr, arguments.data(), environ) != 0) {
    throw std::runtime_error("cannot start " + program);
  }
}

HelperProcess::~HelperProcess() {
  if (pid_ >= 0) wait();
}

int HelperProcess::wait() {
  const pid_t pid = std::exchange(pid_, -1);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return -1;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace xet::testing

#pragma once

#include <filesystem>
#include <string>

namespace xet::testing {

/// The helper program (store_helper.cc), running. Waited for in the destructor.
class HelperProcess {
 public:
  HelperProcess(const std::string& mode, uint64_t number, const std::filesystem::path& directory);
  ~HelperProcess();
  HelperProcess(const HelperProcess&) = delete;
  HelperProcess& operator=(const HelperProcess&) = delete;
  /// Its exit code, or -1 when a signal ended it.
  int wait();

 private:
  pid_t pid_ = -1;
};

}  // namespace xet::testing

#include "io/memory.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "support/temp_dir.h"

namespace xet::io {
namespace {

/// A file system root as a kernel would fill it.
class Memory : public ::testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) const {
    const auto file = root_.path() / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  void machine_has(uint64_t kibibytes) const {
    write("proc/meminfo", "MemTotal:       " + std::to_string(kibibytes) + " kB\nMemFree:  12 kB\n");
  }
  std::optional<uint64_t> usable() const { return usable_memory_bytes(root_.path()); }

  testing::TempDir root_;
};

constexpr const char* kVersion2Mount =
    "25 1 0:22 / /proc rw shared:2 - proc proc rw\n"
    "29 25 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
constexpr const char* kVersion1Mount =
    "34 31 0:31 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";

TEST_F(Memory, IsUnknownWhereTheSystemDoesNotSay) {
  EXPECT_EQ(usable(), std::nullopt);
  write("proc/meminfo", "MemTotal: lots\n");
  EXPECT_EQ(usable(), std::nullopt);
}

TEST_F(Memory, IsThatOfTheMachineWithoutControlGroups) {
  machine_has(24'683'656);
  EXPECT_EQ(usable(), 25'276'063'744U);
}

TEST_F(Memory, IsLimitedByTheGroup) {
  machine_has(1 << 20);
  write("proc/self/cgroup", "0::/user.slice/job\n");
  write("proc/self/mountinfo", kVersion2Mount);
  write("sys/fs/cgroup/user.slice/job/memory.max", "500000000\n");
  EXPECT_EQ(usable(), 500'000'000U);
  write("sys/fs/cgroup/user.slice/job/memory.max", "max\n");
  EXPECT_EQ(usable(), uint64_t{1} << 30);
  write("sys/fs/cgroup/user.slice/job/memory.max", "9999999999\n");
  EXPECT_EQ(usable(), uint64_t{1} << 30);
}

TEST_F(Memory, IsLimitedByTheTightestGroupAbove) {
  machine_has(1 << 20);
  write("proc/self/cgroup", "0::/user.slice/job/step\n");
  write("proc/self/mountinfo", kVersion2Mount);
  write("sys/fs/cgroup/user.slice/job/step/memory.max", "300000000\n");
  write("sys/fs/cgroup/user.slice/job/memory.max", "max\n");
  write("sys/fs/cgroup/user.slice/memory.max", "200000000\n");
  EXPECT_EQ(usable(), 200'000'000U);
}

TEST_F(Memory, IsLimitedByTheOldKindOfGroup) {
  machine_has(1 << 20);
  write("proc/self/cgroup", "9:name=systemd:/\n4:cpuset,memory:/box/one\n1:cpu:/other\n0::/\n");
  write("proc/self/mountinfo", kVersion1Mount);
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  write("sys/fs/cgroup/memory/box/memory.limit_in_bytes", "400000000\n");
  write("sys/fs/cgroup/memory/box/one/memory.limit_in_bytes", "9223372036854771712\n");
  write("sys/fs/cgroup/memory/other/memory.limit_in_bytes", "1\n");
  EXPECT_EQ(usable(), 400'000'000U);
}

TEST_F(Memory, IsLimitedByWhatAContainerSees) {
  machine_has(1 << 20);
  // The mount shows a group that is not the root; the process is in it.
  write("proc/self/cgroup", "4:memory:/docker/abc/inner\n");
  write("proc/self/mountinfo", "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "700000000\n");
  write("sys/fs/cgroup/memory/inner/memory.limit_in_bytes", "600000000\n");
  EXPECT_EQ(usable(), 600'000'000U);
  // The process is, by what it is told, elsewhere: the top of the mount counts.
  write("proc/self/cgroup", "4:memory:/docker/other\n");
  EXPECT_EQ(usable(), 700'000'000U);
}

TEST_F(Memory, IsThatOfTheMachineWhenTheMountIsMissing) {
  machine_has(1 << 20);
  write("proc/self/cgroup", "0::/job\nnonsense\n:\n");
  write("proc/self/mountinfo", "25 1 0:22 / /proc rw - proc proc rw\nshort line -\n");
  EXPECT_EQ(usable(), uint64_t{1} << 30);
}

TEST(MemoryHere, IsFoundOnThisMachine) {
  const auto bytes = usable_memory_bytes();
  ASSERT_TRUE(bytes.has_value());
  EXPECT_GT(*bytes, uint64_t{1} << 24);
}

}  // namespace
}  // namespace xet::io

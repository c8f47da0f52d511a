#include "libxet/memory_store.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <functional>

#include "libxet/session_support.h"

namespace xet {
namespace {

using namespace testing;
namespace fs = std::filesystem;

/// What a child says, which ends in an orderly way when it has said it.
std::string child_says(const std::function<std::string()>& work) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) return "no pipe";
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string said = work();
    const bool ok = ::write(ends[1], said.data(), said.size()) == static_cast<ssize_t>(said.size());
    std::exit(ok ? 0 : 1);  // NOLINT(concurrency-mt-unsafe): it has one thread
  }
  ::close(ends[1]);
  std::string said;
  std::array<char, 4096> buffer;
  for (ssize_t n = 0; (n = ::read(ends[0], buffer.data(), buffer.size())) > 0;)
    said.append(buffer.data(), static_cast<size_t>(n));
  ::close(ends[0]);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  return said;
}

TEST(MemoryStore, IsOneForAllSessionsOfTheProcess) {
  const auto content = random_bytes(kMiB, 1);
  const auto file = put_one(*make_session(), to("memory://"), content);
  EXPECT_EQ(stream_of(*make_session(), to("memory://"), file).value(), content);
  EXPECT_EQ(memory_store().value(), memory_store().value());
}

TEST(MemoryStore, GoesAwayWithItsProcess) {
  const auto directory = child_says([] {
    const auto content = random_bytes(1000, 2);
    const auto session = make_session();
    const auto file = put_one(*session, to("memory://"), content);
    const auto used = memory_store().value();
    const bool is_there = fs::is_directory(used) && !fs::is_empty(used);
    return is_there && stream_of(*session, to("memory://"), file).value() == content ? used : "";
  });
  EXPECT_NE(directory, "");
  EXPECT_FALSE(fs::exists(directory));
}

TEST(MemoryStore, OfAForkedChildIsItsOwn) {
  const auto mine = memory_store().value();
  const auto childs = child_says([] {
    const auto used = memory_store().value();
    return fs::is_directory(used) ? used : "";
  });
  EXPECT_NE(childs, "");
  EXPECT_NE(childs, mine);
  EXPECT_FALSE(fs::exists(childs));
  EXPECT_TRUE(fs::is_directory(mine)) << "what the child takes with it is not its parent's";
}

}  // namespace
}  // namespace xet

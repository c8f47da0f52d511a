#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "io/file.h"
#include "server/crash_scenario.h"
#include "server/helper_process.h"
#include "server/store/object_key.h"
#include "support/matchers.h"
#include "support/temp_dir.h"

namespace xet::testing {
namespace {

namespace fs = std::filesystem;

constexpr int kFaultBeyondTheEnd = 3;

/// Checking needs no waiting for the disk either.
class NoSync final : public io::SystemCalls {
 public:
  int fsync(int /*fd*/) override { return 0; }
};

/// Lets the helper run into the fault at every system call that changes the disk, one after the other, and
/// checks after each that nothing acknowledged is lost, nothing there is wrong, and that the work can simply
/// be done again.
class EverySystemCall : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    {
      const auto cas = open_store(prepared_);
    }
  }

  bool acknowledged(const fs::path& directory, const char* what) {
    return fs::exists(directory.string() + ".acked-" + what);
  }

  void check(const fs::path& directory) {
    const auto opened = server::open_local_cas(directory);
    ASSERT_THAT(opened, IsOk());
    Store store(**opened);
    for (const auto& [xorb, name] : {std::pair{&scenario_.a, "a"}, {&scenario_.b, "b"}}) {
      const auto exists = store.xorb_exists(xorb->hash);
      ASSERT_THAT(exists, IsOk());
      EXPECT_TRUE(*exists || !acknowledged(directory, name)) << name;
      if (*exists) {
        const auto n_chunks = static_cast<uint32_t>(xorb->chunks.size());
        EXPECT_EQ(*store.fetch(xorb->hash, {.chunks = {0, n_chunks}, .bytes = {0, xorb->body.size()}}),
                  xorb->body);
      }
    }
    EXPECT_TRUE(store.file_size(small_.hash) || !acknowledged(directory, "shard"));
    EXPECT_EQ(store.file_size(small_.hash).has_value(), store.file_size(large_.hash).has_value());
    if (store.file_size(small_.hash)) check_files(store);

    ASSERT_THAT(store.put_xorb(scenario_.a), IsOk());
    ASSERT_THAT(store.put_xorb(scenario_.b), IsOk());
    ASSERT_THAT(store.put_shard(scenario_.shard), IsOk());
    check_files(store);
    // Whatever the crash left behind was taken over, not stored a second time.
    size_t n_objects = 0;
    for (const auto& object : objects_in(directory)) n_objects += object.starts_with("tmp/") ? 0 : 1;
    EXPECT_EQ(n_objects, 4U);
  }

  void check_files(Store& store) {
    EXPECT_EQ(*store.read(small_.hash), content_of(scenario_.small_runs));
    EXPECT_EQ(*store.read(large_.hash), content_of(scenario_.large_runs));
  }

  NoSync calls_;
  const io::ScopedSystemCalls scope_{calls_};
  const TempDir dir_;
  const fs::path prepared_ = dir_ / "prepared";
  const CrashScenario scenario_;
  const format::FileRecord small_ = make_file(scenario_.small_runs);
  const format::FileRecord large_ = make_file(scenario_.large_runs);
};

TEST_P(EverySystemCall, LosesNothingInAnOpenedStore) {
  for (int n = 1;; ++n) {
    SCOPED_TRACE(n);
    const fs::path directory = dir_ / ("store-" + std::to_string(n));
    fs::copy(prepared_, directory, fs::copy_options::recursive);
    const int code = HelperProcess(GetParam(), static_cast<uint64_t>(n), directory).wait();
    ASSERT_TRUE(code == 0 || code == kHelperCrashed || code == kFaultBeyondTheEnd) << code;
    check(directory);
    if (HasFatalFailure() || code == kFaultBeyondTheEnd) break;
    ASSERT_LT(n, 1000);
  }
}

TEST_P(EverySystemCall, LosesNothingWhileAStoreIsMade) {
  for (int n = 1; n < 1000; ++n) {
    SCOPED_TRACE(n);
    const fs::path directory = dir_ / ("store-" + std::to_string(n));
    const int code = HelperProcess(GetParam(), static_cast<uint64_t>(n), directory).wait();
    ASSERT_TRUE(code == 0 || code == kHelperCrashed || code == kFaultBeyondTheEnd) << code;
    check(directory);
    // What comes after the making is the other test's. (An error may also be survived, so it does not mark
    // the end.)
    const bool made = acknowledged(directory, "a") && GetParam() != std::string_view("eio");
    if (HasFatalFailure() || made || code == kFaultBeyondTheEnd) break;
  }
}

INSTANTIATE_TEST_SUITE_P(Faults, EverySystemCall, ::testing::Values("crash", "torn", "eio", "enospc"),
                         [](const auto& mode) { return std::string(mode.param); });

}  // namespace
}  // namespace xet::testing

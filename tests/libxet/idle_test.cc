#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "libxet/session_support.h"

namespace xet {
namespace {

using namespace std::chrono_literals;
using namespace testing;

/// What sessions cost while nothing is transferred: nothing.
class Idle : public NothingLeft {
 protected:
  const TempDir store_;
  const TempDir dir_;
};

TEST_F(Idle, SessionsHaveThreadsOnlyWhileGroupsAreAtWork) {
  const auto session = make_session();
  EXPECT_TRUE(has_threads(0));
  const auto content = random_bytes(kMiB, 1);
  const auto commit = session->new_upload_commit(in(store_)).value();
  EXPECT_GT(n_threads(), 1U);
  const auto file = commit->add_bytes(content, "bytes", {}).value();
  const auto report = finish(*commit).value();
  EXPECT_TRUE(has_threads(0)) << "commit and file are still there";
  const FileToDownload asked{.hash = report.files.at(0).report.hash.hex()};

  const auto group = session->new_file_download_group(in(store_)).value();
  const auto download = group->add_file(asked, dir_ / "file").value();
  EXPECT_THAT(finish(*group), IsOk());
  EXPECT_TRUE(has_threads(0));

  const auto streams = session->new_download_stream_group(in(store_)).value();
  const auto stream = streams->stream(asked, {}, {}).value();
  EXPECT_THAT(streams->finish(), IsOk());
  EXPECT_EQ(read_all(*stream).value(), content);
  EXPECT_TRUE(has_threads(0));
}

TEST_F(Idle, SessionsAndGroupsLeaveNothingBehind) {
  const auto file = put_one(*make_session(), in(store_), random_bytes(1000, 2));
  expect_nothing_left();
  for (int i = 0; i < 300; ++i) {
    const auto session = make_session();
    Reports reports;
    switch (i % 6) {
      case 0:
        (void)session->new_upload_commit(in(store_)).value()->add_bytes(random_bytes(100, 3), "x", {});
        break;
      case 1:
        (void)session->new_file_download_group(in(store_), reports.every(1ms))
            .value()
            ->add_file(file, dir_ / "x");
        break;
      case 2: {
        DownloadStream::Piece piece;
        const auto stream =
            session->new_download_stream_group(in(store_)).value()->stream(file, {}, {}).value();
        EXPECT_THAT(stream->next_for(kLong, piece), IsOk());
        break;
      }
      case 3:
        EXPECT_THAT(finish(*session->new_upload_commit(in(store_), reports.every(1ms)).value()), IsOk());
        break;
      case 4:
        (void)session->new_upload_commit(to("http://127.0.0.1:9")).value()->add_stream("x", {});
        break;
      default:
        session->abort();
        break;
    }
  }
}

TEST_F(Idle, SessionsHaveAnIdOfTheirOwn) {
  const auto a = make_session();
  const auto b = make_session();
  EXPECT_NE(a->id(), b->id());
  ASSERT_EQ(a->id().size(), 36U);
  EXPECT_EQ(a->id()[14], '7') << "of version 7";
}

}  // namespace
}  // namespace xet

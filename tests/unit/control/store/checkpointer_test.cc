#include "control/store/checkpointer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "tests/unit/control/config/temp_dir.h"

namespace weir::control {
namespace {

class CheckpointerTest : public testing::Test {
 protected:
  Database Open() {
    auto database = Database::Open(path_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    EXPECT_TRUE(database->Execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF").ok());
    return *std::move(database);
  }

  const TempDir dir_;
  const std::string path_ = dir_.File("t.db");
};

TEST_F(CheckpointerTest, TheLogBeginsAnewHoweverMuchIsWritten) {
  constexpr int kCommits = 60;
  constexpr int kPagesEach = 300;
  Database writing = Open();
  ASSERT_TRUE(writing.Execute("CREATE TABLE t (x BLOB)").ok());
  writing.WatchLog();
  int most = 0;
  {
    Checkpointer checkpointer(Open());
    const std::string page(4000, 'x');
    for (int commit = 0; commit < kCommits; ++commit) {
      ASSERT_TRUE(writing.Run("BEGIN").ok());
      for (int i = 0; i < kPagesEach; ++i) {
        auto insert = writing.Prepare("INSERT INTO t VALUES (?)");
        ASSERT_TRUE(insert->BindBlob(0, page).Run().ok());
      }
      ASSERT_TRUE(writing.Commit().ok());
      most = std::max(most, writing.LogPages());
      checkpointer.Committed(writing.LogPages());
    }
    EXPECT_GE(most, kPagesEach);
    EXPECT_LE(most, Checkpointer::kMostPages + 2 * kPagesEach);

    checkpointer.EmptyLog();
    EXPECT_EQ(std::filesystem::file_size(path_ + "-wal"), 0u);
  }
  EXPECT_GE(std::filesystem::file_size(path_), kCommits * kPagesEach * 4000u);
  EXPECT_EQ(*writing.QueryInt("SELECT count(*) FROM t"), kCommits * kPagesEach);
}

TEST_F(CheckpointerTest, EmptiesTheLogOnceNoReaderIsAtIt) {
  Database writing = Open();
  Database reading = Open();
  ASSERT_TRUE(writing.Execute("CREATE TABLE t (x)").ok());
  writing.WatchLog();
  Checkpointer checkpointer(Open());
  const auto log_bytes = [&] { return std::filesystem::file_size(path_ + "-wal"); };
  {
    auto held = reading.Prepare("SELECT 1 FROM sqlite_master");
    ASSERT_TRUE(held.ok() && *held->Step());
    ASSERT_TRUE(writing.Execute("INSERT INTO t VALUES (1)").ok());
    checkpointer.EmptyLog();
    EXPECT_GT(log_bytes(), 0u);
    checkpointer.Committed(writing.LogPages());
    EXPECT_GT(log_bytes(), 0u);
  }
  checkpointer.Committed(writing.LogPages());
  EXPECT_EQ(log_bytes(), 0u);
  ASSERT_TRUE(writing.Execute("INSERT INTO t VALUES (2)").ok());
  checkpointer.Committed(writing.LogPages());
  EXPECT_GT(log_bytes(), 0u) << "emptied once";
}

}  // namespace
}  // namespace weir::control

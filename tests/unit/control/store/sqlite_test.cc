#include "control/store/sqlite.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "tests/unit/control/config/temp_dir.h"

namespace weir::control {
namespace {

// A counter in a table, which a transaction reads and writes once however often it counts.
class Counter {
 public:
  explicit Counter(Database* database) : database_(database) {}

  void Count() {
    auto* known = database_->Kept<Known>();
    if (known == nullptr) {
      known = database_->Keep(Known{.number = *database_->QueryInt("SELECT x FROM counter")});
      ++reads;
    }
    ASSERT_NE(known, nullptr);
    ++known->number;
    if (known->to_write) return;
    known->to_write = true;
    database_->BeforeCommit([this, known] {
      ++writes;
      known->to_write = false;
      auto write = database_->Prepare("UPDATE counter SET x = ?");
      return write->Bind(0, known->number).Run();
    });
  }

  int reads = 0;
  int writes = 0;

 private:
  struct Known {
    int64_t number = 0;
    bool to_write = false;
  };
  Database* const database_;
};

class TransactionTest : public testing::Test {
 protected:
  TransactionTest() {
    EXPECT_TRUE(database_.Execute("CREATE TABLE counter (x); INSERT INTO counter VALUES (7)").ok());
  }
  int64_t Stored() { return *database_.QueryInt("SELECT x FROM counter"); }

  const TempDir dir_;
  Database database_ =
      *Database::Open(dir_.File("t.db"), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  Counter counter_{&database_};
};

TEST_F(TransactionTest, ReadsOnceAndWritesOnce) {
  EXPECT_EQ(database_.Kept<int>(), nullptr) << "no transaction is open";
  EXPECT_EQ(database_.Keep(1), nullptr) << "no transaction is open";
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(database_.Run("BEGIN").ok());
    for (int k = 0; k < 5; ++k) counter_.Count();
    EXPECT_EQ(Stored(), 7 + 5 * i);
    ASSERT_TRUE(database_.Commit().ok());
    EXPECT_EQ(Stored(), 12 + 5 * i);
  }
  EXPECT_EQ(counter_.reads, 2);
  EXPECT_EQ(counter_.writes, 2);
}

TEST_F(TransactionTest, ForgetsWhatIsRolledBack) {
  ASSERT_TRUE(database_.Run("BEGIN").ok());
  counter_.Count();
  ASSERT_TRUE(database_.Run("ROLLBACK").ok());
  ASSERT_TRUE(database_.Run("BEGIN").ok());
  counter_.Count();
  ASSERT_TRUE(database_.Commit().ok());
  EXPECT_EQ(Stored(), 8);
}

TEST_F(TransactionTest, ForgetsWhatWasOnlyRead) {
  ASSERT_TRUE(database_.Run("BEGIN").ok());
  ASSERT_NE(database_.Keep(1), nullptr);
  EXPECT_EQ(*database_.Kept<int>(), 1);
  ASSERT_TRUE(database_.Commit().ok());
  ASSERT_TRUE(database_.Run("BEGIN").ok());
  EXPECT_EQ(database_.Kept<int>(), nullptr);
}

TEST_F(TransactionTest, KeepsWhatWasBeforeTheSavepoint) {
  ASSERT_TRUE(database_.Run("BEGIN").ok());
  counter_.Count();
  ASSERT_TRUE(database_.Savepoint().ok());
  counter_.Count();
  ASSERT_TRUE(database_.RollbackToSavepoint().ok());
  ASSERT_TRUE(database_.ReleaseSavepoint().ok());
  ASSERT_TRUE(database_.Savepoint().ok());
  counter_.Count();
  counter_.Count();
  ASSERT_TRUE(database_.ReleaseSavepoint().ok());
  ASSERT_TRUE(database_.Commit().ok());
  EXPECT_EQ(Stored(), 10);
}

TEST_F(TransactionTest, IsNotCommittedWithoutWhatItStillHasToWrite) {
  ASSERT_TRUE(database_.Run("BEGIN").ok());
  ASSERT_TRUE(database_.Run("INSERT INTO counter VALUES (1)").ok());
  counter_.Count();
  EXPECT_FALSE(database_.Run("COMMIT").ok());
  EXPECT_FALSE(database_.InTransaction());
  EXPECT_EQ(*database_.QueryInt("SELECT count(*) FROM counter"), 1);
  EXPECT_EQ(Stored(), 7);
}

}  // namespace
}  // namespace weir::control

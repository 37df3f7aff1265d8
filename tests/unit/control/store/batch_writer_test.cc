#include "control/store/batch_writer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/unit/control/config/temp_dir.h"

namespace weir::control {
namespace {

class BatchWriterTest : public testing::Test {
 protected:
  BatchWriterTest() {
    EXPECT_TRUE(database_.Execute("CREATE TABLE t (x INTEGER PRIMARY KEY)").ok());
  }

  static BatchWriter::Operation Insert(int64_t x) {
    return {.apply = [x](Database* db) {
      auto statement = db->Prepare("INSERT INTO t VALUES (?)");
      if (!statement.ok()) return statement.status();
      return statement->Bind(0, x).Run();
    }};
  }

  const TempDir dir_;
  Database database_ =
      *Database::Open(dir_.File("t.db"), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
};

TEST_F(BatchWriterTest, KeepsOrderAcrossPostAndRun) {
  std::vector<int> order;
  BatchWriter writer(&database_, [] {});
  for (int i = 0; i < 1000; ++i) {
    writer.Post({.apply = [&order, i](Database*) {
      order.push_back(i);
      return absl::OkStatus();
    }});
  }
  ASSERT_TRUE(writer.Run(Insert(1)).ok());
  ASSERT_EQ(order.size(), 1000u);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(order[i], i);
}

TEST_F(BatchWriterTest, AnImpossibleOperationFailsAlone) {
  {
    BatchWriter writer(&database_, [] {});
    writer.Post(Insert(1));
    writer.Post(Insert(1));
    writer.Post({.apply = [](Database* db) { return db->Execute("NOT SQL"); }});
    writer.Post(Insert(2));
    EXPECT_TRUE(absl::IsAlreadyExists(writer.Run(Insert(2))));
    EXPECT_TRUE(writer.Health().ok());
  }
  EXPECT_EQ(*database_.QueryInt("SELECT count(*) FROM t"), 2);
}

TEST_F(BatchWriterTest, EachOfManyIsAnsweredForItself) {
  BatchWriter writer(&database_, [] {});
  std::vector<BatchWriter::Operation> operations;
  for (int i = 0; i < 2500; ++i) operations.push_back(Insert(i == 1700 ? 3 : i));
  const std::vector<absl::Status> answers = writer.RunAll(std::move(operations));
  ASSERT_EQ(answers.size(), 2500u);
  for (size_t i = 0; i < answers.size(); ++i) EXPECT_EQ(answers[i].ok(), i != 1700) << i;
  EXPECT_TRUE(absl::IsAlreadyExists(answers[1700])) << answers[1700];
  EXPECT_TRUE(writer.RunAll({}).empty());
  writer.Stop();
  EXPECT_EQ(*database_.QueryInt("SELECT count(*) FROM t"), 2499);
}

// Callers share wake-ups; each must return with its own results, after its own commit.
TEST_F(BatchWriterTest, EachOfManyCallersIsAnsweredAfterItsCommit) {
  constexpr int kCallers = 100;
  constexpr int kCalls = 20;
  std::atomic<int> committed{0};
  BatchWriter writer(&database_, [] {});
  std::vector<std::thread> callers;
  for (int caller = 0; caller < kCallers; ++caller) {
    callers.emplace_back([&, caller] {
      for (int call = 0; call < kCalls; ++call) {
        const int64_t x = caller * kCalls + call;
        bool mine = false;
        BatchWriter::Operation insert = Insert(x % 7 == 3 ? -1 : x);  // -1: of the first alone.
        insert.committed = [&] {
          mine = true;
          ++committed;
        };
        const absl::Status status = writer.Run(std::move(insert));
        EXPECT_EQ(status.ok(), mine) << x << ": " << status;
        EXPECT_TRUE(status.ok() || x % 7 == 3) << status;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  writer.Stop();
  EXPECT_EQ(*database_.QueryInt("SELECT count(*) FROM t"), committed);
  EXPECT_EQ(committed, kCallers * kCalls - 286 + 1);  // 286 of 0 to 1999 leave 3 over 7.
}

// A statement is lent to one user at a time, and comes back as it was.
TEST_F(BatchWriterTest, OneTextServesSeveralStatements) {
  const std::string text = "SELECT coalesce(?1, 'none'), ?2";
  for (int round = 0; round < 2; ++round) {
    auto outer = database_.Prepare(text);
    auto inner = database_.Prepare(text);
    ASSERT_TRUE(outer.ok() && inner.ok());
    ASSERT_TRUE(*outer->Bind(0, "bound").Bind(1, int64_t{1}).Step());
    ASSERT_TRUE(*inner->Step());
    EXPECT_EQ(outer->Text(0), "bound");
    EXPECT_EQ(inner->Text(0), "none") << "nothing is left of its last use";
    EXPECT_TRUE(inner->IsNull(1));
  }
}

TEST_F(BatchWriterTest, FailureKeepsTheKeptAndAnswersTheRest) {
  std::atomic<bool> broken{true};
  std::atomic<int> committed{0};
  const auto fragile = [&](int64_t x) {
    return BatchWriter::Operation{.apply =
                                      [&broken, x](Database* db) {
                                        const absl::Status status = Insert(x).apply(db);
                                        return broken ? absl::UnavailableError("broken") : status;
                                      },
                                  .committed = [&committed] { ++committed; }};
  };
  {
    BatchWriter writer(&database_, [] {});
    EXPECT_TRUE(absl::IsUnavailable(writer.Run(fragile(1))));
    EXPECT_TRUE(absl::IsUnavailable(writer.Health()));
    BatchWriter::Operation given_up = fragile(2);
    given_up.on_failure = BatchWriter::OnFailure::kFail;
    EXPECT_TRUE(absl::IsUnavailable(writer.Run(std::move(given_up))));
    EXPECT_EQ(committed, 0);
    broken = false;
    EXPECT_TRUE(writer.Run(Insert(3)).ok());
    EXPECT_TRUE(writer.Health().ok());
  }
  EXPECT_EQ(committed, 1);
  EXPECT_EQ(*database_.QueryInt("SELECT group_concat(x, '') FROM t"), 13);
}

TEST_F(BatchWriterTest, StopWritesWhatIsQueued) {
  BatchWriter writer(&database_, [] {});
  for (int i = 0; i < 2000; ++i) writer.Post(Insert(i));
  writer.Stop();
  writer.Stop();
  EXPECT_EQ(*database_.QueryInt("SELECT count(*) FROM t"), 2000);
}

}  // namespace
}  // namespace weir::control

#include "control/store/audit_log.h"

#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "control/store/schema.h"
#include "tests/unit/control/config/temp_dir.h"

namespace weir::control {
namespace {

class AuditLogTest : public testing::Test {
 protected:
  AuditLogTest() : db_(Open()) {
    EXPECT_TRUE(Migrate(&db_).ok());
    for (int i = 1; i <= 5; ++i) {
      EXPECT_TRUE(AppendAudit(&db_, {.at_unix_ns = i,
                                     .event = "session_begun",
                                     .session_id = absl::StrCat("s", i),
                                     .rule = "r"})
                      .ok());
    }
  }
  Database Open() const {
    auto db = Database::Open(dir_.File("db"), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    EXPECT_TRUE(db.ok()) << db.status();
    return *std::move(db);
  }
  AuditVerdict Verify(const std::optional<AuditHead>& anchor = std::nullopt) {
    const auto verdict = VerifyAudit(&db_, anchor);
    EXPECT_TRUE(verdict.ok()) << verdict.status();
    return *verdict;
  }
  // As somebody with the file in their hands would.
  void Tamper(const std::string& sql) { EXPECT_TRUE(db_.Execute(sql).ok()) << sql; }

  const TempDir dir_;
  Database db_;
};

TEST_F(AuditLogTest, AnUntouchedLogIsIntact) {
  const AuditVerdict verdict = Verify();
  EXPECT_TRUE(verdict.intact) << verdict.why;
  EXPECT_EQ(verdict.rows, 5);
  EXPECT_EQ(verdict.head.id, 5);
  EXPECT_EQ(verdict.head.hash.size(), 32u);
}

TEST_F(AuditLogTest, AnyChangedFieldIsFoundAtItsRow) {
  for (const char* change : {"at_unix_ns = 9", "event = 'x'", "session_id = 'x'", "stage = 'x'",
                             "rule = 'x'", "field = 'x'", "netblock = 'x'", "detail = 'x'",
                             "count = 9", "trace = x'00'", "hash = x'00'"}) {
    Tamper("SAVEPOINT whole");
    Tamper(absl::StrCat("UPDATE audit SET ", change, " WHERE id = 3"));
    const AuditVerdict verdict = Verify();
    EXPECT_FALSE(verdict.intact) << change;
    EXPECT_EQ(verdict.first_broken_id, 3) << change;
    EXPECT_EQ(verdict.rows, 2);
    Tamper("ROLLBACK TO whole; RELEASE whole");
  }
}

// Computed by another program: what was written by any version of this one verifies.
TEST(AuditHashTest, IsThatOfTheContract) {
  const AuditRow row{.id = 1,
                     .at_unix_ns = 7,
                     .event = "e",
                     .session_id = "s",
                     .stage = "st",
                     .rule = "r",
                     .field = "f",
                     .netblock = "n",
                     .detail = "d",
                     .count = 2,
                     .trace = "t"};
  EXPECT_EQ(absl::BytesToHexString(AuditHash("", row)),
            "9a4cbdc26732a0f5f289324922c5d9e5497332f394ce5f14347fd2856ac164f1");
}

TEST_F(AuditLogTest, NothingCanBeMovedBetweenFields) {
  AuditRow one{.event = "ab", .session_id = "c"};
  AuditRow other{.event = "a", .session_id = "bc"};
  EXPECT_NE(AuditHash("", one), AuditHash("", other));
}

TEST_F(AuditLogTest, RowsTakenOutOrPutInAreFound) {
  Tamper("DELETE FROM audit WHERE id = 2");
  EXPECT_EQ(Verify().first_broken_id, 2);
  // Closing the gap does not help.
  Tamper("UPDATE audit SET id = id - 1 WHERE id > 2");
  EXPECT_FALSE(Verify().intact);
  EXPECT_EQ(Verify().first_broken_id, 2);
}

TEST_F(AuditLogTest, ACutEndIsFoundByAnEarlierHead) {
  const AuditHead head = Verify().head;
  EXPECT_TRUE(Verify(head).intact);
  ASSERT_TRUE(AppendAudit(&db_, {.event = "later"}).ok());
  EXPECT_TRUE(Verify(head).intact) << "the log may have grown since";
  Tamper("DELETE FROM audit WHERE id > 3");
  EXPECT_TRUE(Verify().intact) << "by itself a chain cannot know where it ended";
  const AuditVerdict verdict = Verify(head);
  EXPECT_FALSE(verdict.intact);
  EXPECT_NE(verdict.why.find("rows 4 to 5 were cut off"), std::string::npos) << verdict.why;
}

TEST_F(AuditLogTest, ALogWrittenAnewIsFoundByAnEarlierHead) {
  const AuditHead head = Verify().head;
  Tamper("DELETE FROM audit");
  for (int i = 0; i < 7; ++i) ASSERT_TRUE(AppendAudit(&db_, {.event = "forged"}).ok());
  EXPECT_TRUE(Verify().intact);
  const AuditVerdict verdict = Verify(head);
  EXPECT_FALSE(verdict.intact);
  EXPECT_EQ(verdict.first_broken_id, 5);
}

TEST_F(AuditLogTest, ListsWhatIsAskedFor) {
  ASSERT_TRUE(AppendAudit(&db_, {.event = "policy_kept", .detail = "why"}).ok());
  auto rows = SelectAudit(&db_, {.limit = 2});
  ASSERT_EQ(rows->size(), 2u);
  EXPECT_EQ((*rows)[0].id, 6);
  EXPECT_EQ((*rows)[0].detail, "why");
  rows = SelectAudit(&db_, {.limit = 10, .before_id = 3});
  ASSERT_EQ(rows->size(), 2u);
  EXPECT_EQ((*rows)[0].session_id, "s2");
  EXPECT_EQ(SelectAudit(&db_, {.limit = 10, .event = "policy_kept"})->size(), 1u);
  EXPECT_EQ(SelectAudit(&db_, {.limit = 10, .session_id = "s4"})->size(), 1u);
}

TEST(AuditMigrationTest, TheRowsOfAnOlderStoreAreChained) {
  const TempDir dir;
  auto db = Database::Open(dir.File("db"), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  ASSERT_TRUE(db.ok());
  ASSERT_TRUE(Migrate(&*db, 1).ok());
  ASSERT_TRUE(db->Execute("INSERT INTO audit (id, at_unix_ns, event, detail) VALUES "
                          "(3, 30, 'session_begun', 'a'), (7, 70, 'rejected', 'b')")
                  .ok());
  ASSERT_TRUE(Migrate(&*db).ok());
  const auto verdict = VerifyAudit(&*db, std::nullopt);
  ASSERT_TRUE(verdict.ok()) << verdict.status();
  EXPECT_TRUE(verdict->intact) << verdict->why;
  EXPECT_EQ(verdict->rows, 2);
  EXPECT_EQ(*db->QueryText("SELECT group_concat(id || event || detail) FROM audit"),
            "1session_beguna,2rejectedb");
}

}  // namespace
}  // namespace weir::control

#include "control/store/store.h"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "control/export/export_policy.h"
#include "tests/unit/control/config/temp_dir.h"

namespace weir::control {
namespace {

using record::v1::DOWN;
using record::v1::Record;
using record::v1::UP;

std::unique_ptr<Store> OpenStore(const std::string& path, uint64_t max_bytes = 1 << 30) {
  auto store = Store::Open({.path = path, .max_bytes = max_bytes});
  EXPECT_TRUE(store.ok()) << store.status();
  return store.ok() ? *std::move(store) : nullptr;
}

SessionRow Row(const std::string& id) {
  return {.session_id = id,
          .role = "server",
          .started_unix_ns = 1'700'000'000'000'000'000,
          .admission_rule = "r",
          .policy_digest = "sha256:abc",
          .experiment = "e",
          .purpose = "p",
          .client_address = "192.0.2.77",
          .requested = "requested by 192.0.2.77",
          .granted = "granted"};
}

record::v1::Interval Interval(uint32_t index, uint64_t received) {
  record::v1::Interval interval;
  interval.set_index(index);
  interval.set_received(received);
  return interval;
}

ApprovedRecord Approved(const std::string& id, record::v1::Direction direction, int intervals = 2) {
  static const ExportPolicy policy(*Policy::Parse("p", R"(
    profile: "lab" admission { name: "r" effect: ALLOW }
    export { name: "x" effect: ALLOW address: "netblock" release_class: "public" })"));
  Record record;
  record.set_session_id(id);
  record.set_record_id(id + (direction == DOWN ? "-down" : "-up"));
  record.set_direction(direction);
  record.set_outcome(record::v1::COMPLETED);
  record.set_end_reason("duration");
  record.mutable_negotiated_at()->set_seconds(1'700'000'000);
  record.mutable_server()->set_operator_("o");
  record.mutable_server()->set_contact("c");
  record.set_origin_active(true);
  record.mutable_result()->set_direction(direction);
  record.mutable_result()->set_received(5);
  for (int i = 0; i < intervals; ++i) *record.mutable_result()->add_intervals() = Interval(i, i);
  auto approved = policy.Approve({.session_id = id,
                                  .admission_rule = "r",
                                  .policy_digest = "sha256:abc",
                                  .experiment = "e",
                                  .purpose = "p",
                                  .client_address = "192.0.2.77"},
                                 record);
  EXPECT_TRUE(approved.ok()) << approved.status();
  return *approved;
}

SessionEnd End(const std::string& id) {
  return {.session_id = id,
          .state = "exported",
          .end_reason = "duration",
          .detail = "",
          .records = {Approved(id, DOWN), Approved(id, UP)}};
}

// One value, read past the store: what is really in the file.
std::string Query(const std::string& path, const std::string& sql) {
  sqlite3* db = nullptr;
  EXPECT_EQ(sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE, nullptr), SQLITE_OK);
  sqlite3_stmt* statement = nullptr;
  EXPECT_EQ(sqlite3_prepare_v2(db, sql.c_str(), -1, &statement, nullptr), SQLITE_OK)
      << sqlite3_errmsg(db);
  std::string value;
  if (sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_text(statement, 0) != nullptr) {
    value = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
  }
  sqlite3_finalize(statement);
  sqlite3_close(db);
  return value;
}

class StoreTest : public testing::Test {
 protected:
  const TempDir dir_;
  const std::string path_ = dir_.File("weir.db");
};

TEST_F(StoreTest, CreatesAPrivateIdentifiableFile) {
  const auto store = OpenStore(path_);
  struct stat info = {};
  for (const char* suffix : {"", "-wal", "-shm"}) {
    ASSERT_EQ(stat((path_ + suffix).c_str(), &info), 0) << suffix;
    EXPECT_EQ(info.st_mode & 0777, 0600u) << suffix;
  }
  EXPECT_EQ(Query(path_, "PRAGMA application_id"), std::to_string(0x57454952));
  EXPECT_EQ(Query(path_, "PRAGMA user_version"), "7");
  EXPECT_EQ(Query(path_, "PRAGMA journal_mode"), "wal");
  EXPECT_EQ(store->RecordCount(), 0u);
  EXPECT_GT(store->SizeBytes(), 0u);
  EXPECT_FALSE(store->Full());
}

TEST_F(StoreTest, SessionIsDurableBeforeBeginReturns) {
  const auto store = OpenStore(path_);
  ASSERT_TRUE(store->BeginSession(Row("s1")).ok());
  EXPECT_EQ(Query(path_, "SELECT state FROM sessions WHERE session_id = 's1'"), "admitted");
  EXPECT_TRUE(absl::IsAlreadyExists(store->BeginSession(Row("s1"))));
}

TEST_F(StoreTest, FindsASessionByItsFlowAndTime) {
  const auto store = OpenStore(path_);
  SessionRow row = Row("s1");
  row.flows = {"key of the first", "key of the other"};
  ASSERT_TRUE(store->BeginSession(row).ok());
  const int64_t began = row.started_unix_ns;
  for (const std::string& key : row.flows) {
    const auto found = store->FindFlow(key, began + 5, 10);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(*found, "s1");
  }
  EXPECT_TRUE(store->FindFlow(row.flows[0], began - 10, 10).ok());
  EXPECT_TRUE(absl::IsNotFound(store->FindFlow(row.flows[0], began - 11, 10).status()));
  EXPECT_TRUE(absl::IsNotFound(store->FindFlow("another key", began, 10).status()));

  // While it runs, at any time to come; afterwards until it ended.
  EXPECT_TRUE(store->FindFlow(row.flows[0], began + 1'000'000'000, 10).ok());
  ASSERT_TRUE(store->FinishSession(End("s1")).ok());
  const int64_t ended = std::stoll(Query(path_, "SELECT finished_unix_ns FROM sessions"));
  EXPECT_TRUE(store->FindFlow(row.flows[0], ended + 10, 10).ok());
  EXPECT_TRUE(absl::IsNotFound(store->FindFlow(row.flows[0], ended + 11, 10).status()));

  // The same ports again: the newest that fits.
  SessionRow later = Row("s2");
  later.started_unix_ns = ended - 5;
  later.flows = {row.flows[0]};
  ASSERT_TRUE(store->BeginSession(later).ok());
  EXPECT_EQ(*store->FindFlow(row.flows[0], ended, 0), "s2");
  EXPECT_EQ(*store->FindFlow(row.flows[0], ended - 6, 0), "s1");
}

TEST_F(StoreTest, ForgetsFlowsThatEndedLongAgo) {
  const auto store = OpenStore(path_);
  SessionRow row = Row("s1");
  row.flows = {"key"};
  ASSERT_TRUE(store->BeginSession(row).ok());
  ASSERT_TRUE(store->FinishSession(End("s1")).ok());
  const int64_t ended = std::stoll(Query(path_, "SELECT finished_unix_ns FROM sessions"));
  SessionRow later = Row("s2");
  later.started_unix_ns = ended + int64_t{91} * 24 * 3600 * 1'000'000'000;
  ASSERT_TRUE(store->BeginSession(later).ok());
  EXPECT_TRUE(absl::IsNotFound(store->FindFlow("key", ended, 10).status()));
}

TEST_F(StoreTest, FinishWritesRecordsStateAndAuditOnce) {
  const auto store = OpenStore(path_);
  ASSERT_TRUE(store->BeginSession(Row("s1")).ok());
  store->AppendInterval("s1", DOWN, Interval(0, 7));
  ASSERT_TRUE(store->FinishSession(End("s1")).ok());
  EXPECT_EQ(store->RecordCount(), 2u);

  SessionEnd again = End("s1");
  again.state = "aborted";
  EXPECT_TRUE(store->FinishSession(again).ok());
  EXPECT_EQ(store->RecordCount(), 2u);
  EXPECT_EQ(Query(path_, "SELECT state FROM sessions"), "exported");
  EXPECT_EQ(Query(path_, "SELECT count(*) FROM records"), "2");
  EXPECT_EQ(Query(path_, "SELECT count(*) FROM audit WHERE event = 'session_finished'"), "1");
  EXPECT_EQ(Query(path_, "SELECT count(*) FROM intervals"), "0");

  store->AppendInterval("s1", DOWN, Interval(1, 8));  // Too late: nothing to add it to.
  ASSERT_TRUE(store->Flush().ok());
  EXPECT_EQ(Query(path_, "SELECT count(*) FROM intervals"), "0");
}

TEST_F(StoreTest, FinishedSessionKeepsNoFullAddress) {
  const auto store = OpenStore(path_);
  ASSERT_TRUE(store->BeginSession(Row("s1")).ok());
  ASSERT_TRUE(store->FinishSession(End("s1")).ok());
  EXPECT_EQ(Query(path_, "SELECT client_address IS NULL AND requested IS NULL FROM sessions"), "1");
  EXPECT_EQ(Query(path_, "SELECT peer FROM sessions"), "192.0.2.0/24");
  // Nor does the file itself once the log is folded into it.
  Query(path_, "PRAGMA wal_checkpoint(TRUNCATE)");
  std::ifstream file(path_, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_NE(bytes.find("192.0.2.0/24"), std::string::npos);
  EXPECT_EQ(bytes.find("192.0.2.77"), std::string::npos);
}

TEST_F(StoreTest, FinishRefusesUnknownAndForeign) {
  const auto store = OpenStore(path_);
  EXPECT_TRUE(absl::IsNotFound(store->FinishSession(End("never"))));
  ASSERT_TRUE(store->BeginSession(Row("s1")).ok());
  SessionEnd foreign = End("s1");
  foreign.records.push_back(Approved("s2", DOWN));
  EXPECT_TRUE(absl::IsInvalidArgument(store->FinishSession(foreign)));
  // All or nothing.
  EXPECT_EQ(Query(path_, "SELECT count(*) FROM records"), "0");
  EXPECT_EQ(store->RecordCount(), 0u);
}

TEST_F(StoreTest, UnfinishedSessionsSurviveARestart) {
  {
    const auto store = OpenStore(path_);
    ASSERT_TRUE(store->BeginSession(Row("s1")).ok());
    ASSERT_TRUE(store->BeginSession(Row("s2")).ok());
    ASSERT_TRUE(store->BeginSession(Row("s3")).ok());
    for (uint32_t i = 0; i < 3; ++i) {
      store->AppendInterval("s2", UP, Interval(i, 100 + i));
      store->AppendInterval("s2", DOWN, Interval(i, 200 + i));
    }
    store->AppendInterval("s2", UP, Interval(1, 999));  // Replaces.
    ASSERT_TRUE(store->FinishSession(End("s1")).ok());
  }
  const auto store = OpenStore(path_);
  const auto unfinished = store->UnfinishedSessions();
  ASSERT_TRUE(unfinished.ok()) << unfinished.status();
  ASSERT_EQ(unfinished->size(), 2u);
  const UnfinishedSession& session = (*unfinished)[0];
  EXPECT_EQ(session.row.session_id, "s2");
  EXPECT_EQ(session.row.client_address, "192.0.2.77");
  EXPECT_EQ(session.row.granted, "granted");
  ASSERT_EQ(session.directions.size(), 2u);
  EXPECT_EQ(session.directions[0].direction, DOWN);
  EXPECT_EQ(session.directions[1].direction, UP);
  ASSERT_EQ(session.directions[1].intervals.size(), 3u);
  EXPECT_EQ(session.directions[1].intervals[1].received(), 999u);
  EXPECT_TRUE((*unfinished)[1].directions.empty());
  EXPECT_EQ(store->RecordCount(), 2u);
}

TEST_F(StoreTest, ListsNewestFirstInPages) {
  const auto store = OpenStore(path_);
  for (const char* id : {"s1", "s2", "s3"}) {
    ASSERT_TRUE(store->BeginSession(Row(id)).ok());
    ASSERT_TRUE(store->FinishSession(End(id)).ok());
  }
  auto records = store->ListRecords(4, "");
  ASSERT_TRUE(records.ok()) << records.status();
  ASSERT_EQ(records->size(), 4u);
  EXPECT_EQ((*records)[0].record.record_id(), "s3-up");
  EXPECT_EQ((*records)[0].record.result().received(), 5u);
  EXPECT_EQ((*records)[0].record.result().intervals_size(), 0);
  records = store->ListRecords(0, (*records)[3].record.record_id());
  ASSERT_EQ(records->size(), 2u);
  EXPECT_EQ((*records)[1].record.record_id(), "s1-down");

  const auto record = store->GetRecord("s2-up");
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->SerializeAsString(), Approved("s2", UP).record().SerializeAsString());
  EXPECT_TRUE(absl::IsNotFound(store->GetRecord("s9-up").status()));

  const auto sessions = store->ListFinished(2);
  ASSERT_TRUE(sessions.ok());
  ASSERT_EQ(sessions->size(), 2u);
  EXPECT_EQ((*sessions)[0].session_id, "s3");
  EXPECT_EQ((*sessions)[0].peer, "192.0.2.0/24");
  EXPECT_EQ((*sessions)[0].end_reason, "duration");
}

TEST_F(StoreTest, RejectionsAreCountedTogetherByNetblock) {
  const auto store = OpenStore(path_);
  measurement::v1::Rejection rejection;
  rejection.set_stage("decide");
  rejection.set_rule("default_deny");
  rejection.set_message("no");
  for (int i = 0; i < 1000; ++i)
    store->AuditRejection(rejection, absl::StrCat("192.0.2.", i % 200));
  rejection.set_rule("blocked");
  store->AuditRejection(rejection, "2001:db8:1:2::3");
  ASSERT_TRUE(store->Flush().ok());
  for (int i = 0; i < 10; ++i) store->AuditRejection(rejection, "2001:db8:1:9::9");
  ASSERT_TRUE(store->Flush().ok());
  const std::string where =
      " FROM (SELECT rule, netblock, count FROM rejections UNION ALL "
      "SELECT rule, netblock, count FROM audit WHERE event = 'rejected') WHERE rule = ";
  EXPECT_EQ(Query(path_, "SELECT sum(count)" + where + "'default_deny'"), "1000");
  EXPECT_EQ(Query(path_, "SELECT group_concat(DISTINCT netblock)" + where + "'default_deny'"),
            "192.0.2.0/24");
  EXPECT_EQ(Query(path_, "SELECT sum(count)" + where + "'blocked'"), "11");
  EXPECT_EQ(Query(path_, "SELECT group_concat(DISTINCT netblock)" + where + "'blocked'"),
            "2001:db8:1::/48");
  // A minute may turn while this runs, hence 2.
  EXPECT_LE(std::stoi(Query(path_, "SELECT count(*)" + where + "'default_deny'")), 2);
}

TEST_F(StoreTest, TheAuditLogHoldsTracesAndVerifies) {
  measurement::v1::Rejection rejection;
  rejection.set_stage("limit");
  rejection.set_rule("site");
  rejection.mutable_trace()->add_steps()->set_value("20 s");
  AuditHead head;
  {
    const auto store = OpenStore(path_);
    SessionRow row = Row("s1");
    row.trace.add_steps()->set_rule("r");
    ASSERT_TRUE(store->BeginSession(row).ok());
    ASSERT_TRUE(store->FinishSession(End("s1")).ok());
    store->Audit({.event = "policy_kept", .detail = "half-written"});
    store->AuditRejection(rejection, "192.0.2.77");
    ASSERT_TRUE(store->Flush().ok());
    const auto verdict = store->VerifyAudit({});
    ASSERT_TRUE(verdict.ok()) << verdict.status();
    EXPECT_TRUE(verdict->intact) << verdict->why;
    EXPECT_EQ(verdict->rows, 5) << "the minute's refusals are still counted";
    head = verdict->head;
  }
  const auto store = OpenStore(path_);  // What an earlier process counted is final.
  const auto verdict = store->VerifyAudit(head);
  ASSERT_TRUE(verdict.ok());
  EXPECT_TRUE(verdict->intact) << verdict->why;
  EXPECT_EQ(verdict->rows, 6);
  const auto rows = store->ListAudit({});
  ASSERT_EQ(rows->size(), 6u);
  EXPECT_EQ((*rows)[0].event, "rejected");
  EXPECT_EQ((*rows)[0].netblock, "192.0.2.0/24");
  policy::v1::Trace trace;
  ASSERT_TRUE(trace.ParseFromString((*rows)[0].trace));
  EXPECT_EQ(trace.steps(0).value(), "20 s");
  ASSERT_TRUE(trace.ParseFromString((*rows)[5].trace));
  EXPECT_EQ((*rows)[5].event, "session_begun");
  EXPECT_EQ(trace.steps(0).rule(), "r");

  Query(path_, "UPDATE audit SET detail = 'nothing' WHERE event = 'policy_kept'");
  EXPECT_EQ(store->VerifyAudit({})->first_broken_id, 5);
}

TEST_F(StoreTest, UseIsCountedWithItsSessionAndSurvivesARestart) {
  const auto today = static_cast<uint32_t>(absl::GetCurrentTimeNanos() / 86'400'000'000'000);
  const std::string one(16, '1'), two(16, '2');
  {
    const auto store = OpenStore(path_);
    for (const char* id : {"s1", "s2", "s3"}) {
      SessionRow row = Row(id);
      row.use = {{.key = one, .day = today, .tests = 1}};
      if (std::string(id) == "s2") {
        row.use.push_back(
            {.key = two, .day = today, .tests = 1, .not_before_unix_s = 4'000'000'000});
      }
      ASSERT_TRUE(store->BeginSession(row).ok());
    }
    SessionEnd end = End("s2");
    end.moved_bytes = 500;
    ASSERT_TRUE(store->FinishSession(end).ok());
    end.moved_bytes = 7;  // Already finished: charged once.
    ASSERT_TRUE(store->FinishSession(end).ok());
    end = End("s1");
    end.moved_bytes = 30;
    ASSERT_TRUE(store->FinishSession(end).ok());
  }
  const auto store = OpenStore(path_);
  auto rows = store->LoadUse();
  ASSERT_TRUE(rows.ok()) << rows.status();
  ASSERT_EQ(rows->size(), 2u);
  EXPECT_EQ((*rows)[0].key, one);
  EXPECT_EQ((*rows)[0].tests, 3u);
  EXPECT_EQ((*rows)[0].bytes, 530u);
  EXPECT_EQ((*rows)[1].bytes, 500u);
  EXPECT_EQ((*rows)[1].not_before_unix_s, 4'000'000'000u);
  // A session that a crash left running is charged when it is concluded.
  ASSERT_EQ(store->UnfinishedSessions()->size(), 1u);
  EXPECT_EQ(store->UnfinishedSessions()->at(0).row.use.at(0).key, one);
  SessionEnd end = End("s3");
  end.moved_bytes = 1;
  ASSERT_TRUE(store->FinishSession(end).ok());
  EXPECT_EQ((*store->LoadUse())[0].bytes, 531u);
  EXPECT_EQ(Query(path_, "SELECT count(use_keys) FROM sessions"), "0");

  // A new day counts anew, and forgets what no longer forbids anything.
  SessionRow row = Row("s4");
  row.use = {{.key = std::string(16, '3'), .day = today + 1, .tests = 1}};
  ASSERT_TRUE(store->BeginSession(row).ok());
  rows = store->LoadUse();
  ASSERT_EQ(rows->size(), 2u);
  EXPECT_EQ((*rows)[0].key, two);
  row = Row("s5");
  row.use = {{.key = two, .day = today + 1, .tests = 1}};
  ASSERT_TRUE(store->BeginSession(row).ok());
  EXPECT_EQ((*store->LoadUse())[0].tests, 1u);
  EXPECT_EQ((*store->LoadUse())[0].bytes, 0u);
}

TEST_F(StoreTest, EgressIsKeptForFiveMinutes) {
  const int64_t now = absl::GetCurrentTimeNanos();
  constexpr int64_t kS = 1'000'000'000;
  {
    const auto store = OpenStore(path_);
    store->SaveEgress(
        {.port = "p", .boot_id = "b", .tx_bytes = 10, .at_unix_ns = now - 400 * kS, .bytes = 10});
    store->SaveEgress(
        {.port = "p", .boot_id = "b", .tx_bytes = 30, .at_unix_ns = now - 200 * kS, .bytes = 20});
    store->SaveEgress(
        {.port = "p", .boot_id = "b", .tx_bytes = 60, .at_unix_ns = now - 5 * kS, .bytes = 30});
  }
  const auto rows = OpenStore(path_)->LoadEgress();
  ASSERT_TRUE(rows.ok()) << rows.status();
  ASSERT_EQ(rows->size(), 2u);
  EXPECT_EQ((*rows)[1].tx_bytes, 60u);
  EXPECT_EQ((*rows)[1].bytes, 30u);
  EXPECT_EQ((*rows)[1].boot_id, "b");
  EXPECT_EQ(Query(path_, "SELECT count(*) FROM egress"), "2");
}

TEST_F(StoreTest, OnlyOneOpensIt) {
  const auto store = OpenStore(path_);
  const auto second = Store::Open({.path = path_});
  EXPECT_TRUE(absl::IsFailedPrecondition(second.status()));
  EXPECT_NE(second.status().message().find("in use by another weir-control"), std::string::npos);
  // And the attempt did not disturb the first.
  EXPECT_TRUE(store->BeginSession(Row("s1")).ok());
}

TEST_F(StoreTest, RefusesWhatIsNotItsOwn) {
  EXPECT_NE(Store::Open({.path = dir_.File("no/such/dir.db")})
                .status()
                .message()
                .find("create the directory first"),
            std::string::npos);

  dir_.Write("weir.db", std::string(8192, 'x'));
  auto garbage = Store::Open({.path = path_});
  EXPECT_TRUE(absl::IsDataLoss(garbage.status())) << garbage.status();
  EXPECT_NE(garbage.status().message().find("move it"), std::string::npos);

  const std::string other = dir_.File("other.db");
  dir_.Write("other.db", "");
  Query(other, "CREATE TABLE t (x)");
  const auto foreign = Store::Open({.path = other});
  EXPECT_TRUE(absl::IsFailedPrecondition(foreign.status())) << foreign.status();
  EXPECT_EQ(Query(other, "PRAGMA journal_mode"), "delete") << "it must be left as it was";

  const std::string newer = dir_.File("newer.db");
  { OpenStore(newer); }
  Query(newer, "PRAGMA user_version = 99");
  const auto refused = Store::Open({.path = newer});
  EXPECT_TRUE(absl::IsFailedPrecondition(refused.status())) << refused.status();
  EXPECT_NE(refused.status().message().find("newer Weir"), std::string::npos);
}

TEST_F(StoreTest, DamageIsFoundAtStart) {
  {
    const auto store = OpenStore(path_);
    for (int i = 0; i < 50; ++i) {
      ASSERT_TRUE(store->BeginSession(Row(absl::StrCat("s", i))).ok());
    }
  }
  Query(path_, "PRAGMA wal_checkpoint(TRUNCATE)");
  const auto size = std::filesystem::file_size(path_);
  {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096 + 8);
    const std::string noise(size - 4096 - 8, '\x5A');
    file << noise;
  }
  const auto damaged = Store::Open({.path = path_});
  EXPECT_TRUE(absl::IsDataLoss(damaged.status())) << damaged.status();
}

TEST_F(StoreTest, HighWaterMarkIsReported) {
  const auto store = OpenStore(path_, 300'000);
  int begun = 0;
  while (!store->Full() && begun < 10'000) {
    const std::string id = absl::StrCat("s", begun++);
    ASSERT_TRUE(store->BeginSession(Row(id)).ok());
    SessionEnd end = End(id);
    end.records = {Approved(id, DOWN, 500)};
    ASSERT_TRUE(store->FinishSession(end).ok());
  }
  EXPECT_GE(store->SizeBytes(), 300'000u);
  EXPECT_LT(begun, 10'000);
  EXPECT_NE(store->Health().message().find("store_max_bytes"), std::string::npos);
  // What was admitted is still finished.
  ASSERT_TRUE(store->BeginSession(Row("last")).ok());
  EXPECT_TRUE(store->FinishSession(End("last")).ok());
}

// On a file system of 2 MB that a second file fills.
class FullDiskTest : public StoreTest {
 protected:
  void SetUp() override {
    ASSERT_EQ(mkdir(disk_.c_str(), 0700), 0);
    if (mount("weir-test", disk_.c_str(), "tmpfs", 0, "size=2m") != 0) {
      GTEST_SKIP() << "mounting a tmpfs needs root";
    }
    mounted_ = true;
  }
  void TearDown() override {
    if (mounted_) {
      EXPECT_EQ(umount2(disk_.c_str(), MNT_DETACH), 0);
    }
  }
  void Fill() const {
    std::ofstream file(disk_ + "/ballast", std::ios::binary);
    const std::string page(4096, 'x');
    while (file << page && file.flush()) {
    }
  }
  void Free() const { std::filesystem::remove(disk_ + "/ballast"); }

  const std::string disk_ = dir_.File("disk");
  const std::string store_path_ = disk_ + "/weir.db";
  bool mounted_ = false;
};

TEST_F(FullDiskTest, NothingAcknowledgedIsLostAndItRecoversByItself) {
  auto store = OpenStore(store_path_);
  ASSERT_TRUE(store->BeginSession(Row("running")).ok());
  Fill();

  // The log keeps a little room of its own; use it up.
  absl::Status status = absl::OkStatus();
  int begun = 0;
  while (status.ok() && begun < 1000) status = store->BeginSession(Row(absl::StrCat("x", begun++)));
  ASSERT_TRUE(absl::IsResourceExhausted(status)) << status;
  const std::string refused = absl::StrCat("x", begun - 1);
  EXPECT_TRUE(store->Full());
  EXPECT_NE(store->Health().message().find("no space left"), std::string::npos);

  // A running session ends meanwhile: told that it is not durable yet, kept all the same.
  store->AppendInterval("running", DOWN, Interval(0, 7));
  SessionEnd end = End("running");
  end.records = {Approved("running", DOWN, 5000)};
  EXPECT_TRUE(absl::IsResourceExhausted(store->FinishSession(end)));
  EXPECT_TRUE(absl::IsResourceExhausted(store->BeginSession(Row("refused")))) << "at once";
  measurement::v1::Rejection rejection;
  rejection.set_stage("store");
  rejection.set_rule("store_full");
  for (int i = 0; i < 5; ++i) store->AuditRejection(rejection, "192.0.2.1");
  EXPECT_EQ(store->RecordCount(), 0u);

  Free();
  for (int i = 0; i < 100 && store->Full(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_FALSE(store->Full()) << store->Health();
  ASSERT_TRUE(store->Flush().ok());
  EXPECT_EQ(store->RecordCount(), 1u);
  const auto record = store->GetRecord("running-down");
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->result().intervals_size(), 5000);
  EXPECT_EQ(Query(store_path_, "SELECT sum(count) FROM rejections WHERE rule = 'store_full'"), "5");
  // What was refused left nothing.
  EXPECT_EQ(Query(store_path_, "SELECT count(*) FROM sessions WHERE session_id IN ('refused', '" +
                                   refused + "')"),
            "0");
  store.reset();
  EXPECT_EQ(Query(store_path_, "PRAGMA integrity_check"), "ok");
}

TEST_F(FullDiskTest, RecoversWithNothingQueued) {
  const auto store = OpenStore(store_path_);
  Fill();
  absl::Status status = absl::OkStatus();
  for (int i = 0; status.ok() && i < 1000; ++i) {
    status = store->BeginSession(Row(absl::StrCat("x", i)));
  }
  ASSERT_TRUE(store->Full());
  Free();
  for (int i = 0; i < 100 && store->Full(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_FALSE(store->Full()) << store->Health();
  EXPECT_TRUE(store->BeginSession(Row("after")).ok());
}

}  // namespace
}  // namespace weir::control

// The real weir-export on the real store, delivering to a real PostgreSQL server.
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "tests/export/exporter.h"
#include "tests/export/postgres_cluster.h"

namespace weir::test {
namespace {

// What the tables have of each record, in protobuf's JSON.
constexpr char kRecordsAsJson[] = R"(
  SELECT jsonb_build_object(
    'record_id', record_id, 'session_id', session_id, 'direction', upper(r.direction),
    'outcome', upper(outcome), 'end_reason', end_reason,
    'negotiated_at', to_char(negotiated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') ||
                     '.' || lpad((negotiated_unix_ns % 1000000000)::text, 9, '0') || 'Z',
    'experiment', r.experiment, 'purpose', purpose,
    'server', jsonb_build_object('operator', operator, 'contact', contact, 'node', node),
    'client', jsonb_build_object('mode', 'ADDRESS_' || upper(c.mode),
                                 'value', coalesce(host(c.address), '')),
    'policy_digest', policy_digest, 'admission_rule', admission_rule, 'export_rule', export_rule,
    'release_class', upper(r.release_class), 'origin_active', origin_active,
    'requested', requested, 'granted', granted, 'result', result, 'software', software,
    'legal_basis', legal_basis, 'license', license,
    'metadata', (SELECT coalesce(jsonb_agg(jsonb_build_object('key', key, 'value', value)
                                           ORDER BY position), '[]')
                 FROM weir.metadata d WHERE d.record_id = r.record_id))
  FROM weir.record r JOIN weir.measurement USING (record_id) JOIN weir.client c USING (record_id))";

class PostgresTest : public ExporterTest {
 protected:
  PostgresTest() {
    static int number = 0;
    database_ = absl::StrCat("weir", ++number);
    MakeDatabase("");
    dir_.Write("password", absl::StrCat("*:*:*:weir_export:", PostgresCluster::kPassword, "\n"));
    chmod(dir_.File("password").c_str(), 0600);
    Configure(dir_.File("password"));
  }

  void MakeDatabase(const std::string& options) const {
    cluster_.Query("postgres", absl::StrCat("DROP DATABASE IF EXISTS ", database_));
    cluster_.Query("postgres",
                   absl::StrCat("CREATE DATABASE ", database_, " OWNER weir_owner ", options));
  }

  void Configure(const std::string& password_file) {
    WriteConfig(absl::StrCat(
        "destination { name: 'archive' recipient: 'team' purpose: 'analysis' postgres { conninfo: "
        "'",
        cluster_.Conninfo(database_, "weir_export"), "' password_file: '", password_file, "' } }"));
  }

  std::string Value(const std::string& sql) const { return cluster_.Value(database_, sql); }
  bool Delivered(int count) {
    return Eventually([&] { return Status().delivered() == static_cast<uint64_t>(count); }, 120);
  }
  // Each of the first `count` records is there once, as the store has it.
  void ExpectExactly(int count) {
    EXPECT_EQ(Value("SELECT count(DISTINCT record_id) FROM weir.record"), absl::StrCat(count));
    const auto rows = cluster_.Query(database_, kRecordsAsJson);
    ASSERT_EQ(rows.size(), static_cast<size_t>(count));
    int different = 0;
    for (const auto& row : rows) {
      record::v1::Record delivered;
      const auto parsed = google::protobuf::util::JsonStringToMessage(row[0], &delivered);
      ASSERT_TRUE(parsed.ok()) << parsed.ToString() << row[0];
      const auto stored = store_->GetRecord(delivered.record_id());
      ASSERT_TRUE(stored.ok()) << stored.status();
      google::protobuf::util::MessageDifferencer differencer;
      std::string difference;
      differencer.ReportDifferencesToString(&difference);
      if (differencer.Compare(*stored, delivered)) continue;
      if (++different == 1) ADD_FAILURE() << difference;
    }
    EXPECT_EQ(different, 0);
  }
  // Until something in the trouble of the destination says so.
  bool Says(const std::string& text) {
    const bool said = Eventually([&] { return absl::StrContains(Status().trouble(), text); });
    if (!said) ADD_FAILURE() << "not \"" << text << "\" but \"" << Status().trouble() << "\"";
    return said;
  }

  PostgresCluster& cluster_ = SharedCluster();
  std::string database_;
};

TEST_F(PostgresTest, TenThousandRecordsOutliveTheServersDeaths) {
  KeepMany(0, 10'000, 100);
  const auto exporter = Start();
  for (const uint64_t after : {1500u, 4000u, 7000u}) {
    ASSERT_TRUE(Eventually([&] { return Status().delivered() >= after; }, 120));
    cluster_.Kill();
    ASSERT_LT(Status().delivered(), 10'000u) << "killed too late to show anything";
    cluster_.Start();
  }
  ASSERT_TRUE(Delivered(10'000));
  ExpectExactly(10'000);
  EXPECT_EQ(Status().dead(), 0u);
}

TEST_F(PostgresTest, KilledAnywhereItDeliversExactlyOnce) {
  int kept = 0;
  for (const char* failpoint :
       {"export.pulled", "postgres.begun", "postgres.disclosed", "postgres.taken",
        "postgres.committed", "postgres.committed:2", "export.delivered", "export.acknowledged"}) {
    KeepMany(kept, kept + 250);
    kept += 250;
    ASSERT_TRUE(DiesOfKill(Start(failpoint).get())) << failpoint << ": not hit";
    const auto exporter = Start();
    ASSERT_TRUE(Delivered(kept)) << failpoint;
  }
  // And wherever it happens to be.
  const unsigned seed = std::random_device()();
  std::cout << "random kills: seed " << seed << "\n";
  std::mt19937 random(seed);
  KeepMany(kept, kept + 1500, 50);
  kept += 1500;
  for (int i = 0; i < 10; ++i) {
    const auto exporter = Start();
    std::this_thread::sleep_for(
        std::chrono::milliseconds(std::uniform_int_distribution<>(0, 150)(random)));
    exporter->Signal(SIGKILL);
    exporter->Wait();
  }
  const auto exporter = Start();
  ASSERT_TRUE(Delivered(kept)) << "seed " << seed;
  ExpectExactly(kept);
  EXPECT_EQ(Status().dead(), 0u);
}

TEST_F(PostgresTest, StatesAndErasuresFollow) {
  const std::string later = Keep(1, "later"), gone = Keep(2, "later"), open = Keep(3);
  const auto exporter = Start();
  ASSERT_TRUE(Delivered(3));
  const auto state = [&](const std::string& id) {
    return Value(
        absl::StrCat("SELECT r.release_state || ' ' || c.release_state || ' ' || c.mode "
                     "FROM weir.record r JOIN weir.client c USING (record_id) "
                     "WHERE record_id = '",
                     id, "'"));
  };
  EXPECT_EQ(state(later), "embargoed embargoed full");
  EXPECT_EQ(state(open), "released released full");
  ASSERT_TRUE(store_->ReleaseRecord(later, "").ok());
  ASSERT_TRUE(Eventually([&] { return state(later) == "released released full"; })) << state(later);
  ASSERT_TRUE(store_->AnonymiseRecord(gone, "").ok());
  ASSERT_TRUE(store_->AnonymiseRecord(open, "").ok());
  ASSERT_TRUE(Eventually([&] { return Status().erasures_delivered() == 2; }));
  EXPECT_EQ(state(gone), "embargoed embargoed none");
  EXPECT_EQ(state(open), "anonymised anonymised none");
  EXPECT_EQ(Value("SELECT count(*) FROM weir.client WHERE address IS NOT NULL"), "1");
  ASSERT_TRUE(store_->ReleaseRecord(gone, "").ok());
  ASSERT_TRUE(Eventually([&] { return state(gone) == "anonymised anonymised none"; }));
  ExpectExactly(3);
  EXPECT_EQ(Status().delivered(), 3u) << "a new state is no other copy";
  int64_t states = 0;
  const auto audited = store_->ListAudit({.event = "state_delivered"});
  for (const auto& row : *audited) states += row.count;
  EXPECT_GE(states, 2);
  // An erasure stays: whatever comes later of the record, its address does not.
  cluster_.Query(
      database_,
      absl::StrCat(
          "SELECT weir.deliver(json_build_array(json_build_object('version', 1000000, 'state', "
          "'released', 'unix_ns', 0, 'record', (",
          kRecordsAsJson, " WHERE record_id = '", open,
          "') || '{\"client\": {\"mode\": \"ADDRESS_FULL\", \"value\": \"198.51.100.7\"}}')), 1, "
          "'')"));
  EXPECT_EQ(state(open), "released released none");
}

// The policy's rules come with the records, in the same transaction, and without any when nothing
// else is to be delivered.
TEST_F(PostgresTest, TheDisclosureRulesInForceComeAlong) {
  const auto readers = [this] {
    return Value("SELECT string_agg(DISTINCT reader, ' ' ORDER BY reader) FROM weir.disclosure");
  };
  const auto with = [this](const std::string& rules) {
    admission_->SetPolicy(*control::Policy::Parse("policy", policy_text() + rules));
  };
  constexpr char kOnlyResearchers[] =
      "disclosure { name: 'd' role: 'researcher' state: 'embargoed' state: 'released' "
      "field: 'measurement' }";
  constexpr char kFounding[] = "operator other_researcher partner public researcher";
  Keep(1);
  auto exporter = Start();
  ASSERT_TRUE(Delivered(1));
  EXPECT_EQ(readers(), kFounding);
  // A stricter rule, and no record.
  with(kOnlyResearchers);
  ASSERT_TRUE(Eventually([&] { return readers() == "researcher"; })) << readers();
  EXPECT_EQ(Value("SELECT policy_digest FROM weir.node_policy"), admission_->policy()->digest());
  // Killed between the rules and the records: neither is there, and then both.
  exporter->Signal(SIGKILL);
  exporter->Wait();
  with("");
  Keep(2);
  ASSERT_TRUE(DiesOfKill(Start("postgres.taken").get()));
  EXPECT_EQ(readers(), "researcher");
  EXPECT_EQ(Value("SELECT count(*) FROM weir.record"), "1");
  exporter = Start();
  ASSERT_TRUE(Delivered(2));
  EXPECT_EQ(readers(), kFounding);
  ExpectExactly(2);
}

TEST_F(PostgresTest, WhatCanNeverBeTakenIsADeadLetterOfItsOwn) {
  auto exporter = Start();
  Keep(0);
  ASSERT_TRUE(Delivered(1));
  cluster_.Query(database_,
                 "ALTER TABLE weir.measurement ADD CONSTRAINT sane CHECK (jitter_ns < 1e9)");
  StopServing();
  KeepMany(1, 50);
  const std::string bad = Keep(50, "open", 2e9);
  KeepMany(51, 100);
  Serve();
  ASSERT_TRUE(Delivered(99));
  ASSERT_TRUE(Eventually([&] { return Status().dead() == 1; }));
  delivery::v1::Status status;
  ASSERT_TRUE(service_->Describe({}, &status).ok());
  ASSERT_EQ(status.dead_letters_size(), 1);
  EXPECT_EQ(status.dead_letters(0).record_id(), bad);
  EXPECT_EQ(status.dead_letters(0).reason(),
            "PostgreSQL error 23514, table measurement, constraint sane");
  ExpectExactly(99);
}

TEST_F(PostgresTest, CredentialsThatAreWrongAreSaidAndNotShown) {
  Keep(1);
  dir_.Write("wrong", "*:*:*:weir_export:not the password\n");
  chmod(dir_.File("wrong").c_str(), 0600);
  Configure(dir_.File("wrong"));
  auto exporter = Start();
  ASSERT_TRUE(Says("password authentication failed for user \"weir_export\""));
  EXPECT_EQ(Status().delivered(), 0u);
  EXPECT_FALSE(absl::StrContains(Log(), "not the password"));
  // Mended while it runs: nothing was lost.
  std::filesystem::copy(dir_.File("password"), dir_.File("wrong"),
                        std::filesystem::copy_options::overwrite_existing);
  ASSERT_TRUE(Delivered(1));
  EXPECT_FALSE(absl::StrContains(Log(), PostgresCluster::kPassword));
  exporter.reset();
  // None has to be in the configuration, and none is repeated from there.
  for (const auto& [conninfo, said] :
       {std::pair("host=x password=hunter2", "conninfo: no password here"),
        std::pair("postgresql://u:hunter2@x/weir", "conninfo: no password here"),
        std::pair("host=x hunter2", "conninfo: required: libpq"), std::pair("", "conninfo: req")}) {
    WriteConfig(
        absl::StrCat("destination { name: 'd' recipient: 'team' purpose: 'analysis' "
                     "postgres { conninfo: '",
                     conninfo, "' } }"));
    const int status = Start()->Wait(60);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 2) << status;
    EXPECT_TRUE(absl::StrContains(Log(), said)) << Log();
  }
  EXPECT_FALSE(absl::StrContains(Log(), "hunter2")) << Log();
}

TEST_F(PostgresTest, ASchemaThatIsWrongIsRefusedAndLeftAsItIs) {
  Keep(1);
  const auto run = [this](const std::string& sql) { cluster_.Query(database_, sql); };
  run("CREATE SCHEMA weir");
  const auto exporter = Start();
  ASSERT_TRUE(Says("schema: the database has a schema \"weir\" without a schema_version"));
  run("DROP SCHEMA weir");
  // The login may not make the tables: the operator is told what to do.
  cluster_.Query("postgres", "REVOKE weir_owner FROM weir_export");
  ASSERT_TRUE(Says("the database has version 0, needed is 2; GRANT weir_owner"));
  cluster_.Query("postgres", "GRANT weir_owner TO weir_export");
  ASSERT_TRUE(Delivered(1));
  // A newer weir-export was here.
  run("INSERT INTO weir.schema_version VALUES (7)");
  cluster_.Kill();
  cluster_.Start();
  Keep(2);
  ASSERT_TRUE(Says("the database has version 7, this weir-export knows up to 2"));
  run("DELETE FROM weir.schema_version WHERE version = 7");
  ASSERT_TRUE(Delivered(2));
  // Without its protection no address goes there.
  run("ALTER TABLE weir.client DISABLE ROW LEVEL SECURITY");
  cluster_.Kill();
  cluster_.Start();
  Keep(3);
  ASSERT_TRUE(Says("row-level security is off, or the table is not there: client"));
  run("ALTER TABLE weir.client ENABLE ROW LEVEL SECURITY");
  ASSERT_TRUE(Delivered(3));
  // A column is gone under it.
  run("ALTER TABLE weir.record RENAME COLUMN software TO hardware");
  Keep(4);
  ASSERT_TRUE(Says("software"));
  run("ALTER TABLE weir.record RENAME COLUMN hardware TO software");
  ASSERT_TRUE(Delivered(4));
  ExpectExactly(4);
}

TEST_F(PostgresTest, AFullDiskLosesNothingAndItRecoversByItself) {
  const std::string disk = cluster_.MakeDirectory("disk");
  if (mount("weir-test", disk.c_str(), "tmpfs", 0, "size=16m,mode=0777") != 0) {
    GTEST_SKIP() << "mounting a tmpfs needs root";
  }
  const std::string space = cluster_.MakeDirectory("disk/space");
  cluster_.Query("postgres", absl::StrCat("CREATE TABLESPACE small LOCATION '", space, "'"));
  MakeDatabase("TABLESPACE small");
  Keep(0);
  const auto exporter = Start();
  ASSERT_TRUE(Delivered(1));
  {
    std::ofstream ballast(disk + "/ballast", std::ios::binary);
    const std::string page(4096, 'x');
    while (ballast << page && ballast.flush()) {
    }
  }
  KeepMany(1, 1000, 50);
  Says("No space left on device");
  const uint64_t before = Status().delivered();
  EXPECT_LT(before, 1000u);
  EXPECT_EQ(Value("SELECT count(*) FROM weir.record"), absl::StrCat(before))
      << "a batch is there as a whole or not at all";
  std::filesystem::remove(disk + "/ballast");
  EXPECT_TRUE(Delivered(1000));
  ExpectExactly(1000);
  EXPECT_EQ(Status().dead(), 0u);
  StopServing();
  cluster_.Query("postgres", absl::StrCat("DROP DATABASE ", database_, " (FORCE)"));
  cluster_.Query("postgres", "DROP TABLESPACE small");
  EXPECT_EQ(umount2(disk.c_str(), MNT_DETACH), 0);
}

}  // namespace
}  // namespace weir::test

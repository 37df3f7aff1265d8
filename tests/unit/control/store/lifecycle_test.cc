#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "control/export/export_policy.h"
#include "control/store/release_keeper.h"
#include "control/store/schema.h"
#include "control/store/store.h"
#include "tests/unit/control/config/temp_dir.h"
#include "tests/unit/control/store/keep_session.h"

namespace weir::control {
namespace {

using record::v1::ReleaseState;

constexpr int64_t kLifeSecondNs = 1'000'000'000;
constexpr int64_t kDayOfNs = 86'400 * kLifeSecondNs;
constexpr char kAddress[] = "198.51.100.77";

// A store whose host's clocks the test sets.
class LifecycleTest : public testing::Test {
 protected:
  LifecycleTest() { Open(); }

  void Open() {
    store_.reset();
    auto store = Store::Open({.path = path_, .clocks = [this] { return clocks_; }});
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }

  void Pass(int64_t ns) {
    clocks_.wall_ns += ns;
    clocks_.boot_ns += ns;
  }

  // One record, `<id>-down`, exported as this rule says.
  void Keep(const std::string& id, const std::string& terms) {
    const ExportPolicy policy(
        *Policy::Parse("p", absl::StrCat("profile: 'lab' admission { name: 'r' effect: ALLOW } "
                                         "export { name: 'x' effect: ALLOW ",
                                         terms, " }")));
    KeepSession(store_.get(), policy,
                {.session_id = id,
                 .admission_rule = "r",
                 .policy_digest = "sha256:abc",
                 .experiment = "e",
                 .purpose = "p",
                 .client_address = kAddress},
                {CompletedRecord(id)});
  }

  StoredRecord Get(const std::string& id) {
    auto found = store_->FindRecord(id + "-down");
    EXPECT_TRUE(found.ok()) << found.status();
    return found.ok() ? *found : StoredRecord{};
  }
  ReleaseState State(const std::string& id) { return Get(id).standing.state; }
  std::string Client(const std::string& id) { return Get(id).record.client().value(); }

  // What the log has of this event, oldest first.
  std::vector<std::string> Audited(const std::string& event) {
    std::vector<std::string> details;
    const auto rows = store_->ListAudit({.limit = 1000, .event = event});
    for (const AuditRow& row : *rows) details.insert(details.begin(), row.detail);
    return details;
  }

  bool FileHas(const std::string& text) {
    for (const char* suffix : {"", "-wal"}) {
      std::ifstream file(path_ + suffix, std::ios::binary);
      const std::string bytes((std::istreambuf_iterator<char>(file)),
                              std::istreambuf_iterator<char>());
      if (bytes.find(text) != std::string::npos) return true;
    }
    return false;
  }

  const TempDir dir_;
  const std::string path_ = dir_.File("weir.db");
  ClockReading clocks_{.wall_ns = 1'800'000'000 * kLifeSecondNs,
                       .boot_ns = 50 * kLifeSecondNs,
                       .boot_id = "a",
                       .synchronised = true};
  std::unique_ptr<Store> store_;
};

constexpr char kEmbargo[] = "address: 'full' release_class: 'public' embargo_days: 30";

TEST_F(LifecycleTest, APublicRecordWithoutEmbargoIsReleasedAtOnce) {
  Keep("s", "address: 'full' release_class: 'public'");
  EXPECT_EQ(State("s"), record::v1::RELEASED);
  EXPECT_EQ(Audited("record_released"), std::vector<std::string>{"s-down: no embargo in x"});
}

TEST_F(LifecycleTest, AnOperatorsRecordStaysCollected) {
  Keep("s", "address: 'full' release_class: 'operator_only'");
  Pass(400 * kDayOfNs);
  EXPECT_EQ(*store_->RunDeadlines(), 0);
  EXPECT_EQ(State("s"), record::v1::COLLECTED);
  EXPECT_TRUE(absl::IsPermissionDenied(store_->ReleaseRecord("s", "why").status()));
  EXPECT_TRUE(Audited("record_released").empty());
}

TEST_F(LifecycleTest, AnEmbargoEndsWhenItsDaysAreOverAndNotBefore) {
  Keep("s", kEmbargo);
  EXPECT_EQ(State("s"), record::v1::EMBARGOED);
  EXPECT_EQ(Audited("record_embargoed").size(), 1u);
  Pass(30 * kDayOfNs - 1);
  EXPECT_EQ(*store_->RunDeadlines(), 0);
  Pass(1);
  EXPECT_EQ(*store_->RunDeadlines(), 1);
  EXPECT_EQ(State("s"), record::v1::RELEASED);
  EXPECT_EQ(*store_->RunDeadlines(), 0);
  EXPECT_EQ(Audited("record_released"), std::vector<std::string>{"s-down: embargo over"});
  EXPECT_TRUE(store_->VerifyAudit({})->intact);
}

TEST_F(LifecycleTest, AClockThatJumpsReleasesNothingEarlyAndLosesNothing) {
  Keep("s", kEmbargo);
  clocks_.wall_ns += 400 * kDayOfNs;
  EXPECT_EQ(*store_->RunDeadlines(), 0);
  Open();  // Nor over a restart of the process.
  EXPECT_EQ(*store_->RunDeadlines(), 0);
  clocks_.wall_ns -= 900 * kDayOfNs;
  Pass(29 * kDayOfNs);
  EXPECT_EQ(*store_->RunDeadlines(), 0);
  // Another boot, whose clock nothing vouches for.
  clocks_ = {.wall_ns = 1'800'000'000 * kLifeSecondNs + 900 * kDayOfNs,
             .boot_ns = kLifeSecondNs,
             .boot_id = "b",
             .synchronised = false};
  Open();
  EXPECT_EQ(*store_->RunDeadlines(), 0);
  EXPECT_EQ(State("s"), record::v1::EMBARGOED);
  Pass(kDayOfNs);
  EXPECT_EQ(*store_->RunDeadlines(), 1);
  EXPECT_EQ(State("s"), record::v1::RELEASED);
}

TEST_F(LifecycleTest, DeadlinesThatPassedWhileNobodyRanAreMetAtStart) {
  std::vector<std::thread> threads;  // Commits are shared by those that wait for them.
  for (int thread = 0; thread < 12; ++thread) {
    threads.emplace_back([this, thread] {
      for (int i = thread; i < 120; i += 12) Keep(absl::StrCat("s", i), kEmbargo);
    });
  }
  for (std::thread& thread : threads) thread.join();  // More than one batch.
  store_.reset();
  clocks_ = {.wall_ns = clocks_.wall_ns + 31 * kDayOfNs,
             .boot_ns = kLifeSecondNs,
             .boot_id = "b",
             .synchronised = true};
  Open();
  {
    const ReleaseKeeper keeper(store_.get(), {.interval = std::chrono::hours(1)});
    while (State("s119") != record::v1::RELEASED) std::this_thread::yield();
  }
  EXPECT_EQ(*store_->RunDeadlines(), 0);
  EXPECT_EQ(Audited("record_released").size(), 120u);
}

TEST_F(LifecycleTest, TheOperatorMayReleaseEarlierOnce) {
  Keep("s", kEmbargo);
  auto change = store_->ReleaseRecord("s", "the paper is out");
  ASSERT_TRUE(change.ok()) << change.status();
  EXPECT_EQ(change->changed.size(), 1u);
  EXPECT_EQ(State("s"), record::v1::RELEASED);
  change = store_->ReleaseRecord("s-down", "again");
  EXPECT_EQ(change->unchanged.size(), 1u);
  Pass(40 * kDayOfNs);
  EXPECT_EQ(*store_->RunDeadlines(), 0);
  EXPECT_EQ(Audited("record_released"), std::vector<std::string>{"s-down: the paper is out"});
  EXPECT_TRUE(absl::IsNotFound(store_->ReleaseRecord("t", "").status()));
}

TEST_F(LifecycleTest, ErasureLeavesTheAddressNowhere) {
  Keep("s", "address: 'full' release_class: 'public'");
  Keep("t", "address: 'full' release_class: 'public'");
  ASSERT_TRUE(store_->AnonymiseRecord("t", "w").ok());
  EXPECT_EQ(Client("s"), kAddress);
  EXPECT_TRUE(FileHas(kAddress));
  const auto change = store_->AnonymiseRecord("s", "on request");
  ASSERT_TRUE(change.ok()) << change.status();
  EXPECT_EQ(State("s"), record::v1::ANONYMISED);
  EXPECT_EQ(Client("s"), "");
  EXPECT_EQ(Get("s").record.client().mode(), record::v1::ADDRESS_NONE);
  EXPECT_EQ(store_->AnonymiseRecord("s", "on request")->unchanged.size(), 1u);
  EXPECT_EQ(Audited("record_anonymised").size(), 2u);
  store_.reset();
  EXPECT_FALSE(FileHas(kAddress));
}

TEST_F(LifecycleTest, AnErasedRecordKeepsItsEmbargo) {
  Keep("s", kEmbargo);
  ASSERT_TRUE(store_->AnonymiseRecord("s", "on request").ok());
  EXPECT_EQ(State("s"), record::v1::EMBARGOED);
  EXPECT_TRUE(Get("s").standing.erased);
  EXPECT_EQ(Audited("record_address_erased").size(), 1u);
  Pass(30 * kDayOfNs);
  EXPECT_EQ(*store_->RunDeadlines(), 1);
  EXPECT_EQ(State("s"), record::v1::ANONYMISED);
  EXPECT_EQ(Audited("record_released").size(), 1u);
  EXPECT_EQ(Audited("record_anonymised").size(), 1u);
}

TEST_F(LifecycleTest, AddressesAreErasedWhenTheirDaysAreOver) {
  Keep("s", "address: 'full' release_class: 'public' anonymise_days: 2");
  Keep("o", "address: 'full' release_class: 'operator_only' anonymise_days: 2");
  Keep("n", "address: 'none' release_class: 'public' anonymise_days: 2");
  Pass(2 * kDayOfNs);
  EXPECT_EQ(*store_->RunDeadlines(), 2) << "where there was none, none is erased";
  EXPECT_EQ(State("s"), record::v1::ANONYMISED);
  EXPECT_EQ(State("o"), record::v1::COLLECTED);
  EXPECT_EQ(Client("o"), "");
  EXPECT_EQ(State("n"), record::v1::RELEASED);
}

// What a destination refused of a record that it has, it is given again when the operator says so.
TEST_F(LifecycleTest, ARefusedUpdateIsTriedAgain) {
  const auto pull = [&] {
    auto pulled = store_->PullDeliveries(
        {.destination = "d", .terms = "t", .limit = 10, .follow_states = true},
        [](const StoredRecord&) { return true; });
    EXPECT_TRUE(pulled.ok()) << pulled.status();
    EXPECT_TRUE(store_->Flush().ok());
    return std::move(pulled->items);
  };
  const auto settle = [&](const PendingDelivery& item, bool refused) {
    return store_->SettleDeliveries("d",
                                    {{.record_id = item.stored.standing.record_id,
                                      .version = item.version,
                                      .tombstone = item.tombstone,
                                      .refused = refused,
                                      .reason = refused ? "no" : ""}},
                                    "by d");
  };
  const auto retry = [&] { return store_->ReopenDeliveries("d", {}, Reopening::kRetry, "again"); };

  Keep("s", kEmbargo);
  ASSERT_TRUE(settle(pull().at(0), /*refused=*/false).ok());
  EXPECT_EQ(*retry(), 0);
  ASSERT_TRUE(store_->ReleaseRecord("s", "why").ok());
  for (int i = 0; i < 2; ++i) {  // Refused twice.
    const auto updates = pull();
    ASSERT_EQ(updates.size(), 1u);
    EXPECT_FALSE(updates[0].tombstone);
    EXPECT_EQ(updates[0].stored.standing.state, record::v1::RELEASED);
    ASSERT_TRUE(settle(updates[0], /*refused=*/true).ok());
    EXPECT_TRUE(pull().empty());
    ASSERT_EQ(store_->ListDeadLetters(10)->size(), 1u);
    EXPECT_EQ(*retry(), 1);
    EXPECT_TRUE(store_->ListDeadLetters(10)->empty());
  }
  ASSERT_TRUE(settle(pull().at(0), /*refused=*/false).ok());
  EXPECT_TRUE(pull().empty());
  EXPECT_TRUE(store_->ListDeadLetters(10)->empty());

  // The same of an update that came before an erasure: both go again.
  Keep("e", kEmbargo);
  ASSERT_TRUE(settle(pull().at(0), /*refused=*/false).ok());
  ASSERT_TRUE(store_->ReleaseRecord("e", "why").ok());
  ASSERT_TRUE(settle(pull().at(0), /*refused=*/true).ok());
  ASSERT_TRUE(store_->AnonymiseRecord("e", "asked").ok());
  EXPECT_EQ(*retry(), 1);
  const auto erasure = pull();
  ASSERT_EQ(erasure.size(), 1u);
  EXPECT_TRUE(erasure[0].tombstone);
}

TEST(LifecycleMigrationTest, WhatWasStoredBeforeGetsItsState) {
  const TempDir dir;
  auto db = Database::Open(dir.File("db"), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  ASSERT_TRUE(db.ok());
  ASSERT_TRUE(Migrate(&*db, 4).ok());
  ASSERT_TRUE(db->Execute("INSERT INTO sessions (session_id, role, state, started_unix_ns, "
                          "admission_rule, policy_digest, experiment, purpose, granted) "
                          "VALUES ('s', '', 'exported', 0, '', '', '', '', x'');"
                          "INSERT INTO records VALUES ('s-down', 's', 1, 1, 0, '', 1, x'', x''), "
                          "('s-up', 's', 2, 1, 0, '', 2, x'', x'')")
                  .ok());
  ASSERT_TRUE(Migrate(&*db).ok());
  EXPECT_EQ(*db->QueryText("SELECT group_concat(record_id || state) FROM records ORDER BY 1"),
            "s-down3,s-up1");
  EXPECT_EQ(*db->QueryInt("SELECT last_change FROM lifecycle"), 2);
  EXPECT_EQ(*db->QueryText("SELECT event || count FROM audit"), "record_released1");
}

}  // namespace
}  // namespace weir::control

// Retention deletes what is due and delivered, and nothing else.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "control/export/export_policy.h"
#include "control/store/release_keeper.h"
#include "control/store/store.h"
#include "tests/unit/control/config/temp_dir.h"
#include "tests/unit/control/store/keep_session.h"

namespace weir::control {
namespace {

constexpr int64_t kKeptSecondNs = 1'000'000'000;
constexpr int64_t kKeptDayNs = 86'400 * kKeptSecondNs;
constexpr int64_t kHourToComplainNs = 3'600 * kKeptSecondNs;
constexpr char kKeptDigest[] = "sha256:abc";
constexpr char kSixDays[] = "address: 'full' release_class: 'public' keep_days: 6";

class RetentionTest : public testing::Test {
 protected:
  RetentionTest() { Open(); }

  void Open(uint64_t max_bytes = uint64_t{1} << 30) {
    store_.reset();
    auto store =
        Store::Open({.path = path_, .max_bytes = max_bytes, .clocks = [this] { return clocks_; }});
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }

  void Pass(int64_t ns) {
    clocks_.wall_ns += ns;
    clocks_.boot_ns += ns;
  }

  // `<id>-down` and, if asked, `<id>-up`, exported as this rule says.
  void Keep(const std::string& id, const std::string& terms, bool both = false,
            size_t intervals = 0) {
    const ExportPolicy policy(
        *Policy::Parse("p", absl::StrCat("profile: 'lab' admission { name: 'r' effect: ALLOW } "
                                         "export { name: 'x' effect: ALLOW ",
                                         terms, " }")));
    std::vector<record::v1::Record> records{CompletedRecord(id)};
    if (both) records.push_back(CompletedRecord(id, record::v1::UP));
    for (record::v1::Record& record : records) {
      for (size_t i = 0; i < intervals; ++i) {
        record.mutable_result()->add_intervals()->set_ip_bps(static_cast<double>(i) * 1.1);
      }
    }
    KeepSession(store_.get(), policy,
                {.session_id = id,
                 .admission_rule = "r",
                 .policy_digest = kKeptDigest,
                 .experiment = "e",
                 .purpose = "p",
                 .client_address = "198.51.100.78"},
                records);
  }

  // Deadlines, then retention: deleted and held.
  std::pair<int64_t, int64_t> Run(const RetentionTerms& terms = {.policy_digest = kKeptDigest}) {
    EXPECT_TRUE(store_->RunDeadlines().ok());
    const auto run = store_->RunRetention(terms);
    EXPECT_TRUE(run.ok()) << run.status();
    return run.ok() ? std::pair(run->deleted, run->held) : std::pair<int64_t, int64_t>(-1, -1);
  }
  bool Has(const std::string& record_id) { return store_->FindRecord(record_id).ok(); }

  // What a destination asks for, and what it gets.
  std::vector<PendingDelivery> Pull(const std::string& destination, bool may_go = true,
                                    const std::string& digest = kKeptDigest) {
    const auto pulled =
        store_->PullDeliveries({.destination = destination,
                                .terms = absl::StrCat("archive publication ", digest),
                                .limit = 100},
                               [&](const StoredRecord&) { return may_go; });
    EXPECT_TRUE(pulled.ok()) << pulled.status();
    EXPECT_TRUE(store_->Flush().ok());  // How far it is.
    return pulled->items;
  }
  void Deliver(const std::string& destination, const PendingDelivery& item, bool refused = false) {
    ASSERT_TRUE(store_
                    ->SettleDeliveries(destination,
                                       {{.record_id = item.stored.standing.record_id,
                                         .version = item.version,
                                         .tombstone = item.tombstone,
                                         .refused = refused,
                                         .reason = refused ? "no" : ""}},
                                       "d")
                    .ok());
  }
  void DeliverForGood(const std::string& destination, const PendingDelivery& item,
                      bool refused = false) {
    Deliver(destination, item, refused);
    Pass(kHourToComplainNs);
  }

  std::vector<std::string> Audited(const std::string& event) {
    std::vector<std::string> details;
    const auto rows = store_->ListAudit({.limit = 1000, .event = event});
    for (const AuditRow& row : *rows) details.insert(details.begin(), row.detail);
    return details;
  }

  using Counts = std::pair<int64_t, int64_t>;

  const TempDir dir_;
  const std::string path_ = dir_.File("weir.db");
  ClockReading clocks_{.wall_ns = 1'800'000'000 * kKeptSecondNs,
                       .boot_ns = 50 * kKeptSecondNs,
                       .boot_id = "a",
                       .synchronised = true};
  std::unique_ptr<Store> store_;
};

TEST_F(RetentionTest, ARecordGoesWhenItsDaysAreOverAndNotBefore) {
  Keep("s", kSixDays);
  Keep("t", "address: 'full' release_class: 'public'");  // For good.
  Pass(6 * kKeptDayNs - 1);
  EXPECT_EQ(Run(), Counts(0, 0));
  EXPECT_EQ(store_->RecordCount(), 2u);
  Pass(1);
  EXPECT_EQ(Run(), Counts(1, 0));
  EXPECT_FALSE(Has("s-down"));
  EXPECT_EQ(store_->RecordCount(), 1u);
  EXPECT_EQ(Audited("record_deleted"), std::vector<std::string>{"s-down: keep_days 6 over"});
  EXPECT_TRUE(store_->VerifyAudit({})->intact);
  Pass(1000 * kKeptDayNs);
  EXPECT_EQ(Run(), Counts(0, 0));
  EXPECT_TRUE(Has("t-down"));
}

TEST_F(RetentionTest, DaysCountFromTheRelease) {
  Keep("s", absl::StrCat(kSixDays, " embargo_days: 30"));
  Keep("o", "address: 'full' release_class: 'operator_only' keep_days: 6");
  Pass(6 * kKeptDayNs);
  EXPECT_EQ(Run(), Counts(1, 0));
  EXPECT_FALSE(Has("o-down"));
  Pass(24 * kKeptDayNs);
  EXPECT_EQ(Run(), Counts(0, 0));  // Released just now.
  Pass(6 * kKeptDayNs - 1);
  EXPECT_EQ(Run(), Counts(0, 0));
  Pass(1);
  EXPECT_EQ(Run(), Counts(1, 0));
}

TEST_F(RetentionTest, AClockThatJumpsDeletesNothingEarlyAndLosesNothing) {
  Keep("s", kSixDays);
  clocks_.wall_ns += 400 * kKeptDayNs;
  EXPECT_EQ(Run(), Counts(0, 0));
  Open();  // Nor over a restart of the process.
  EXPECT_EQ(Run(), Counts(0, 0));
  clocks_.wall_ns -= 800 * kKeptDayNs;
  Pass(6 * kKeptDayNs);
  EXPECT_EQ(Run(), Counts(1, 0));
}

TEST_F(RetentionTest, NothingGoesBeforeEveryDestinationHasIt) {
  Keep("s", kSixDays);
  Keep("t", kSixDays);
  const auto near = Pull("near");
  Pull("far");  // Gets nothing done.
  ASSERT_EQ(near.size(), 2u);
  DeliverForGood("near", near[0]);
  Pass(6 * kKeptDayNs);
  EXPECT_EQ(Run(), Counts(0, 2));
  DeliverForGood("far", Pull("far")[0]);
  EXPECT_EQ(Run(), Counts(1, 1));
  EXPECT_FALSE(Has("s-down"));
  // What a destination will never take keeps nothing waiting.
  DeliverForGood("near", near[1], /*refused=*/true);
  EXPECT_EQ(Run(), Counts(0, 1));
  ASSERT_EQ(Pull("far").size(), 1u);
  DeliverForGood("far", Pull("far")[0], /*refused=*/true);
  EXPECT_EQ(Run(), Counts(1, 0));
}

TEST_F(RetentionTest, ADestinationHasAnHourToSayThatItLostARecord) {
  Keep("s", kSixDays);
  const auto items = Pull("near");
  Pass(6 * kKeptDayNs);
  EXPECT_EQ(Run(), Counts(0, 1));
  Deliver("near", items[0]);
  EXPECT_TRUE(Pull("near").empty());
  clocks_.wall_ns += 400 * kKeptDayNs;
  Pass(kHourToComplainNs - 1);
  EXPECT_EQ(Run(), Counts(0, 1));
  ASSERT_EQ(*store_->ReopenDeliveries("near", {{.record_id = "s-down"}}, Reopening::kLost, "d"), 1);
  Pass(kHourToComplainNs);
  EXPECT_EQ(Run(), Counts(0, 1));
  Deliver("near", Pull("near")[0]);
  Pass(kHourToComplainNs);
  EXPECT_EQ(Run(), Counts(1, 0));
}

TEST_F(RetentionTest, WhatADestinationMayNotHaveDoesNotWaitForIt) {
  Keep("s", kSixDays);
  EXPECT_TRUE(Pull("near", /*may_go=*/false).empty());
  Pass(6 * kKeptDayNs);
  EXPECT_EQ(Run(), Counts(1, 0));
}

TEST_F(RetentionTest, UnderAnotherPolicyADestinationLooksAgainFirst) {
  Keep("s", kSixDays);
  EXPECT_TRUE(Pull("near", /*may_go=*/false).empty());
  Pass(6 * kKeptDayNs);
  EXPECT_EQ(Run({.policy_digest = "sha256:new"}), Counts(0, 1));
  const auto items = Pull("near", /*may_go=*/true, "sha256:new");
  ASSERT_EQ(items.size(), 1u);
  EXPECT_EQ(Run({.policy_digest = "sha256:new"}), Counts(0, 1));
  DeliverForGood("near", items[0]);
  EXPECT_EQ(Run({.policy_digest = "sha256:new"}), Counts(1, 0));
}

TEST_F(RetentionTest, AnErasureIsToldBeforeItsRecordGoes) {
  Keep("s", kSixDays);
  DeliverForGood("near", Pull("near")[0]);
  ASSERT_TRUE(store_->AnonymiseRecord("s", "asked").ok());
  Pass(6 * kKeptDayNs);
  EXPECT_EQ(Run(), Counts(0, 1));
  const auto items = Pull("near");
  ASSERT_EQ(items.size(), 1u);
  ASSERT_TRUE(items[0].tombstone);
  DeliverForGood("near", items[0]);
  EXPECT_EQ(Run(), Counts(1, 0));
}

TEST_F(RetentionTest, ARecipientThatNeverCameIsWaitedFor) {
  Keep("s", kSixDays);
  Keep("o", "address: 'full' release_class: 'operator_only' keep_days: 6");
  Pass(6 * kKeptDayNs);
  const RetentionTerms terms{.public_recipients = {"archive"}, .policy_digest = kKeptDigest};
  EXPECT_EQ(Run(terms), Counts(1, 1));  // The one of class operator_only is not for it.
  EXPECT_FALSE(Has("o-down"));
  // "arch" is not "archive".
  EXPECT_EQ(Run({.public_recipients = {"arch"}, .policy_digest = kKeptDigest}), Counts(0, 1));
  DeliverForGood("near", Pull("near")[0]);
  EXPECT_EQ(Run(terms), Counts(1, 0));
}

TEST_F(RetentionTest, AForgottenDestinationHoldsNothingBack) {
  Keep("s", kSixDays);
  Pull("gone");
  Pass(6 * kKeptDayNs);
  EXPECT_EQ(Run(), Counts(0, 1));
  EXPECT_TRUE(absl::IsNotFound(store_->ForgetDestination("other")));
  ASSERT_TRUE(store_->ForgetDestination("gone").ok());
  EXPECT_EQ(Run(), Counts(1, 0));
  EXPECT_EQ(Audited("destination_forgotten"), std::vector<std::string>{"gone"});
}

TEST_F(RetentionTest, ASessionGoesWithItsLastRecord) {
  Keep("s", absl::StrCat(kSixDays, " embargo_days: 1"), /*both=*/true);
  ASSERT_TRUE(store_->ReleaseRecord("s-down", "early").ok());
  Pass(6 * kKeptDayNs);
  EXPECT_EQ(Run(), Counts(1, 0));
  EXPECT_EQ(store_->ListFinished(10)->size(), 1u);
  Pass(6 * kKeptDayNs);
  EXPECT_EQ(Run(), Counts(1, 0));
  EXPECT_TRUE(store_->ListFinished(10)->empty());
}

TEST_F(RetentionTest, AFullStoreFreesItself) {
  constexpr uint64_t kMark = 3'000'000;
  Open(kMark);
  int kept = 0;
  for (; !store_->Full(); ++kept) Keep(absl::StrCat("s", 1000 + kept), kSixDays, false, 8'000);
  EXPECT_TRUE(absl::IsResourceExhausted(store_->Health()));
  Pass(6 * kKeptDayNs);
  EXPECT_EQ(Run(), Counts(kept, 0));
  EXPECT_FALSE(store_->Full());
  EXPECT_LT(store_->SizeBytes(), kMark / 4);
  // The disk has it back as well.
  EXPECT_LT(std::filesystem::file_size(path_), kMark / 4);
  Keep("again", kSixDays);
}

TEST_F(RetentionTest, TheKeeperDeletesAndSaysWhatWaits) {
  Keep("s", kSixDays);
  Keep("t", kSixDays);
  DeliverForGood("near", Pull("near")[0]);
  Pass(6 * kKeptDayNs);
  std::atomic<int64_t> held = -1;
  const ReleaseKeeper keeper(
      store_.get(), {.interval = std::chrono::milliseconds(5),
                     .retention = [] { return RetentionTerms{.policy_digest = kKeptDigest}; },
                     .held = [&](int64_t records) { held = records; }});
  while (held != 1) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_FALSE(Has("s-down"));
  EXPECT_TRUE(Has("t-down"));
}

TEST(RetentionPolicy, SaysWhatIsWrong) {
  const auto parse = [](const std::string& rule) {
    return Policy::Parse("p", absl::StrCat("profile: 'lab' admission { name: 'r' effect: ALLOW } "
                                           "export { name: 'x' effect: ALLOW address: 'full' "
                                           "release_class: 'public' ",
                                           rule, " }"))
        .status();
  };
  EXPECT_TRUE(parse("keep_days: 30").ok());
  EXPECT_NE(parse("keep_days: 40000").message().find("keep_days: at most"), std::string::npos);
  EXPECT_NE(parse("keep_days: 3 anonymise_days: 9").message().find("anonymise_days"),
            std::string::npos);
}

TEST(RetentionPolicy, OfAStackTheShortestTimeHolds) {
  const auto layer = [](const char* rule) {
    return *PolicyLayer::Parse(
        "p", absl::StrCat("profile: 'lab' admission { name: 'r' effect: ALLOW } export { name: 'x' "
                          "effect: ALLOW address: 'full' release_class: 'public' ",
                          rule, " }"));
  };
  const auto policy = Policy::Stack({layer(""), layer("keep_days: 90"), layer("keep_days: 30")});
  EXPECT_EQ(policy->MatchExport("e", "r+r+r").keep_days, 30u);
}

}  // namespace
}  // namespace weir::control

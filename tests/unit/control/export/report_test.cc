// Public aggregates: what is counted, what is folded, and what no report may tell.
#include "control/export/report.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "control/export/export_policy.h"
#include "tests/unit/control/config/temp_dir.h"
#include "tests/unit/control/store/keep_session.h"

namespace weir::control {
namespace {

namespace ms = measurement::v1;

constexpr int64_t kReportSecondNs = 1'000'000'000;
constexpr int64_t kTestedAt = 1'790'000'400;  // 2026-09-21T14:20:00Z, a Monday.
constexpr int64_t kReportedAt = (kTestedAt + 7'200) * kReportSecondNs;

constexpr char kReportPolicy[] = R"(
  profile: "lab"
  admission { name: "r" effect: ALLOW }
  export { name: "bench" effect: ALLOW match { experiment: "bench" } address: "full" release_class: "operator_only" }
  export { name: "later" effect: ALLOW match { experiment: "later" } address: "full" release_class: "public" embargo_days: 9 }
  export { name: "nobody" effect: ALLOW match { experiment: "nobody" } address: "none" release_class: "public" }
  export { name: "now" effect: ALLOW address: "full" release_class: "public" } )";

class ReportTest : public testing::Test {
 protected:
  // A test of the given client; `edit` makes of the result what the test is about.
  template <typename Edit>
  void Keep(const std::string& client, Edit edit, const std::string& experiment = "open",
            int64_t at_unix_s = kTestedAt) {
    const std::string id = absl::StrCat("s", 1000 + next_++);
    record::v1::Record record = CompletedRecord(id);
    record.mutable_negotiated_at()->set_seconds(at_unix_s);
    record.mutable_result()->set_limit(record::v1::LIMIT_PATH);
    record.mutable_result()->set_received(90);
    record.mutable_result()->set_lost(10);
    edit(&record);
    KeepSession(store_.get(), ExportPolicy(policy_),
                {.session_id = id,
                 .admission_rule = "r",
                 .policy_digest = "sha256:abc",
                 .experiment = experiment,
                 .purpose = "p",
                 .client_address = client},
                {record});
  }
  void KeepRate(const std::string& client, double bps, const std::string& experiment = "open",
                int64_t at_unix_s = kTestedAt) {
    Keep(
        client, [&](auto* record) { record->mutable_result()->set_achieved_ip_bps(bps); },
        experiment, at_unix_s);
  }

  ms::PublicReport Make(const ms::PublicReportRequest& request = {}) {
    auto report = MakeReport(request, *policy_, asn_tables_, kReportedAt, store_.get());
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? *report : ms::PublicReport();
  }
  static const ms::ReportTable& Table(const ms::PublicReport& report, ms::ReportDimension by) {
    for (const ms::ReportTable& table : report.tables()) {
      if (table.by() == by) return table;
    }
    static const ms::ReportTable none;
    return none;
  }

  const TempDir dir_;
  std::shared_ptr<const Policy> policy_ = *Policy::Parse("p", kReportPolicy);
  const std::unique_ptr<Store> store_ = *Store::Open({.path = dir_.File("weir.db")});
  std::vector<std::string> asn_tables_;
  int next_ = 0;
};

TEST_F(ReportTest, PercentilesAreOfTheNearestRank) {
  for (int i = 1; i <= 40; ++i) KeepRate(absl::StrCat("198.51.100.", i), i * 1e6);
  const ms::PublicReport report = Make();
  EXPECT_EQ(report.records(), 40u);
  EXPECT_EQ(report.min_clients(), 5u);
  const ms::ReportTable& table = Table(report, ms::TIME);
  ASSERT_EQ(table.groups_size(), 1);
  EXPECT_EQ(table.groups(0).name(), "2026-09-21T00:00:00Z");
  EXPECT_EQ(table.groups(0).direction(), record::v1::DOWN);
  const ms::Distribution& rate = table.groups(0).rate_bps();
  EXPECT_EQ(rate.values(), 40u);
  EXPECT_EQ(rate.p50(), 20e6);
  EXPECT_EQ(rate.p5(), 2e6);
  EXPECT_EQ(rate.p95(), 38e6);
  EXPECT_EQ(table.groups(0).loss_ratio().p50(), 0.1);
  ASSERT_EQ(Table(report, ms::PREFIX).groups_size(), 1);
  EXPECT_EQ(Table(report, ms::PREFIX).groups(0).name(), "198.51.100.0/24");
}

TEST_F(ReportTest, FewClientsAreFoldedHoweverOftenTheyTest) {
  for (int i = 0; i < 30; ++i) KeepRate("203.0.113.7", 7e6);  // One person, many tests.
  for (int i = 1; i <= 4; ++i) KeepRate(absl::StrCat("192.0.2.", i), 3e6);
  for (int i = 1; i <= 5; ++i) KeepRate(absl::StrCat("2001:db8:1::", i), 5e6);
  const ms::PublicReport report = Make();
  const ms::ReportTable& table = Table(report, ms::PREFIX);
  ASSERT_EQ(table.groups_size(), 2);
  EXPECT_EQ(table.groups(0).name(), "2001:db8:1::/48");
  EXPECT_EQ(table.groups(0).records(), 5u);
  EXPECT_EQ(table.groups(0).rate_bps().p50(), 5e6);
  // The extremes would be one person's.
  EXPECT_FALSE(table.groups(0).rate_bps().has_p5());
  EXPECT_FALSE(table.groups(0).rate_bps().has_p95());
  EXPECT_EQ(table.groups(1).kind(), ms::ReportGroup::OTHER);
  EXPECT_EQ(table.groups(1).records(), 34u);
  EXPECT_TRUE(table.groups(1).rate_bps().has_p50());  // Five clients together.
}

TEST_F(ReportTest, OthersWhoAreFewAreCountedAndNothingMore) {
  for (int i = 1; i <= 4; ++i) KeepRate(absl::StrCat("192.0.2.", i), 3e6);
  const ms::PublicReport report = Make();
  for (const ms::ReportTable& table : report.tables()) {
    ASSERT_EQ(table.groups_size(), 1);
    EXPECT_EQ(table.groups(0).records(), 4u);
    EXPECT_EQ(table.groups(0).rate_bps().values(), 4u);
    EXPECT_FALSE(table.groups(0).rate_bps().has_p50());
    EXPECT_FALSE(table.groups(0).loss_ratio().has_p50());
  }
}

TEST_F(ReportTest, AValueOfFewClientsIsNotToldInALargeGroup) {
  for (int i = 1; i <= 9; ++i) {
    Keep(absl::StrCat("192.0.2.", i), [&](record::v1::Record* record) {
      record::v1::Delay* delay = record->mutable_result()->mutable_one_way_delay();
      delay->set_samples(i == 9 ? 0 : 10);
      delay->set_clocks_synchronised(i <= 2);
      delay->set_min_ns(1'000);
      delay->set_p50_ns(2'000);
      delay->set_p99_ns(4'000);
    });
  }
  const ms::ReportGroup group = Table(Make(), ms::PREFIX).groups(0);
  EXPECT_EQ(group.delay_ns().values(), 2u);
  EXPECT_EQ(group.delay_ns().without(), 7u);
  EXPECT_FALSE(group.delay_ns().has_p50());
  EXPECT_EQ(group.delay_variation_ns().values(), 8u);
  EXPECT_EQ(group.delay_variation_ns().without(), 1u);
  EXPECT_EQ(group.delay_variation_ns().p50(), 3'000);
}

TEST_F(ReportTest, OnlyWhatIsReleasedCounts) {
  for (int i = 1; i <= 6; ++i) {
    KeepRate(absl::StrCat("192.0.2.", i), 1e6);
    KeepRate(absl::StrCat("192.0.2.", i), 2e6, "later");
    KeepRate(absl::StrCat("192.0.2.", i), 3e6, "bench");
  }
  EXPECT_EQ(Make().records(), 6u);
  ASSERT_TRUE(store_->ReleaseRecord("s1001", "").ok());
  EXPECT_EQ(Make().records(), 7u);
  ms::PublicReportRequest request;
  request.set_experiment("later");
  EXPECT_EQ(Make(request).records(), 1u);
  request.set_experiment("bench");
  EXPECT_EQ(Make(request).records(), 0u);
}

TEST_F(ReportTest, WhatATableCannotPlaceIsCountedAsUnknown) {
  for (int i = 1; i <= 5; ++i) KeepRate(absl::StrCat("192.0.2.", i), 1e6);
  for (int i = 1; i <= 7; ++i) KeepRate(absl::StrCat("192.0.2.", i), 9e6, "nobody");
  const ms::ReportTable table = Table(Make(), ms::PREFIX);
  ASSERT_EQ(table.groups_size(), 2);
  EXPECT_EQ(table.groups(1).kind(), ms::ReportGroup::UNKNOWN);
  EXPECT_EQ(table.groups(1).records(), 7u);
  // They may all be one person's.
  EXPECT_FALSE(table.groups(1).rate_bps().has_p50());
}

TEST_F(ReportTest, AbortedTestsAndWhatThePolicyWithholdsAreCounted) {
  for (int i = 1; i <= 5; ++i) KeepRate(absl::StrCat("192.0.2.", i), 1e6);
  Keep("192.0.2.9", [](auto* record) { record->set_outcome(record::v1::ABORTED); });
  EXPECT_EQ(Make().aborted(), 1u);
  EXPECT_EQ(Table(Make(), ms::PREFIX).groups(0).records(), 5u);
  policy_ = *Policy::Parse(
      "p", absl::StrCat(kReportPolicy,
                        "disclosure { name: 'd' role: 'researcher' state: 'released' "
                        "field: 'outline' field: 'measurement' }"));
  EXPECT_EQ(Make().withheld(), 6u);
  EXPECT_EQ(Table(Make(), ms::PREFIX).groups_size(), 0);
}

TEST_F(ReportTest, ThePolicySaysHowManyClientsAreEnough) {
  for (int i = 1; i <= 5; ++i) KeepRate(absl::StrCat("192.0.2.", i), 1e6);
  EXPECT_EQ(Table(Make(), ms::PREFIX).groups(0).kind(), ms::ReportGroup::NAMED);
  policy_ = *Policy::Parse("p", absl::StrCat(kReportPolicy, "report_min_clients: 6"));
  EXPECT_EQ(Make().min_clients(), 6u);
  EXPECT_EQ(Table(Make(), ms::PREFIX).groups(0).kind(), ms::ReportGroup::OTHER);
}

TEST_F(ReportTest, TimeIsTakenToWholeHours) {
  for (int i = 1; i <= 5; ++i) KeepRate(absl::StrCat("192.0.2.", i), 1e6);
  for (int i = 1; i <= 5; ++i) KeepRate(absl::StrCat("192.0.2.", i), 1e6, "open", kTestedAt - 3600);
  ms::PublicReportRequest request;
  // One second around one test: still the whole hour of it.
  request.set_since_unix_ns(kTestedAt * kReportSecondNs);
  request.set_until_unix_ns((kTestedAt + 1) * kReportSecondNs);
  const ms::PublicReport report = Make(request);
  EXPECT_EQ(report.since(), "2026-09-21T14:00:00Z");
  EXPECT_EQ(report.until(), "2026-09-21T15:00:00Z");
  EXPECT_EQ(report.records(), 5u);
  EXPECT_EQ(Table(report, ms::TIME).groups(0).name(), "2026-09-21T14:00:00Z");
  request.set_since_unix_ns(1);
  EXPECT_EQ(Table(Make(request), ms::TIME).groups(0).name(), "2026-09-21T00:00:00Z");
  request.set_since_unix_ns(kReportedAt);
  EXPECT_TRUE(absl::IsInvalidArgument(
      MakeReport(request, *policy_, {}, kReportedAt, store_.get()).status()));
}

TEST_F(ReportTest, AutonomousSystemsAreWhoseTheLongestPrefixIs) {
  asn_tables_ = {dir_.Write("asn", "192.0.0.0\t16\t64500\n192.0.3.0\t24\t64501_64502\n")};
  for (int i = 1; i <= 6; ++i) KeepRate(absl::StrCat("192.0.2.", i), 1e6);
  for (int i = 1; i <= 5; ++i) KeepRate(absl::StrCat("192.0.3.", i), 1e6);
  const ms::PublicReport report = Make();
  EXPECT_TRUE(report.asn_known());
  EXPECT_EQ(Table(report, ms::ASN).groups(0).name(), "AS64500");
  EXPECT_EQ(Table(report, ms::ASN).groups(1).name(), "AS64501_64502");

  dir_.Write("asn", "192.0.2.0 24\n");
  const auto broken = MakeReport({}, *policy_, asn_tables_, kReportedAt, store_.get()).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(broken));
  EXPECT_NE(broken.message().find(asn_tables_[0] + ":1: "), std::string::npos) << broken;
}

}  // namespace
}  // namespace weir::control

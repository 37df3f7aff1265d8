// What was and is used decides what may be used: quotas of every scope.
#include <gtest/gtest.h>

#include <tuple>

#include "control/admission/admission.h"
#include "control/admission/egress_meter.h"

namespace weir::control {
namespace {

using measurement::v1::Rejection;

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kHour = 3600 * kSecond;
constexpr int64_t kNoon = 20'000 * 24 * kHour + 12 * kHour;

class QuotaTest : public testing::Test {
 protected:
  // An ALLOW for everybody with these quotas, beside one for "other" experiments without.
  void Use(const std::string& quotas) {
    auto policy = Policy::Parse("p", "profile: \"lab\"\nadmission { name: \"rule\" effect: ALLOW " +
                                         quotas + " }\n" + kExport);
    ASSERT_TRUE(policy.ok()) << policy.status();
    admission_ = std::make_unique<Admission>(
        Admission::Options{.operator_name = "o",
                           .contact = "c",
                           .unix_ns = [this] { return unix_ns_; },
                           .steady_ns = [this] { return steady_ns_; },
                           .exponential = [this] { return exponential_; }},
        *policy);
    admission_->SetPorts({{.name = "p", .budget_bps = 10'000'000'000, .mtu = 1500}});
  }
  void Advance(int64_t ns) {
    unix_ns_ += ns;
    steady_ns_ += ns;
  }
  AdmissionDecision Decide(const std::string& client = "192.0.2.1", uint64_t rate_bps = 100'000'000,
                           uint64_t seconds = 10,
                           record::v1::Direction direction = record::v1::DOWN) {
    AdmissionRequest request;
    request.identity = identity_;
    request.experiment = experiment_;
    request.peer_addresses = {client};
    request.port = "p";
    auto& one = request.directions.emplace_back();
    one.set_direction(direction);
    auto* parameters = one.mutable_parameters();
    parameters->set_rate_bps(rate_bps);
    parameters->set_duration_ns(seconds * kSecond);
    parameters->set_streams(1);
    parameters->set_ip_version(client.find(':') == std::string::npos ? 4 : 6);
    parameters->add_payload()->set_udp_payload_bytes(1000);
    parameters->mutable_payload(0)->set_weight(1);
    return admission_->Decide(request);
  }
  // Admitted, run and ended: having moved so much.
  bool Run(const std::string& client = "192.0.2.1", uint64_t moved = 0) {
    AdmissionDecision decision = Decide(client);
    auto* grant = std::get_if<AdmissionGrant>(&decision);
    if (grant == nullptr) return false;
    grant->reservation.Commit();
    grant->reservation.Settle(moved);
    return true;
  }
  static std::string Field(const AdmissionDecision& decision) {
    const auto* rejection = std::get_if<Rejection>(&decision);
    return rejection == nullptr ? "granted" : rejection->stage() + "/" + rejection->field();
  }
  static std::string Message(const AdmissionDecision& decision) {
    const auto* rejection = std::get_if<Rejection>(&decision);
    return rejection == nullptr ? "" : rejection->message();
  }
  static uint64_t Rate(const AdmissionDecision& decision) {
    const auto* grant = std::get_if<AdmissionGrant>(&decision);
    return grant == nullptr ? 0 : grant->directions[0].parameters().rate_bps();
  }

  static constexpr char kExport[] =
      "export { name: \"all\" effect: ALLOW address: \"none\" release_class: \"public\" }";
  int64_t unix_ns_ = kNoon;
  int64_t steady_ns_ = 1000 * kSecond;
  double exponential_ = 1;
  std::string identity_ = "anonymous";
  std::string experiment_ = "e";
  std::unique_ptr<Admission> admission_;
};

TEST_F(QuotaTest, ConcurrentSessionsOfANetwork) {
  Use("quota { scope: PREFIX concurrent_sessions: 2 }");
  AdmissionDecision first = Decide("192.0.2.1"), second = Decide("192.0.2.200");
  const AdmissionDecision third = Decide("192.0.2.3");
  EXPECT_EQ(Field(third), "limit/quota.prefix.concurrent_sessions");
  EXPECT_NE(Message(third).find("your network"), std::string::npos);
  EXPECT_EQ(Field(Decide("192.0.3.1")), "granted") << "another /24";
  first = AdmissionDecision();  // However it ends, the reservation is released.
  EXPECT_EQ(Field(Decide("192.0.2.3")), "granted");

  const AdmissionDecision a = Decide("2001:db8::1"), b = Decide("2001:db8::2:1");
  EXPECT_EQ(Field(Decide("2001:db8::3")), "limit/quota.prefix.concurrent_sessions");
  EXPECT_EQ(Field(Decide("2001:db8:0:1::1")), "granted") << "another /64";
}

TEST_F(QuotaTest, EachScopeCountsItsOwn) {
  for (const auto& [scope, identity, experiment] :
       {std::tuple("IDENTITY", "certificate:b", "e"),
        std::tuple("EXPERIMENT", "certificate:a", "f")}) {
    identity_ = "certificate:a";
    experiment_ = "e";
    Use(std::string("quota { scope: ") + scope + " concurrent_sessions: 1 }");
    const AdmissionDecision first = Decide("192.0.2.1");
    EXPECT_NE(Field(Decide("198.51.100.1")), "granted") << scope;
    identity_ = identity;
    experiment_ = experiment;
    EXPECT_EQ(Field(Decide("198.51.100.1")), "granted") << scope;
  }
  Use("quota { scope: LINK concurrent_sessions: 1 }");
  const AdmissionDecision first = Decide("192.0.2.1");
  EXPECT_EQ(Field(Decide("198.51.100.1")), "limit/quota.link.concurrent_sessions");
}

TEST_F(QuotaTest, TestsADayBeginAnewAtMidnight) {
  Use("quota { scope: PREFIX tests_a_day: 3 }");
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Run());
  const AdmissionDecision refused = Decide();
  EXPECT_EQ(Field(refused), "limit/quota.prefix.tests_a_day");
  EXPECT_NE(Message(refused).find("try in 12.0 h"), std::string::npos) << Message(refused);
  EXPECT_TRUE(Run("198.51.100.1"));
  Advance(12 * kHour);
  EXPECT_TRUE(Run());
  // A clock that jumps back does not give a day twice.
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(Run());
  unix_ns_ -= 24 * kHour;
  EXPECT_FALSE(Run());
}

TEST_F(QuotaTest, ARefusedRequestCountsNothing) {
  Use("limit { duration_ms: 20000 } quota { scope: PREFIX tests_a_day: 1 }");
  for (int i = 0; i < 5; ++i) EXPECT_NE(Field(Decide("192.0.2.1", 1'000'000, 30)), "granted");
  EXPECT_EQ(admission_->TrackedUses(), 0u);
  EXPECT_TRUE(Run());
}

TEST_F(QuotaTest, ASessionThatNeverBeganIsNoTest) {
  Use("quota { scope: PREFIX tests_a_day: 1 random_times: true }");
  {
    const AdmissionDecision running = Decide();
    EXPECT_EQ(Field(Decide()), "limit/quota.prefix.tests_a_day") << "but counts while it may begin";
  }
  EXPECT_TRUE(Run());
  EXPECT_FALSE(Run());
}

TEST_F(QuotaTest, AutomatedTestsComeAtRandomTimes) {
  Use("quota { scope: PREFIX tests_a_day: 4 random_times: true }");
  exponential_ = 0.5;  // Of a mean of six hours.
  EXPECT_TRUE(Run());
  const AdmissionDecision soon = Decide();
  EXPECT_EQ(Field(soon), "limit/quota.prefix.random_times");
  EXPECT_NE(Message(soon).find("may begin in 3.0 h"), std::string::npos) << Message(soon);
  EXPECT_TRUE(Run("198.51.100.1")) << "another network has times of its own";
  Advance(3 * kHour - kSecond);
  EXPECT_FALSE(Run());
  Advance(kSecond);
  exponential_ = 100;  // Cut to 2.5 means.
  EXPECT_TRUE(Run());
  Advance(15 * kHour - kSecond);
  EXPECT_FALSE(Run());
  Advance(kSecond);
  exponential_ = 0;  // Cut to 0.1 means: never two at once.
  EXPECT_TRUE(Run());
  Advance(kHour / 2);
  EXPECT_FALSE(Run());
}

TEST_F(QuotaTest, BytesAreChargedAsSeenNotAsAsked) {
  Use("quota { scope: PREFIX bytes_a_day: 200000000 }");  // 100 Mbit/s for 16 s.
  {
    const AdmissionDecision running = Decide();  // May move 125 MB.
    const AdmissionDecision beside = Decide();
    EXPECT_EQ(Field(beside), "limit/quota.prefix.bytes_a_day");
    EXPECT_NE(Message(beside).find("75000000 of the 200000000"), std::string::npos)
        << Message(beside);
  }
  EXPECT_TRUE(Run("192.0.2.1", 75'000'000)) << "what was held and not moved is free again";
  EXPECT_TRUE(Run("192.0.2.2", 1'000'000));
  EXPECT_EQ(Field(Decide()), "limit/quota.prefix.bytes_a_day");
  EXPECT_EQ(Field(Decide("192.0.2.1", 90'000'000)), "granted");
  Advance(24 * kHour);
  EXPECT_EQ(Field(Decide()), "granted");
}

TEST_F(QuotaTest, RateIsReducedToWhatANetworkHasLeft) {
  Use("quota { scope: PREFIX rate_bps: 150000000 }");
  const AdmissionDecision first = Decide();
  EXPECT_EQ(Rate(first), 100'000'000u);
  const AdmissionDecision second = Decide("192.0.2.9");
  EXPECT_EQ(Rate(second), 50'000'000u);
  EXPECT_EQ(std::get<AdmissionGrant>(second).reduced_by, std::vector<std::string>{"rule"});
  EXPECT_EQ(Field(Decide()), "limit/quota.prefix.rate_bps");
  EXPECT_EQ(Rate(Decide("198.51.100.1")), 100'000'000u);
}

TEST_F(QuotaTest, TheLinkIsChargedWithWhatItSends) {
  Use("quota { scope: LINK average_bps: 100000000 }");  // 30 Gbit in 5 minutes.
  admission_->ObserveEgress("p", 0);
  Advance(kSecond);
  admission_->ObserveEgress("p", 3'500'000'000);  // 28 Gbit, whoever sent it.
  const AdmissionDecision reduced = Decide("192.0.2.1", 1'000'000'000);
  EXPECT_EQ(Rate(reduced), 200'000'000u) << "2 Gbit in 10 s are left";
  const AdmissionDecision full = Decide("198.51.100.1");
  EXPECT_EQ(Field(full), "limit/quota.link.average_bps");
  // What it receives is not charged.
  EXPECT_EQ(Rate(Decide("198.51.100.1", 1'000'000'000, 10, record::v1::UP)), 1'000'000'000u);
  Advance(310 * kSecond);
  EXPECT_EQ(Rate(Decide("198.51.100.1", 1'000'000'000)), 1'000'000'000u);
}

TEST_F(QuotaTest, WhatEarlierProcessesSawStillCounts) {
  Use("quota { scope: PREFIX tests_a_day: 2 bytes_a_day: 1000000000 }"
      "quota { scope: LINK average_bps: 100000000 }");
  AdmissionDecision decision = Decide();
  const UseCharge charge = std::get<AdmissionGrant>(decision).charges.at(0);
  decision = AdmissionDecision();
  Use("quota { scope: PREFIX tests_a_day: 2 bytes_a_day: 1000000000 }"
      "quota { scope: LINK average_bps: 100000000 }");
  admission_->RestoreUse(
      {{.key = charge.key, .day = charge.day, .tests = 1, .bytes = 900'000'000}});
  admission_->RestoreEgress("p", {{.age_ns = 290 * kSecond, .bytes = 3'000'000'000}}, 1'000);
  EXPECT_EQ(Field(Decide()), "limit/quota.prefix.bytes_a_day");
  // 6 Gbit are left of the link's window, less what left since the counter was last saved.
  admission_->ObserveEgress("p", 1'000 + 500'000'000);
  EXPECT_EQ(Rate(Decide("198.51.100.1", 1'000'000'000)), 200'000'000u);
  const AdmissionDecision second = Decide("192.0.2.1", 1'000'000, 1);
  EXPECT_EQ(Field(second), "granted");
  EXPECT_EQ(Field(Decide("192.0.2.1", 1'000'000, 1)), "limit/quota.prefix.tests_a_day");
}

TEST_F(QuotaTest, APolicyThatIsReloadedKeepsCounting) {
  const std::string quotas = "quota { scope: PREFIX tests_a_day: 2 }";
  Use(quotas);
  EXPECT_TRUE(Run());
  admission_->SetPolicy(*Policy::Parse("p",
                                       "profile: \"lab\"\nadmission { name: \"rule\" effect: "
                                       "ALLOW limit { streams: 1 } " +
                                           quotas + " }\n" + kExport));
  EXPECT_TRUE(Run());
  EXPECT_FALSE(Run());
}

TEST_F(QuotaTest, WhatNoLongerMattersIsForgotten) {
  Use("quota { scope: PREFIX tests_a_day: 4 random_times: true }");
  const AdmissionDecision running = Decide("192.0.2.1");
  EXPECT_TRUE(Run("198.51.100.1"));
  EXPECT_EQ(admission_->TrackedUses(), 2u);
  admission_->SweepUse();
  EXPECT_EQ(admission_->TrackedUses(), 2u);
  Advance(24 * kHour);
  admission_->SweepUse();
  EXPECT_EQ(admission_->TrackedUses(), 1u) << "what runs is never forgotten";
}

TEST_F(QuotaTest, ARefusalByAQuotaShowsWhatPassedBefore) {
  Use("quota { scope: PREFIX tests_a_day: 1 bytes_a_day: 1000000000000 }");
  EXPECT_TRUE(Run());
  const AdmissionDecision decision = Decide();
  const auto* rejection = std::get_if<Rejection>(&decision);
  ASSERT_NE(rejection, nullptr);
  std::vector<std::string> stages;
  for (const auto& step : rejection->trace().steps()) {
    if (stages.empty() || stages.back() != step.stage()) stages.push_back(step.stage());
  }
  EXPECT_EQ(stages,
            (std::vector<std::string>{"identify", "classify", "decide", "capacity", "limit"}));
  const auto& last = *rejection->trace().steps().rbegin();
  EXPECT_EQ(last.field() + " " + last.value() + " " + last.limit(),
            "quota.prefix.tests_a_day 1 today < 1");
}

TEST_F(QuotaTest, FaultsOfAQuota) {
  for (const auto& [quota, fault] :
       {std::pair("quota { tests_a_day: 1 }", "quota.scope: required"),
        std::pair("quota { scope: PREFIX random_times: true }",
                  "quota.random_times: needs tests_a_day"),
        std::pair("quota { scope: PREFIX average_bps: 5 }", "quota.average_bps: only a LINK"),
        std::pair("quota { scope: LINK } quota { scope: LINK }",
                  "quota.scope: LINK has a quota already")}) {
    const auto policy =
        Policy::Parse("p", std::string("profile: \"lab\"\nadmission { name: \"r\" effect: ALLOW ") +
                               quota + "}" + kExport);
    EXPECT_NE(policy.status().message().find(fault), std::string::npos) << policy.status();
  }
}

TEST(EgressMeterTest, AveragesOverFiveMinutes) {
  EgressMeter meter;
  EXPECT_EQ(meter.Observe(1'000, 0), std::nullopt);
  EXPECT_EQ(meter.BytesInWindow(0), 0u) << "what was sent before is not known";
  meter.Observe(1'500, kSecond);
  EXPECT_EQ(meter.BytesInWindow(kSecond), 500u);
  const auto ended = meter.Observe(1'600, 6 * kSecond);
  ASSERT_TRUE(ended.has_value());
  EXPECT_EQ(ended->bytes, 500u);
  EXPECT_EQ(ended->counter, 1'500u);
  EXPECT_EQ(ended->age_ns, 6 * kSecond);
  meter.Observe(40, 7 * kSecond);  // The dataplane began anew.
  EXPECT_EQ(meter.BytesInWindow(7 * kSecond), 640u);
  EXPECT_EQ(meter.BytesInWindow(304 * kSecond), 640u);
  EXPECT_EQ(meter.BytesInWindow(306 * kSecond), 140u);
  EXPECT_EQ(meter.BytesInWindow(700 * kSecond), 0u);
}

}  // namespace
}  // namespace weir::control

// Classes: what rules share, each limit checked up to the root of the tree.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "control/admission/admission.h"

namespace weir::control {
namespace {

constexpr uint64_t kMbps = 1'000'000;
constexpr char kTree[] = R"(
  profile: "lab"
  class { name: "site" quota { concurrent_sessions: 3 rate_bps: 900000000 bytes_a_day: 10000000000 } }
  class { name: "campus" parent: "site" quota { concurrent_sessions: 2 rate_bps: 600000000 } }
  class { name: "guests" parent: "site" quota { rate_bps: 500000000 tests_a_day: 2 } }
  admission { name: "staff" effect: ALLOW match { purpose: "staff" } class: "campus" }
  admission { name: "students" effect: ALLOW match { purpose: "students" } class: "campus" }
  admission { name: "guests" effect: ALLOW match { purpose: "guests" } class: "guests" }
  admission { name: "operators" effect: ALLOW match { purpose: "operators" } }
  export { name: "all" effect: ALLOW address: "none" release_class: "public" }
)";

class ClassTreeTest : public testing::Test {
 protected:
  ClassTreeTest() {
    admission_.SetPorts({{.name = "p", .budget_bps = 100'000 * kMbps, .mtu = 1500}});
  }

  AdmissionDecision Decide(const char* purpose, uint64_t rate_bps, uint64_t seconds = 1) {
    AdmissionRequest request;
    request.peer_addresses = {"192.0.2.1"};
    request.purpose = purpose;
    request.port = "p";
    auto& one = request.directions.emplace_back();
    one.set_direction(record::v1::DOWN);
    auto* parameters = one.mutable_parameters();
    parameters->set_rate_bps(rate_bps);
    parameters->set_duration_ns(seconds * 1'000'000'000);
    parameters->set_streams(1);
    parameters->set_ip_version(4);
    parameters->add_payload()->set_udp_payload_bytes(1000);
    parameters->mutable_payload(0)->set_weight(1);
    return admission_.Decide(request);
  }
  static std::string Outcome(const AdmissionDecision& decision) {
    if (const auto* rejection = std::get_if<measurement::v1::Rejection>(&decision)) {
      return absl::StrCat("refused ", rejection->stage(), " ", rejection->field());
    }
    return absl::StrCat(std::get<AdmissionGrant>(decision).directions[0].parameters().rate_bps() /
                        kMbps);
  }

  Admission admission_{{.operator_name = "o", .contact = "c"}, *Policy::Parse("p", kTree)};
};

TEST_F(ClassTreeTest, RatesAreReducedToWhatEachClassHasLeft) {
  const AdmissionDecision staff = Decide("staff", 400 * kMbps);
  EXPECT_EQ(Outcome(staff), "400");
  // Of the campus's 600.
  const AdmissionDecision students = Decide("students", 400 * kMbps);
  EXPECT_EQ(Outcome(students), "200");
  // The guests may have 500, the site has 300 left.
  const AdmissionDecision guests = Decide("guests", 450 * kMbps);
  EXPECT_EQ(Outcome(guests), "300");
  EXPECT_EQ(std::get<AdmissionGrant>(guests).reduced_by, std::vector<std::string>{"guests"});
  EXPECT_EQ(Outcome(Decide("operators", 2'000 * kMbps)), "2000") << "in no class";
}

TEST_F(ClassTreeTest, EachClassUpToTheRootCountsSessions) {
  std::vector<AdmissionDecision> running;
  running.push_back(Decide("staff", kMbps));
  running.push_back(Decide("students", kMbps));
  EXPECT_EQ(Outcome(Decide("staff", kMbps)), "refused limit class.campus.concurrent_sessions");
  running.push_back(Decide("guests", kMbps));
  EXPECT_EQ(Outcome(running.back()), "1");
  EXPECT_EQ(Outcome(Decide("guests", kMbps)), "refused limit class.site.concurrent_sessions");
  running.clear();
  EXPECT_EQ(Outcome(Decide("guests", kMbps)), "1") << "given back on the way out";
}

TEST_F(ClassTreeTest, WhatADayMayHaveIsTheClasses) {
  for (int i = 0; i < 2; ++i) {
    AdmissionDecision decision = Decide("guests", kMbps);
    std::get<AdmissionGrant>(decision).reservation.Commit();
  }
  EXPECT_EQ(Outcome(Decide("guests", kMbps)), "refused limit class.guests.tests_a_day");
  // 500 Mbit/s for 200 s are 12.5 GB.
  EXPECT_EQ(Outcome(Decide("staff", 500 * kMbps, 200)), "refused limit class.site.bytes_a_day");
}

TEST_F(ClassTreeTest, TheTraceShowsThePathAndWhatOthersUseIsNotTold) {
  AdmissionDecision decision = Decide("staff", kMbps);
  policy::v1::Trace trace = std::get<AdmissionGrant>(decision).trace.ToProto();
  WithoutSharedValues(&trace);
  std::vector<std::string> path;
  for (const auto& step : trace.steps()) {
    if (step.field().rfind("class.", 0) != 0) continue;
    path.push_back(step.field());
    EXPECT_TRUE(step.shared());
    EXPECT_EQ(step.value(), "");
  }
  EXPECT_EQ(path, (std::vector<std::string>{
                      "class.campus.concurrent_sessions", "class.site.concurrent_sessions",
                      "class.campus.rate_bps", "class.site.rate_bps", "class.site.bytes_a_day"}));
}

TEST_F(ClassTreeTest, AnExplanationNamesTheLimitsItCannotJudge) {
  AdmissionRequest request;
  request.explain = request.without_link = true;
  request.peer_addresses = {"192.0.2.1"};
  request.purpose = "staff";
  request.directions = {std::get<AdmissionGrant>(Decide("staff", kMbps)).directions[0]};
  const AdmissionDecision decision = admission_.Decide(request);
  std::vector<std::string> unjudged;
  const policy::v1::Trace trace = std::get<AdmissionGrant>(decision).trace.ToProto();
  for (const auto& step : trace.steps()) {
    if (step.verdict() == policy::v1::NOT_JUDGED) unjudged.push_back(step.field());
  }
  EXPECT_EQ(unjudged,
            (std::vector<std::string>{"class.campus.concurrent_sessions", "class.campus.rate_bps",
                                      "class.site.concurrent_sessions", "class.site.rate_bps",
                                      "class.site.bytes_a_day", "link"}));
}

TEST(ClassTest, FaultsOfATree) {
  for (const auto& [text, fault] :
       {std::pair("class { name: 'a' parent: 'b' quota { rate_bps: 1 } }"
                  "class { name: 'b' quota { rate_bps: 1 } }",
                  "class rule \"a\": parent: no class before this is named \"b\""),
        std::pair("class { name: 'a' }", "class rule \"a\": quota: required"),
        std::pair("class { name: 'a' quota { scope: LINK rate_bps: 1 } }",
                  "class rule \"a\": quota.scope: leave it out"),
        std::pair("class { name: 'a' quota { tests_a_day: 1 random_times: true } }",
                  "class rule \"a\": quota.random_times"),
        std::pair("class { name: 'a' quota { average_bps: 1 } }",
                  "class rule \"a\": quota.average_bps"),
        std::pair("admission { name: 'r' effect: ALLOW class: 'a' }",
                  "class: no class is named \"a\""),
        std::pair("class { name: 'a' quota { rate_bps: 1 } }"
                  "admission { name: 'r' effect: DENY class: 'a' }",
                  "class: only an ALLOW has one")}) {
    const auto policy = Policy::Parse("p", absl::StrCat("profile: 'lab' ", text));
    ASSERT_FALSE(policy.ok()) << text;
    EXPECT_NE(policy.status().message().find(fault), std::string::npos) << policy.status();
  }
}

}  // namespace
}  // namespace weir::control

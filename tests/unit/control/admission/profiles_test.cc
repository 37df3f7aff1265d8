// What the shipped profiles decide, by the sentence they decide it for. Each rule and limit of a
// profile is needed by one of these tests: tests/policy takes it out and sees that test fail.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "control/admission/admission.h"
#include "control/export/export_policy.h"
#include "tests/unit/control/admission/shipped_profiles.h"

namespace weir::control {
namespace {

constexpr uint64_t kMbps = 1'000'000;
constexpr int64_t kMinute = int64_t{60} * 1'000'000'000;

struct Ask {
  const char* client = "203.0.113.7";
  const char* experiment = "weir";
  const char* purpose = "";
  uint64_t rate_bps = 50 * kMbps;  // 0: max.
  uint64_t duration_ms = 1'000;
  uint32_t streams = 1;
  uint32_t payload = 1000;
  bool notice_accepted = true;
};

// A node under a profile, at midnight.
class ProfileNode {
 public:
  explicit ProfileNode(const char* profile) : policy_(ShippedProfile(profile)) {
    admission_.SetPorts({{.name = "p", .budget_bps = 100'000 * kMbps, .mtu = 9000}});
  }

  AdmissionDecision Decide(const Ask& ask) {
    AdmissionRequest request;
    request.peer_addresses = {ask.client};
    request.experiment = ask.experiment;
    request.purpose = ask.purpose;
    if (ask.notice_accepted) request.accepted_notice_digest = policy_->notice_digest();
    request.port = "p";
    auto& direction = request.directions.emplace_back();
    direction.set_direction(record::v1::DOWN);
    auto* parameters = direction.mutable_parameters();
    parameters->set_rate_bps(ask.rate_bps);
    parameters->set_rate_max(ask.rate_bps == 0);
    parameters->set_duration_ns(ask.duration_ms * 1'000'000);
    parameters->set_streams(ask.streams);
    parameters->set_ip_version(std::string(ask.client).find(':') == std::string::npos ? 4 : 6);
    parameters->add_payload()->set_udp_payload_bytes(ask.payload);
    parameters->mutable_payload(0)->set_weight(1);
    return admission_.Decide(request);
  }
  // "RULE RATE_BPS" or "refused STAGE/RULE FIELD".
  std::string Outcome(const Ask& ask) {
    const AdmissionDecision decision = Decide(ask);
    if (const auto* rejection = std::get_if<measurement::v1::Rejection>(&decision)) {
      return absl::StrCat("refused ", rejection->stage(), "/", rejection->rule(), " ",
                          rejection->field());
    }
    const auto& grant = std::get<AdmissionGrant>(decision);
    return absl::StrCat(grant.admission_rule, " ", grant.directions[0].parameters().rate_bps());
  }
  // Admitted, begun and ended. False: refused.
  bool Run(const Ask& ask) {
    AdmissionDecision decision = Decide(ask);
    auto* grant = std::get_if<AdmissionGrant>(&decision);
    if (grant != nullptr) grant->reservation.Commit();
    return grant != nullptr;
  }
  void Pass(int64_t ns) { now_ += ns; }
  // What random times are drawn from, instead of numbers with mean 1.
  void DrawGaps(double exponential) { exponential_ = exponential; }
  // What the port has sent in all.
  void Sent(uint64_t bytes) { admission_.ObserveEgress("p", bytes); }
  const Policy& policy() const { return *policy_; }

 private:
  const std::shared_ptr<const Policy> policy_;
  int64_t now_ = 20'000 * 24 * 60 * kMinute;
  double exponential_ = 1;
  Admission admission_{{.operator_name = "o",
                        .contact = "c",
                        .unix_ns = [this] { return now_; },
                        .steady_ns = [this] { return now_; },
                        .exponential = [this] { return exponential_; }},
                       policy_};
};

// An ALLOW rule of a public profile, and what it promises.
struct Promise {
  const char* profile;
  const char* rule;
  const char* purpose;
  uint64_t rate_bps;
  uint32_t sessions;
};
constexpr Promise kPromises[] = {
    {"seed-2009", "registered-experiments", "broadband-research", 1'000 * kMbps, 4},
    {"mlab-2026", "interactive", "interactive", 500 * kMbps, 1},
    {"mlab-2026", "automated", "automated", 100 * kMbps, 1}};

TEST(FoundingPageTest, OnlyRegisteredExperimentsWithAPurposeMayTest) {
  for (const Promise& promise : kPromises) {
    ProfileNode node(promise.profile);
    EXPECT_EQ(node.Outcome({.purpose = promise.purpose}),
              absl::StrCat(promise.rule, " ", 50 * kMbps));
    for (const Ask& ask : {Ask{.experiment = "unregistered", .purpose = promise.purpose},
                           Ask{.experiment = "", .purpose = promise.purpose},
                           Ask{.purpose = "curiosity"}, Ask{.purpose = ""}}) {
      EXPECT_EQ(node.Outcome(ask), "refused decide/default_deny ")
          << promise.rule << " " << ask.experiment << " " << ask.purpose;
    }
  }
}

TEST(FoundingPageTest, ServersDoNotTestServers) {
  for (const Promise& promise : kPromises) {
    ProfileNode node(promise.profile);
    for (const char* server : {"192.0.2.9", "2001:db8::9"}) {
      EXPECT_EQ(node.Outcome({.client = server, .purpose = promise.purpose})
                    .rfind("refused decide/no-s", 0),
                0u)
          << promise.rule << " " << server;
    }
  }
}

TEST(FoundingPageTest, NothingRunsBeforeTheNoticeIsAccepted) {
  for (const Promise& promise : kPromises) {
    ProfileNode node(promise.profile);
    EXPECT_NE(node.policy().notice(), "") << promise.profile;
    EXPECT_EQ(node.Outcome({.purpose = promise.purpose, .notice_accepted = false}),
              "refused identify/notice accepted_notice_digest")
        << promise.profile;
  }
}

TEST(FoundingPageTest, NobodyHasMoreThanAShareOfTheLink) {
  for (const Promise& promise : kPromises) {
    ProfileNode node(promise.profile);
    EXPECT_EQ(node.Outcome({.purpose = promise.purpose, .rate_bps = 9'000 * kMbps}),
              absl::StrCat(promise.rule, " ", promise.rate_bps));
    EXPECT_EQ(
        node.Outcome({.purpose = promise.purpose, .rate_bps = 0}),
        absl::StrCat("refused limit/", promise.rule, " directions[down].parameters.rate_max"));
  }
}

TEST(FoundingPageTest, ATestIsOneStreamOfUsualPacketsForTenSeconds) {
  for (const Promise& promise : kPromises) {
    ProfileNode node(promise.profile);
    const std::string refused =
        absl::StrCat("refused limit/", promise.rule, " directions[down].parameters.");
    EXPECT_EQ(node.Outcome({.purpose = promise.purpose, .duration_ms = 10'000, .payload = 1'472}),
              absl::StrCat(promise.rule, " ", 50 * kMbps));
    EXPECT_EQ(node.Outcome({.purpose = promise.purpose, .duration_ms = 10'001}),
              refused + "duration_ns");
    EXPECT_EQ(node.Outcome({.purpose = promise.purpose, .streams = 2}), refused + "streams");
    EXPECT_EQ(node.Outcome({.purpose = promise.purpose, .payload = 1'473}),
              refused + "payload.udp_payload_bytes");
  }
}

TEST(FoundingPageTest, FewTestsRunAtOnce) {
  for (const Promise& promise : kPromises) {
    ProfileNode node(promise.profile);
    std::vector<AdmissionDecision> running;
    for (uint32_t i = 0; i < promise.sessions; ++i) {
      running.push_back(node.Decide({.purpose = promise.purpose}));
      EXPECT_TRUE(std::holds_alternative<AdmissionGrant>(running.back())) << promise.rule << i;
    }
    EXPECT_EQ(node.Outcome({.purpose = promise.purpose}),
              absl::StrCat("refused limit/", promise.rule, " concurrent_sessions"));
  }
}

TEST(FoundingPageTest, WhatIsAdmittedIsPublishedWithItsAddress) {
  for (const Promise& promise : kPromises) {
    const ExportVerdict verdict =
        ShippedProfile(promise.profile)->MatchExport("weir", promise.rule);
    EXPECT_TRUE(verdict.allowed) << promise.rule;
    EXPECT_EQ(verdict.address, record::v1::ADDRESS_FULL) << promise.rule;
    EXPECT_EQ(verdict.release_class, record::v1::PUBLIC) << promise.rule;
    EXPECT_EQ(verdict.embargo_days, 0u) << promise.rule;
  }
}

TEST(FoundingPageTest, NoOtherRecordIsKept) {
  for (const Promise& promise : kPromises) {
    const auto policy = ShippedProfile(promise.profile);
    EXPECT_FALSE(policy->MatchExport("unregistered", promise.rule).allowed) << promise.rule;
    EXPECT_FALSE(policy->MatchExport("weir", "another").allowed) << promise.profile;
  }
}

TEST(FoundingPageTest, CopiesGoOnlyWhereThePolicySays) {
  for (const char* profile : {"seed-2009", "mlab-2026"}) {
    const auto policy = ShippedProfile(profile);
    const auto role = policy->RecipientRole("public-archive", "publication");
    EXPECT_TRUE(role.ok() && *role == "public") << profile;
    EXPECT_FALSE(policy->RecipientRole("public-archive", "marketing").ok()) << profile;
    EXPECT_FALSE(policy->RecipientRole("friend", "publication").ok()) << profile;
  }
}

TEST(MlabConventionsTest, FortyTestsADayForAPerson) {
  ProfileNode node("mlab-2026");
  const Ask ask{.purpose = "interactive"};
  for (int i = 0; i < 40; ++i) EXPECT_TRUE(node.Run(ask)) << i;
  EXPECT_EQ(node.Outcome(ask), "refused limit/interactive quota.prefix.tests_a_day");
  // Its network, not its address; and others are free to.
  EXPECT_FALSE(node.Run({.client = "203.0.113.8", .purpose = "interactive"}));
  EXPECT_TRUE(node.Run({.client = "198.51.100.8", .purpose = "interactive"}));
}

TEST(MlabConventionsTest, FourAutomatedTestsADay) {
  ProfileNode node("mlab-2026");
  node.DrawGaps(0);  // Cut to a tenth of the mean, 36 minutes.
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(node.Run({.purpose = "automated"})) << i;
    node.Pass(40 * kMinute);
  }
  EXPECT_EQ(node.Outcome({.purpose = "automated"}),
            "refused limit/automated quota.prefix.tests_a_day");
}

TEST(MlabConventionsTest, AutomatedTestsComeAtRandomTimes) {
  ProfileNode node("mlab-2026");
  const Ask ask{.purpose = "automated"};
  EXPECT_TRUE(node.Run(ask));
  for (const int64_t minutes : {0, 359}) {  // The mean of the gaps is six hours.
    node.Pass(minutes * kMinute);
    EXPECT_EQ(node.Outcome(ask), "refused limit/automated quota.prefix.random_times") << minutes;
  }
  node.Pass(2 * kMinute);
  EXPECT_TRUE(node.Run(ask));
}

TEST(MlabConventionsTest, ANodeSendsOneHundredMegabitOnAverage) {
  for (const char* purpose : {"interactive", "automated"}) {
    ProfileNode node("mlab-2026");
    node.Sent(0);
    // 90 Mbit/s over five minutes: what is left of them for ten seconds is 300 Mbit/s.
    node.Sent(uint64_t{90} * kMbps / 8 * 300);
    EXPECT_EQ(node.Outcome({.purpose = purpose, .rate_bps = 60 * kMbps, .duration_ms = 10'000}),
              absl::StrCat(purpose, " ", 60 * kMbps));
    node.Sent(uint64_t{100} * kMbps / 8 * 300);
    EXPECT_EQ(node.Outcome({.purpose = purpose, .rate_bps = 60 * kMbps, .duration_ms = 10'000}),
              absl::StrCat("refused limit/", purpose, " quota.link.average_bps"));
  }
}

TEST(MlabConventionsTest, EachRecordNamesItsLegalBasisAndItsLicence) {
  const auto policy = ShippedProfile("mlab-2026");
  for (const char* rule : {"interactive", "automated"}) {
    record::v1::Record record;
    record.set_record_id("s-down");
    record.set_session_id("s");
    record.set_direction(record::v1::DOWN);
    record.set_outcome(record::v1::COMPLETED);
    record.set_end_reason("duration");
    record.mutable_negotiated_at()->set_seconds(1);
    record.mutable_server()->set_operator_("o");
    record.mutable_server()->set_contact("c");
    record.set_origin_active(true);
    record.set_license("forged");
    const auto approved = ExportPolicy(policy).Approve({.session_id = "s",
                                                        .admission_rule = rule,
                                                        .policy_digest = policy->digest(),
                                                        .experiment = "weir",
                                                        .purpose = rule,
                                                        .client_address = "203.0.113.7"},
                                                       record);
    ASSERT_TRUE(approved.ok()) << approved.status();
    EXPECT_EQ(approved->record().legal_basis(), "legitimate_interest");
    EXPECT_EQ(approved->record().license(), "CC0-1.0");
  }
}

TEST(MlabConventionsTest, TheNoticeSaysWhatPeopleAgreeTo) {
  const auto policy = ShippedProfile("mlab-2026");
  EXPECT_EQ(policy->layers()[0]->proto().minimum_age(), 16u);
  for (const char* words :
       {"IP address", "published under CC0", "legitimate interest", "anonymised", "under 16"}) {
    EXPECT_NE(policy->notice().find(words), std::string::npos) << words;
  }
}

TEST(LabProfileTest, ABenchLoadsAtAnyRateForAnHour) {
  ProfileNode node("lab");
  EXPECT_EQ(node.Outcome({.rate_bps = 0}), absl::StrCat("bench ", 100'000 * kMbps));
  EXPECT_EQ(node.Outcome({.client = "192.0.2.9", .purpose = "anything"}),
            absl::StrCat("bench ", 50 * kMbps));
  EXPECT_EQ(node.Outcome({.duration_ms = 3'600'000}), absl::StrCat("bench ", 50 * kMbps));
  EXPECT_EQ(node.Outcome({.duration_ms = 3'600'001}),
            "refused limit/bench directions[down].parameters.duration_ns");
}

TEST(LabProfileTest, ResultsStayOnTheSite) {
  const auto policy = ShippedProfile("lab");
  const ExportVerdict verdict = policy->MatchExport("any", "bench");
  EXPECT_TRUE(verdict.allowed);
  EXPECT_EQ(verdict.address, record::v1::ADDRESS_FULL);
  EXPECT_EQ(verdict.release_class, record::v1::OPERATOR_ONLY);
  EXPECT_FALSE(policy->RecipientRole("public-archive", "publication").ok());
}

}  // namespace
}  // namespace weir::control

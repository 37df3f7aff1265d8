// Several policy files at once: a layer can tighten what the others allow, never loosen it.
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "control/admission/admission.h"
#include "control/admission/digest.h"
#include "tests/unit/control/config/temp_dir.h"

namespace weir::control {
namespace {

constexpr char kSite[] = R"(
  profile: "site" notice: "The site keeps your address."
  admission { name: "bad" effect: DENY match { client: "192.0.2.66" } }
  admission { name: "fast" effect: ALLOW
              limit { rate_bps: 1000000000 duration_ms: 10000 streams: 2 allow_rate_max: true
                      max_udp_payload_bytes: 1400 concurrent_sessions: 5 } }
  export { name: "site-record" effect: ALLOW address: "full" release_class: "public" }
)";
constexpr char kUpstream[] = R"(
  profile: "upstream" notice: "Upstream publishes it."
  admission { name: "worse" effect: DENY match { client: "192.0.2.67" } reason: "known to us" }
  admission { name: "broad" effect: ALLOW match { client: "192.0.2.0/24" }
              limit { rate_bps: 500000000 duration_ms: 30000 streams: 8 allow_rate_max: true
                      min_udp_payload_bytes: 100 concurrent_sessions: 1 } }
  export { name: "broad-record" effect: ALLOW match { admission_rule: "broad" }
           address: "netblock" release_class: "operator_only" }
)";

std::shared_ptr<const PolicyLayer> Layer(const char* text) {
  auto layer = PolicyLayer::Parse("p", text);
  EXPECT_TRUE(layer.ok()) << layer.status();
  return *layer;
}

class StackTest : public testing::Test {
 protected:
  StackTest() { admission_.SetPorts({{.name = "p", .budget_bps = 10'000'000'000, .mtu = 9000}}); }

  AdmissionDecision Decide(const char* client, uint64_t rate_bps = 2'000'000'000,
                           uint64_t duration_ns = 1'000'000'000, uint32_t streams = 1,
                           uint32_t payload = 1000) {
    AdmissionRequest request;
    request.peer_addresses = {client};
    request.accepted_notice_digest = policy_->notice_digest();
    request.port = "p";
    auto& direction = request.directions.emplace_back();
    direction.set_direction(record::v1::DOWN);
    auto* parameters = direction.mutable_parameters();
    parameters->set_rate_bps(rate_bps);
    parameters->set_rate_max(rate_bps == 0);
    parameters->set_duration_ns(duration_ns);
    parameters->set_streams(streams);
    parameters->set_ip_version(4);
    parameters->add_payload()->set_udp_payload_bytes(payload);
    parameters->mutable_payload(0)->set_weight(1);
    return admission_.Decide(request);
  }
  std::string Refusal(const AdmissionDecision& decision) {
    const auto* rejection = std::get_if<measurement::v1::Rejection>(&decision);
    return rejection == nullptr ? "granted" : rejection->stage() + "/" + rejection->rule();
  }

  const std::shared_ptr<const Policy> policy_ = Policy::Stack({Layer(kSite), Layer(kUpstream)});
  Admission admission_{{.operator_name = "o", .contact = "c"}, policy_};
};

TEST_F(StackTest, ADenyOfAnyLayerRefuses) {
  EXPECT_EQ(Refusal(Decide("192.0.2.66")), "decide/bad");
  EXPECT_EQ(Refusal(Decide("192.0.2.67")), "decide/worse");
  // The site would admit it; upstream has no rule for it.
  EXPECT_EQ(Refusal(Decide("198.51.100.1")), "decide/default_deny");
}

TEST_F(StackTest, LimitsAreTheIntersection) {
  {
    const AdmissionDecision decision = Decide("192.0.2.1");
    ASSERT_TRUE(std::holds_alternative<AdmissionGrant>(decision)) << Refusal(decision);
    const auto& grant = std::get<AdmissionGrant>(decision);
    EXPECT_EQ(grant.admission_rule, "fast+broad");
    EXPECT_EQ(grant.directions[0].parameters().rate_bps(), 500'000'000u);
    EXPECT_EQ(grant.reduced_by, (std::vector<std::string>{"fast", "broad"}));
    EXPECT_EQ(Refusal(Decide("192.0.2.1")), "limit/broad") << "one session at once upstream";
  }
  {
    const AdmissionDecision most = Decide("192.0.2.1", 0);
    EXPECT_EQ(std::get<AdmissionGrant>(most).directions[0].parameters().rate_bps(), 500'000'000u);
  }
  EXPECT_EQ(Refusal(Decide("192.0.2.1", 1'000'000, 20'000'000'000)), "limit/fast");
  EXPECT_EQ(Refusal(Decide("192.0.2.1", 1'000'000, 1'000'000'000, 3)), "limit/fast");
  EXPECT_EQ(Refusal(Decide("192.0.2.1", 1'000'000, 1'000'000'000, 1, 1401)), "limit/fast");
  EXPECT_EQ(Refusal(Decide("192.0.2.1", 1'000'000, 1'000'000'000, 1, 99)), "limit/broad");

  const measurement::v1::Limits limits = admission_.Limits();
  EXPECT_EQ(limits.max_rate_bps(), 500'000'000u);
  EXPECT_EQ(limits.max_duration_ns(), 10'000'000'000u);
  EXPECT_EQ(limits.max_streams(), 2u);
  EXPECT_EQ(limits.min_udp_payload_bytes(), 100u);
  EXPECT_EQ(limits.max_udp_payload_bytes(), 1400u);
}

TEST_F(StackTest, TheStrictestExportRuleHolds) {
  const ExportVerdict verdict = policy_->MatchExport("", "fast+broad");
  EXPECT_TRUE(verdict.allowed);
  EXPECT_EQ(verdict.rule, "site-record+broad-record");
  EXPECT_EQ(verdict.address, record::v1::ADDRESS_NETBLOCK);
  EXPECT_EQ(verdict.release_class, record::v1::OPERATOR_ONLY);
  // Each layer sees the name of its own rule only.
  EXPECT_FALSE(policy_->MatchExport("", "broad+fast").allowed);
  EXPECT_EQ(policy_->MatchExport("", "fast").profile, "upstream");
}

TEST_F(StackTest, DigestProfileAndNoticeCoverAllFilesInOrder) {
  EXPECT_EQ(policy_->profile(), "site+upstream");
  EXPECT_EQ(policy_->notice(), "The site keeps your address.\n\nUpstream publishes it.");
  EXPECT_EQ(policy_->digest(), Sha256Digest("weir-policy-stack-1\n" + Sha256Digest(kSite) + "\n" +
                                            Sha256Digest(kUpstream) + "\n"));
  EXPECT_NE(Policy::Stack({Layer(kUpstream), Layer(kSite)})->digest(), policy_->digest());
  EXPECT_EQ(Policy::Stack({Layer(kSite)})->digest(), Sha256Digest(kSite));
}

TEST_F(StackTest, OneBrokenFileIsAFaultOfAll) {
  const TempDir dir;
  const std::string good = dir.Write("good", kSite);
  const std::string bad = dir.Write("bad", "profile: \"x\"\nadmission { name: \"y\" }\n");
  EXPECT_TRUE(LoadPolicy({good}).ok());
  const auto status = LoadPolicy({good, bad}).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_NE(status.message().find(bad + ":2: "), std::string::npos) << status;
  EXPECT_TRUE(absl::IsNotFound(LoadPolicy({good, "/nonexistent"}).status()));
}

TEST_F(StackTest, LegalBasesAndLicencesOfAllFilesAreKept) {
  const auto layer = [](const char* basis, const char* license) {
    return Layer(absl::StrCat("profile: 'x' notice: 'consent, legitimate interest, CC0, CC-BY' "
                              "legal_basis: '",
                              basis,
                              "' admission { name: 'a' effect: ALLOW } "
                              "export { name: 'x' effect: ALLOW address: 'none' "
                              "release_class: 'public' license: '",
                              license, "' }")
                     .c_str());
  };
  const auto same = Policy::Stack({layer("consent", "CC0-1.0"), layer("consent", "CC0-1.0")});
  EXPECT_EQ(same->legal_basis() + " " + same->MatchExport("e", "a+a").license, "consent CC0-1.0");
  const auto both =
      Policy::Stack({layer("consent", "CC0-1.0"), layer("legitimate_interest", "CC-BY-4.0")});
  EXPECT_EQ(both->legal_basis(), "consent+legitimate_interest");
  EXPECT_EQ(both->MatchExport("e", "a+a").license, "CC0-1.0+CC-BY-4.0");
}

TEST(RuleListTest, OnlyNamesJoinedByPlus) {
  EXPECT_TRUE(IsRuleList("a"));
  EXPECT_TRUE(IsRuleList("a+b.c"));
  for (const char* text : {"", "+", "a+", "+a", "a++b", "a b", "me@example.net"}) {
    EXPECT_FALSE(IsRuleList(text)) << text;
  }
}

}  // namespace
}  // namespace weir::control

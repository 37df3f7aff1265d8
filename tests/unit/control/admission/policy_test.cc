#include "control/admission/policy.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "control/admission/digest.h"
#include "tests/unit/control/config/temp_dir.h"

namespace weir::control {
namespace {

constexpr char kExport[] = R"(
export { name: "all" effect: ALLOW address: "full" release_class: "operator_only" }
)";

std::shared_ptr<const Policy> Make(const std::string& text) {
  auto policy = Policy::Parse("p", "profile: \"lab\"\n" + text);
  EXPECT_TRUE(policy.ok()) << policy.status();
  return policy.ok() ? *policy : nullptr;
}

std::string PolicyError(const std::string& text) {
  const auto policy = Policy::Parse("p", "profile: \"lab\"\n" + text);
  return policy.ok() ? "" : std::string(policy.status().message());
}

std::string RuleFor(const Policy& policy, const AdmissionSubject& subject) {
  const auto* rule = policy.MatchAdmission(subject)[0];
  return rule == nullptr ? kDefaultDenyRule : rule->name();
}

AdmissionSubject Subject(const char* address) {
  return {.client = *IpAddress::Parse(address),
          .identity = "anonymous",
          .experiment = "",
          .purpose = "",
          .directions = {"down"}};
}

TEST(DigestTest, KnownAnswer) {
  // FIPS 180-2 example "abc".
  EXPECT_EQ(Sha256Digest("abc"),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(PolicyTest, EmptyPolicyDeniesEverybody) {
  const auto policy = Make("");
  EXPECT_EQ(RuleFor(*policy, Subject("192.0.2.1")), kDefaultDenyRule);
  EXPECT_FALSE(policy->MatchExport("", "x").allowed);
}

TEST(PolicyTest, AnAsnListIsRefusedByName) {
  EXPECT_NE(PolicyError("asn_list: 64500").find("asn_list"), std::string::npos);
  EXPECT_NE(PolicyError("admission { name: 'a' effect: ALLOW match { asn_list: 64500 } }")
                .find("asn_list"),
            std::string::npos);
}

TEST(PolicyTest, FirstMatchWins) {
  const auto policy = Make(std::string(R"(
    admission { name: "bad-host" effect: DENY match { client: "192.0.2.66" } }
    admission { name: "site" effect: ALLOW match { client: "192.0.2.0/24" client: "2001:db8::/32" } }
    admission { name: "up-only" effect: ALLOW match { direction: "up" } }
  )") + kExport);
  EXPECT_EQ(RuleFor(*policy, Subject("192.0.2.66")), "bad-host");
  EXPECT_EQ(RuleFor(*policy, Subject("::ffff:192.0.2.66")), "bad-host");
  EXPECT_EQ(RuleFor(*policy, Subject("192.0.2.1")), "site");
  EXPECT_EQ(RuleFor(*policy, Subject("2001:db8:9::1")), "site");
  EXPECT_EQ(RuleFor(*policy, Subject("198.51.100.1")), kDefaultDenyRule);
  AdmissionSubject up = Subject("198.51.100.1");
  up.directions = {"up"};
  EXPECT_EQ(RuleFor(*policy, up), "up-only");
  up.directions = {"up", "down"};
  EXPECT_EQ(RuleFor(*policy, up), kDefaultDenyRule) << "an ALLOW must cover every direction";
}

TEST(PolicyTest, DenyMatchesAnyDirection) {
  const auto policy = Make(std::string(R"(
    admission { name: "no-up" effect: DENY match { direction: "up" } }
    admission { name: "rest" effect: ALLOW }
  )") + kExport);
  AdmissionSubject both = Subject("192.0.2.1");
  EXPECT_EQ(RuleFor(*policy, both), "rest");
  both.directions = {"down", "up"};
  EXPECT_EQ(RuleFor(*policy, both), "no-up");
}

TEST(PolicyTest, EverySetFieldMustHold) {
  const auto policy = Make(std::string(R"(
    admission { name: "r" effect: ALLOW match {
      client: "192.0.2.0/24" identity: "certificate:alice" experiment: "a" experiment: "b" purpose: "q" } }
  )") + kExport);
  AdmissionSubject subject = Subject("192.0.2.1");
  subject.identity = "certificate:alice";
  subject.experiment = "b";
  subject.purpose = "q";
  EXPECT_EQ(RuleFor(*policy, subject), "r");
  for (auto change : {+[](AdmissionSubject* s) { s->client = *IpAddress::Parse("192.0.3.1"); },
                      +[](AdmissionSubject* s) { s->identity = "certificate:mallory"; },
                      +[](AdmissionSubject* s) { s->experiment = "c"; },
                      +[](AdmissionSubject* s) { s->purpose = ""; }}) {
    AdmissionSubject other = subject;
    change(&other);
    EXPECT_EQ(RuleFor(*policy, other), kDefaultDenyRule);
  }
}

TEST(PolicyTest, NoticeAndDigests) {
  const std::string text = "profile: \"seed-2009\"\nnotice: \"We keep your address.\"\n";
  const auto policy = Policy::Parse("p", text);
  ASSERT_TRUE(policy.ok()) << policy.status();
  EXPECT_EQ((*policy)->digest(), Sha256Digest(text));
  EXPECT_EQ((*policy)->notice_digest(), Sha256Digest("We keep your address."));
  EXPECT_EQ(Make("")->notice_digest(), "");
}

TEST(PolicyTest, FaultsNameFileLineRuleAndField) {
  const struct {
    const char* text;
    const char* expected;
  } kCases[] = {
      {"admission { effect: DENY }", "p:2: admission rule \"\": name: required"},
      {"admission { name: \"a b\" effect: DENY }", "name: required; allowed: 1 to 64"},
      {"admission { name: \"link_budget\" effect: DENY }", "name: reserved"},
      {"admission { name: \"a\" effect: DENY match { purpose: \"p\" } }\n"
       "admission { name: \"a\" effect: DENY }",
       "p:3: admission rule \"a\": name: used by an earlier rule"},
      {"admission { name: \"a\" }", "effect: required; allowed: ALLOW, DENY"},
      {"admission { name: \"a\" effect: PERMIT }", "allowed: ALLOW, DENY"},
      {"admission { name: \"a\" effect: DENY match { client: \"192.0.2.0/99\" } }",
       "match.client: \"192.0.2.0/99\": the prefix length is from 0 to 32"},
      {"admission { name: \"a\" effect: DENY match { identity: \"root\" } }",
       "match.identity: \"root\"; allowed: \"anonymous\", \"operator\""},
      {"admission { name: \"a\" effect: DENY match { identity: \"certificate:\" } }",
       "match.identity"},
      {"admission { name: \"a\" effect: DENY match { direction: \"left\" } }",
       "match.direction: \"left\"; allowed: \"down\", \"up\""},
      {"admission { name: \"a\" effect: DENY limit { streams: 1 } }",
       "limit: only an ALLOW has one"},
      {"admission { name: \"a\" effect: ALLOW reason: \"x\" }", "reason: only a DENY has one"},
      {"admission { name: \"a\" effect: ALLOW limit { max_udp_payload_bytes: 17 } }",
       "limit.max_udp_payload_bytes: 17 admits nothing"},
      {"admission { name: \"a\" effect: ALLOW limit { min_udp_payload_bytes: 100 "
       "max_udp_payload_bytes: 99 } }",
       "limit.min_udp_payload_bytes: above"},
      {"admission { name: \"a\" effect: ALLOW limit { duration_ms: 86400001 } }",
       "limit.duration_ms: at most 86400000"},
      {"admission { name: \"a\" effect: DENY priority { link_percent: 5 } }",
       "priority: only an ALLOW has one"},
      {"admission { name: \"a\" effect: ALLOW priority { link_percent: 101 } }",
       "priority.link_percent: from 1 to 100"},
      {"admission { name: \"a\" effect: ALLOW serves { text: \"x\" } }",
       "serves.document: required"},
      {"admission { name: \"a\" effect: ALLOW serves { document: \"d\" } }",
       "serves.text: required"},
      {"export { name: \"e\" effect: ALLOW release_class: \"public\" }",
       "export rule \"e\": address: \"\"; allowed: \"full\", \"netblock\", \"none\""},
      {"export { name: \"e\" effect: ALLOW address: \"full\" release_class: \"secret\" }",
       "release_class: \"secret\"; allowed: \"public\", \"operator_only\""},
      {"export { name: \"e\" effect: DENY address: \"full\" }", "address: only an ALLOW has one"},
      {"export { name: \"e\" effect: DENY match { admission_rule: \"x\" } }",
       "match.admission_rule: no admission rule is named \"x\""},
      {"admission { name: \"a\" effect: ALLOW }",
       "p:2: admission rule \"a\": no export rule allows a record"},
      {"admission { nam: \"a\" }", "p:2:13: "},
  };
  for (const auto& c : kCases) {
    const std::string error = PolicyError(c.text);
    EXPECT_NE(error.find(c.expected), std::string::npos) << c.text << "\n" << error;
  }
}

TEST(PolicyTest, ReportsEveryFaultAtOnce) {
  const std::string error =
      PolicyError("admission { name: \"a\" }\nadmission { name: \"b\" }\nexport { name: \"c\" }");
  EXPECT_EQ(std::count(error.begin(), error.end(), '\n'), 2) << error;
}

TEST(PolicyTest, OnlyLabMayHaveNoNotice) {
  EXPECT_NE(std::string(Policy::Parse("p", "profile: \"mlab-2026\"").status().message())
                .find("notice: required"),
            std::string::npos);
  EXPECT_FALSE(Policy::Parse("p", "").ok()) << "a profile is required";
}

TEST(PolicyTest, HiddenRuleOfOppositeEffectIsAContradiction) {
  const std::string error = PolicyError(std::string(R"(
    admission { name: "site" effect: ALLOW match { client: "192.0.2.0/24" } }
    admission { name: "host" effect: DENY match { client: "192.0.2.66" } })") +
                                        kExport);
  EXPECT_NE(error.find("rule \"host\": contradiction: the earlier rule \"site\""),
            std::string::npos)
      << error;
}

TEST(PolicyTest, HiddenRuleOfSameEffectIsAWarning) {
  const auto policy = Make(std::string(R"(
    admission { name: "v4" effect: ALLOW match { client: "0.0.0.0/0" } }
    admission { name: "site" effect: ALLOW match { client: "192.0.2.0/24" purpose: "p" } })") +
                           kExport);
  ASSERT_EQ(policy->warnings().size(), 1u);
  EXPECT_NE(policy->warnings()[0].find("rule \"site\": never reached: \"v4\""), std::string::npos);
}

TEST(PolicyTest, PartialOverlapIsNeither) {
  const auto policy = Make(std::string(R"(
    admission { name: "down" effect: ALLOW match { direction: "down" } }
    admission { name: "not-up" effect: DENY match { direction: "up" experiment: "x" } }
    admission { name: "v4" effect: ALLOW match { client: "0.0.0.0/0" } }
    admission { name: "rest" effect: ALLOW })") +
                           kExport);
  EXPECT_TRUE(policy->warnings().empty()) << policy->warnings()[0];
}

TEST(PolicyTest, EarlierRulesHideOneTogether) {
  const auto policy = Make(std::string(R"(
    admission { name: "low" effect: ALLOW match { client: "192.0.2.0/25" } }
    admission { name: "high-down" effect: ALLOW match { client: "192.0.2.128/25" direction: "down" } }
    admission { name: "high-up" effect: ALLOW match { client: "192.0.2.128/25" direction: "up" } }
    admission { name: "high-both" effect: ALLOW match { client: "192.0.2.0/24" experiment: "e" } }
    admission { name: "site" effect: ALLOW match { client: "192.0.2.0/24" experiment: "e" purpose: "p" } })") +
                           kExport);
  ASSERT_EQ(policy->warnings().size(), 1u) << policy->warnings()[0];
  EXPECT_NE(policy->warnings()[0].find("rule \"site\": never reached: \"high-both\" matches all"),
            std::string::npos);

  const auto halves = Make(std::string(R"(
    admission { name: "low" effect: ALLOW match { client: "192.0.2.0/25" } }
    admission { name: "named" effect: ALLOW match { client: "192.0.2.128/25" identity: "anonymous" } }
    admission { name: "rest" effect: ALLOW match { client: "192.0.2.128/25" } }
    admission { name: "site" effect: ALLOW match { client: "192.0.2.0/24" } })") +
                           kExport);
  ASSERT_EQ(halves->warnings().size(), 1u);
  EXPECT_NE(halves->warnings()[0].find(
                "rule \"site\": never reached: \"low\", \"named\", \"rest\" together match"),
            std::string::npos)
      << halves->warnings()[0];
}

TEST(PolicyTest, EarlierRulesContradictOneTogether) {
  const std::string error = PolicyError(std::string(R"(
    admission { name: "low" effect: DENY match { client: "192.0.2.0/25" } }
    admission { name: "high" effect: DENY match { client: "192.0.2.128/25" } }
    admission { name: "site" effect: ALLOW match { client: "192.0.2.0/24" } })") +
                                        kExport);
  EXPECT_NE(error.find("rule \"site\": contradiction: the earlier rules \"low\", \"high\" "
                       "together decide the opposite"),
            std::string::npos)
      << error;
  // A gap of one address, or of one experiment, is enough to be reached.
  EXPECT_EQ(PolicyError(std::string(R"(
    admission { name: "low" effect: DENY match { client: "192.0.2.0/25" } }
    admission { name: "high" effect: DENY match { client: "192.0.2.128/25" experiment: "e" } }
    admission { name: "site" effect: ALLOW match { client: "192.0.2.0/24" } })") +
                        kExport),
            "");
}

TEST(PolicyTest, ALongListOfPrefixesIsCheckedInNoTime) {
  std::string text;
  for (int i = 0; i < 20'000; ++i) {
    absl::StrAppend(&text, "admission { name: \"r", i, "\" effect: DENY match { client: \"10.",
                    i / 256, ".", i % 256, ".0/24\" } }\n");
  }
  // In quadratic time this would take minutes, not a fraction of a second.
  const auto policy = Make(text + "admission { name: \"rest\" effect: ALLOW }\n" + kExport);
  EXPECT_TRUE(policy->warnings().empty());
  EXPECT_EQ(RuleFor(*policy, Subject("10.3.7.9")), "r775");
  EXPECT_EQ(RuleFor(*policy, Subject("11.0.0.1")), "rest");
}

TEST(PolicyTest, RulesWithoutASentenceAreReported) {
  const auto policy = Make(R"(
    admission { name: "a" effect: ALLOW serves { document: "aup" text: "Be good." } }
    export { name: "e" effect: ALLOW address: "full" release_class: "public" })");
  ASSERT_EQ(policy->layers()[0]->unserved().size(), 1u);
  EXPECT_NE(policy->layers()[0]->unserved()[0].find("export rule \"e\": serves"),
            std::string::npos);
}

TEST(PolicyTest, BothFamiliesTogetherCoverEverybody) {
  const auto policy = Make(std::string(R"(
    admission { name: "all" effect: ALLOW match { client: "0.0.0.0/0" client: "::/0" } }
    admission { name: "rest" effect: ALLOW })") +
                           kExport);
  EXPECT_EQ(policy->warnings().size(), 1u);
}

TEST(PolicyTest, ExportFirstMatchWins) {
  const auto policy = Make(R"(
    admission { name: "a" effect: ALLOW }
    export { name: "withheld" effect: DENY match { experiment: "x" } }
    export { name: "a-full" effect: ALLOW match { admission_rule: "a" } address: "full" release_class: "public" }
  )");
  EXPECT_EQ(policy->MatchExport("x", "a").rule, "withheld");
  EXPECT_FALSE(policy->MatchExport("x", "a").allowed);
  EXPECT_EQ(policy->MatchExport("y", "a").rule, "a-full");
  EXPECT_TRUE(policy->MatchExport("y", "a").allowed);
  EXPECT_EQ(policy->MatchExport("y", "b").rule, kDefaultDenyRule);
}

TEST(PolicyTest, DenyBeforeTheExportLeavesARuleUnrecorded) {
  EXPECT_NE(PolicyError(R"(
    admission { name: "a" effect: ALLOW match { experiment: "x" } }
    admission { name: "b" effect: ALLOW match { experiment: "y" } }
    export { name: "withheld" effect: DENY match { experiment: "x" } }
    export { name: "rest" effect: ALLOW address: "none" release_class: "public" }
  )")
                .find("rule \"a\": no export rule"),
            std::string::npos);
}

// What is recorded, or asked of people, is what they are told.
TEST(PolicyTest, TheNoticeSaysWhatAPolicyPromises) {
  const auto fault = [](const std::string& text) {
    return std::string(
        Policy::Parse("p", "profile: 'x' admission { name: 'r' effect: DENY } " + text)
            .status()
            .message());
  };
  EXPECT_EQ(fault("notice: 'By consent, from 16 on.' legal_basis: 'consent' minimum_age: 16"), "");
  EXPECT_EQ(fault("notice: 'Our legitimate interest.' legal_basis: 'legitimate_interest'"), "");
  EXPECT_EQ(fault("notice: 'n' legal_basis: 'consent'"),
            "p: legal_basis: the notice must say \"consent\"");
  EXPECT_EQ(fault("notice: 'n' minimum_age: 16"), "p: minimum_age: the notice must say 16");
  EXPECT_NE(fault("notice: 'n' legal_basis: 'habit'").find("allowed: \"legitimate_interest\""),
            std::string::npos);
  const std::string rule = "name: 'x' effect: ALLOW address: 'none' license: 'CC0-1.0'";
  EXPECT_EQ(fault("notice: 'It is CC0.' export { " + rule + " release_class: 'public' }"), "");
  EXPECT_NE(fault("notice: 'n' export { " + rule + " release_class: 'public' }")
                .find("license: the notice must say \"CC0\""),
            std::string::npos);
  EXPECT_NE(fault("notice: 'CC0' export { " + rule + " release_class: 'operator_only' }")
                .find("license: only a public record has one"),
            std::string::npos);
}

TEST(PolicyTest, AResearchersOwnDataHasNoRouteIntoTheStore) {
  const auto policy = Policy::Parse("p",
                                    "profile: \"lab\" admission { name: \"r\" effect: ALLOW } "
                                    "export { name: \"x\" effect: ALLOW address: \"none\" "
                                    "release_class: \"researcher-external\" }");
  ASSERT_TRUE(absl::IsInvalidArgument(policy.status()));
  EXPECT_NE(policy.status().message().find(
                "export rule \"x\": release_class: \"researcher-external\" has no route into this "
                "store: such data goes from the tool to its researcher"),
            std::string::npos)
      << policy.status();
}

TEST(PolicyTest, LoadReportsMissingFile) {
  EXPECT_TRUE(absl::IsNotFound(LoadPolicy({"/nonexistent/policy"}).status()));
}

}  // namespace
}  // namespace weir::control

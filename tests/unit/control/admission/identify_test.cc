// Who somebody is to a policy: by identity, address, the network that announces it, and roles.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "control/admission/admission.h"
#include "control/admission/asn_table.h"
#include "tests/unit/control/config/temp_dir.h"

namespace weir::control {
namespace {

constexpr char kAsnTable[] =
    "192.0.0.0\t16\t64500\n"
    "192.0.2.0\t24\t64501\n"
    "192.0.7.0\t24\t64501_64502\n"
    "2001:db8::\t32\t4200000000\n";

class IdentifyTest : public testing::Test {
 protected:
  std::shared_ptr<const PolicyLayer> Layer(const std::string& text) {
    directory_.Write("asn", kAsnTable);
    const auto layer = PolicyLayer::Load(
        directory_.Write("policy", "profile: \"lab\" asn_table: \"asn\" " + text +
                                       " export { name: \"all\" effect: ALLOW address: \"none\" "
                                       "release_class: \"public\" }"));
    EXPECT_TRUE(layer.ok()) << layer.status();
    return layer.ok() ? *layer : nullptr;
  }
  std::string Fault(const std::string& text) {
    directory_.Write("asn", kAsnTable);
    return std::string(PolicyLayer::Parse(directory_.File("policy"), "profile: \"lab\" " + text)
                           .status()
                           .message());
  }
  static std::string Rule(const PolicyLayer& layer, const char* client,
                          const char* identity = "anonymous") {
    const auto* rule = layer.MatchAdmission({.client = *IpAddress::Parse(client),
                                             .identity = identity,
                                             .experiment = "",
                                             .purpose = "",
                                             .directions = {"down"}});
    return rule == nullptr ? "none" : rule->name();
  }

  TempDir directory_;
};

TEST_F(IdentifyTest, ARuleMatchesTheNetworkThatAnnouncesTheClient) {
  const auto layer = Layer(
      "admission { name: \"customer\" effect: ALLOW match { asn: 64501 } }"
      "admission { name: \"others\" effect: ALLOW match { asn: 64500 asn: 4200000000 } }");
  EXPECT_EQ(Rule(*layer, "192.0.2.9"), "customer");
  EXPECT_EQ(Rule(*layer, "192.0.7.9"), "customer");  // Announced by two, of whom it is one.
  EXPECT_EQ(Rule(*layer, "192.0.9.9"), "others");
  EXPECT_EQ(Rule(*layer, "2001:db8::9"), "others");
  EXPECT_EQ(Rule(*layer, "198.51.100.9"), "none");
}

// An inverted condition matches those it does not name, whoever they are.
TEST_F(IdentifyTest, RolesAreAnyAllOneOrNoneOfTheirConditions) {
  constexpr char kConditions[] =
      "identity: \"certificate:alice\" client: \"192.0.2.0/24\" asn: 64501 asn: 64500";
  const struct {
    const char* of;
    const char* stranger;   // None of them.
    const char* addressee;  // Address and network.
    const char* neighbour;  // Network alone.
  } kCases[] = {{"ANY_OF", "no", "yes", "yes"},
                {"ALL_OF", "no", "no", "no"},
                {"ONE_OF", "no", "no", "yes"},
                {"NONE_OF", "yes", "no", "no"}};
  for (const auto& c : kCases) {
    const auto layer =
        Layer(absl::StrCat("role { name: \"r\" of: ", c.of, " ", kConditions, " }",
                           "admission { name: \"yes\" effect: ALLOW match { role: \"r\" } }"
                           "admission { name: \"no\" effect: ALLOW }"));
    EXPECT_EQ(Rule(*layer, "198.51.100.9"), c.stranger) << c.of;
    EXPECT_EQ(Rule(*layer, "192.0.2.9"), c.addressee) << c.of;
    EXPECT_EQ(Rule(*layer, "192.0.9.9"), c.neighbour) << c.of;
  }
  const auto all = Layer(
      "role { name: \"r\" of: ALL_OF identity: \"certificate:alice\" client: \"192.0.2.0/24\" }"
      "role { name: \"others\" of: NONE_OF role: \"r\" }"
      "admission { name: \"yes\" effect: ALLOW match { role: \"r\" } }"
      "admission { name: \"no\" effect: ALLOW match { role: \"others\" } }");
  EXPECT_EQ(Rule(*all, "192.0.2.9", "certificate:alice"), "yes");
  EXPECT_EQ(Rule(*all, "192.0.2.9", "certificate:bob"), "no");
  EXPECT_EQ(Rule(*all, "198.51.100.9", "certificate:alice"), "no");
}

TEST_F(IdentifyTest, TheTraceSaysWhoSomebodyIs) {
  const auto layer = Layer(
      "role { name: \"campus\" asn: 64501 } role { name: \"guest\" of: NONE_OF role: \"campus\" }"
      "admission { name: \"closed\" effect: DENY match { role: \"guest\" } reason: \"no guests\" }"
      "admission { name: \"all\" effect: ALLOW }");
  Admission admission({.operator_name = "o", .contact = "c"}, Policy::Stack({layer}));
  AdmissionRequest request;
  request.peer_addresses = {"198.51.100.9"};
  request.directions.emplace_back().set_direction(record::v1::DOWN);
  auto* parameters = request.directions[0].mutable_parameters();
  parameters->set_rate_bps(1'000'000);
  parameters->set_duration_ns(1'000'000'000);
  parameters->set_streams(1);
  parameters->set_ip_version(4);
  parameters->add_payload()->set_udp_payload_bytes(100);
  parameters->mutable_payload(0)->set_weight(1);
  const AdmissionDecision decision = admission.Decide(request);
  const auto* rejection = std::get_if<measurement::v1::Rejection>(&decision);
  ASSERT_NE(rejection, nullptr);
  EXPECT_EQ(rejection->rule(), "closed");
  std::vector<std::string> who;
  for (const auto& step : rejection->trace().steps()) {
    if (step.field() == "asn" || step.field() == "role") {
      who.push_back(absl::StrCat(step.stage(), " ", step.field(), " ", step.value()));
    }
  }
  EXPECT_EQ(who, (std::vector<std::string>{"identify asn not known", "identify role guest"}));
}

TEST_F(IdentifyTest, TheTableIsPartOfTheDigest) {
  constexpr char kRule[] = "admission { name: \"a\" effect: ALLOW match { asn: 64501 } }";
  const std::string before = Layer(kRule)->digest();
  EXPECT_EQ(Layer(kRule)->digest(), before);
  directory_.Write("asn", "192.0.2.0 24 64501\n");
  EXPECT_NE((*PolicyLayer::Load(directory_.File("policy")))->digest(), before);
}

TEST_F(IdentifyTest, FaultsNameWhatIsMissing) {
  for (const auto& [text, fault] :
       {std::pair("admission { name: 'a' effect: ALLOW match { asn: 1 } }",
                  "match.asn: needs asn_table"),
        std::pair("asn_table: 'asn' admission { name: 'a' effect: ALLOW match { asn: 0 } }",
                  "match.asn: 0 is no AS number"),
        std::pair("admission { name: 'a' effect: ALLOW match { role: 'r' } }",
                  "match.role: no role before this is named \"r\""),
        std::pair("role { name: 'r' role: 's' } role { name: 's' identity: 'anonymous' }",
                  "role rule \"r\": role: no role before this is named \"s\""),
        std::pair("role { name: 'r' }", "role rule \"r\": required: who has it"),
        std::pair("role { name: 'r' identity: 'root' }", "role rule \"r\": identity: \"root\""),
        std::pair("role { name: 'r' client: '192.0.2.1/24' }", "role rule \"r\": client: ")}) {
    EXPECT_NE(Fault(text).find(fault), std::string::npos) << Fault(text);
  }
  EXPECT_NE(PolicyLayer::Parse(directory_.File("policy"),
                               "profile: 'lab' asn_table: 'missing' "
                               "admission { name: 'a' effect: DENY }")
                .status()
                .message()
                .find("asn_table: "),
            std::string::npos);
  const auto unused = PolicyLayer::Parse("p",
                                         "profile: 'lab' role { name: 'r' identity: 'anonymous' } "
                                         "admission { name: 'a' effect: DENY }");
  ASSERT_TRUE(unused.ok()) << unused.status();
  ASSERT_EQ((*unused)->warnings().size(), 1u);
  EXPECT_NE((*unused)->warnings()[0].find("never reached: nothing names it"), std::string::npos);
}

// A rule of a role leaves something to the rules after it.
TEST_F(IdentifyTest, RulesOfARoleHideNoOthers) {
  const auto layer = Layer(
      "role { name: \"campus\" asn: 64501 }"
      "admission { name: \"closed\" effect: DENY match { role: \"campus\" } }"
      "admission { name: \"network\" effect: DENY match { asn: 64500 } }"
      "admission { name: \"all\" effect: ALLOW }"
      "admission { name: \"again\" effect: ALLOW match { asn: 64501 } }");
  ASSERT_EQ(layer->warnings().size(), 1u);
  EXPECT_NE(layer->warnings()[0].find("rule \"again\": never reached: \"all\""), std::string::npos)
      << layer->warnings()[0];
}

}  // namespace
}  // namespace weir::control

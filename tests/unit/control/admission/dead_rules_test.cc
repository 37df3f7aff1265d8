// Rules that never decide anything are named, with what keeps them from it and what to do.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "control/admission/disclosure_names.h"
#include "control/admission/policy_layer.h"
#include "control/export/disclosure.h"

namespace weir::control {
namespace {

constexpr char kKeepAll[] =
    "export { name: 'rest' effect: ALLOW address: 'none' release_class: 'operator_only' }\n";
constexpr char kAllMayTest[] = "admission { name: 'all' effect: ALLOW }\n";

// What is said of the policy with these rules, a line each without "p:<line>: ".
std::vector<std::string> Dead(const std::string& rules) {
  const auto layer = PolicyLayer::Parse("p", absl::StrCat("profile: 'lab'\n", rules));
  EXPECT_TRUE(layer.ok()) << layer.status();
  std::vector<std::string> said;
  if (!layer.ok()) return said;
  for (const std::string& warning : (*layer)->warnings()) {
    said.push_back(warning.substr(warning.find(": ") + 2));
  }
  return said;
}

std::string Export(const std::string& name, const std::string& match) {
  return absl::StrCat("export { name: '", name, "' effect: ALLOW match { ", match,
                      " } address: 'full' release_class: 'public' }\n");
}

std::string Disclosure(const std::string& name, const std::string& what) {
  return absl::StrCat("disclosure { name: '", name, "' ", what, " }\n");
}

using Said = std::vector<std::string>;

TEST(DeadRulesTest, AnExperimentThatNobodyIsAdmittedForIsNamed) {
  const std::string admission =
      "admission { name: 'a' effect: ALLOW match { experiment: 'one' experiment: 'two' } }\n";
  EXPECT_EQ(
      Dead(absl::StrCat(admission, Export("e", "experiment: 'two' experiment: 'three'"), kKeepAll)),
      (Said{"export rule \"e\": match.experiment: \"three\" is never reached: no admission "
            "rule admits that experiment; admit what it is for, or take it out"}));
  EXPECT_EQ(Dead(absl::StrCat(admission, Export("e", "experiment: 'two'"), kKeepAll)), Said());
  EXPECT_EQ(Dead(absl::StrCat(kAllMayTest, Export("e", "experiment: 'any'"), kKeepAll)), Said());
}

TEST(DeadRulesTest, WhatARefusalTakesBeforeIsNamedWithIt) {
  const std::string admission =
      "admission { name: 'not-that' effect: DENY match { experiment: 'gone' } }\n"
      "admission { name: 'v4' effect: ALLOW match { client: '0.0.0.0/0' } }\n"
      "admission { name: 'v6' effect: ALLOW match { client: '::/0' } }\n";
  EXPECT_EQ(
      Dead(absl::StrCat(admission, Export("e", "experiment: 'gone'"), kKeepAll)),
      (Said{"export rule \"e\": match.experiment: \"gone\" is never reached: admission rule "
            "\"not-that\" decides before what would admit it; admit what it is for, or take it "
            "out"}));
  // What is refused to some is admitted for others.
  const std::string some =
      "admission { name: 'not-here' effect: DENY match { experiment: 'x' client: '192.0.2.0/24' } "
      "}\n";
  EXPECT_EQ(Dead(absl::StrCat(some, kAllMayTest, Export("e", "experiment: 'x'"), kKeepAll)),
            Said());
}

TEST(DeadRulesTest, AnAdmissionRuleThatNeverAdmitsWhatIsExportedIsNamed) {
  const std::string admission =
      "admission { name: 'no' effect: DENY match { purpose: 'spam' } }\n"
      "admission { name: 'one' effect: ALLOW match { experiment: 'one' } }\n"
      "admission { name: 'two' effect: ALLOW match { experiment: 'two' } }\n";
  EXPECT_EQ(
      Dead(absl::StrCat(admission, Export("e", "admission_rule: 'no' admission_rule: 'one'"),
                        kKeepAll)),
      (Said{"export rule \"e\": match.admission_rule: \"no\" is never reached: admission rule "
            "\"no\" never admits anything; admit what it is for, or take it out"}));
  EXPECT_EQ(
      Dead(absl::StrCat(admission, Export("e", "admission_rule: 'one' experiment: 'two'"),
                        kKeepAll)),
      (Said{"export rule \"e\": match.experiment: \"two\" is never reached: admission rule \"one\" "
            "never admits experiment \"two\"; admit what it is for, or take it out",
            "export rule \"e\": match.admission_rule: \"one\" is never reached: admission rule "
            "\"one\" never admits experiment \"two\"; admit what it is for, or take it out"}));
  EXPECT_EQ(Dead(absl::StrCat(admission, Export("e", "admission_rule: 'two' experiment: 'two'"),
                              kKeepAll)),
            Said());
}

TEST(DeadRulesTest, ADisclosureRuleThatOthersMakeRedundantIsNamed) {
  const std::string base = absl::StrCat(kAllMayTest, kKeepAll);
  const std::string wide = Disclosure(
      "wide", "role: 'public' role: 'partner' state: 'released' field: 'outline' field: 'client'");
  const std::string narrow =
      Disclosure("narrow", "role: 'partner' state: 'released' field: 'client'");
  const Said named{
      "disclosure rule \"narrow\": never reached: \"wide\" allows all it allows; remove it"};
  EXPECT_EQ(Dead(base + wide + narrow), named);
  EXPECT_EQ(Dead(base + narrow + wide), named) << "in either order: all of them allow";
  // Two alike: the later. And not both, or nothing would be left.
  EXPECT_EQ(Dead(base + narrow +
                 Disclosure("again",
                            "role: 'partner' state: 'released' "
                            "field: 'client'")),
            (Said{"disclosure rule \"again\": never reached: \"narrow\" allows all it allows; "
                  "remove it"}));
  // Several together.
  EXPECT_EQ(
      Dead(base + wide + Disclosure("more", "role: 'partner' state: 'anonymised' field: 'client'") +
           Disclosure("both",
                      "role: 'partner' state: 'anonymised' state: 'released' "
                      "field: 'client'")),
      (Said{"disclosure rule \"both\": never reached: \"wide\", \"more\" together allow all it "
            "allows; remove it"}));
  EXPECT_EQ(Dead(base + wide +
                 Disclosure("other", "role: 'partner' state: 'released' field: 'metadata'")),
            Said());
}

// Whoever writes such a rule believes that it opens what stays closed.
TEST(DeadRulesTest, ADisclosureRuleBeyondTheCeilingIsNamed) {
  const std::string base = absl::StrCat(kAllMayTest, kKeepAll);
  EXPECT_EQ(
      Dead(base + Disclosure("early",
                             "role: 'researcher' role: 'public' state: 'embargoed' "
                             "state: 'released' field: 'client'")),
      (Said{"disclosure rule \"early\": \"public\" reading what is \"embargoed\" is never reached: "
            "before its release a record is read by the researchers of its experiment and the "
            "operator alone, whatever a rule says; take it out"}));
  for (size_t role = 0; role < kRoleNames.size(); ++role) {
    for (size_t state = 0; state < kStateNames.size(); ++state) {
      const auto release_state = static_cast<record::v1::ReleaseState>(state + 1);
      Fields reachable;
      for (const auto release_class : {record::v1::PUBLIC, record::v1::OPERATOR_ONLY}) {
        reachable =
            reachable | DisclosureCeiling(static_cast<Role>(role), release_state, release_class);
      }
      const std::string rule = absl::StrCat("role: '", kRoleNames[role], "' state: '",
                                            kStateNames[state], "' field: 'outline'");
      EXPECT_EQ(Dead(base + Disclosure("d", rule)).empty(), !reachable.Empty()) << rule;
    }
  }
}

TEST(DeadRulesTest, ALongListOfPrefixesIsCheckedInItsLength) {
  std::string rules = "admission { name: 'none' effect: DENY match { experiment: 'gone' } }\n";
  for (int i = 0; i < 20'000; ++i) {
    absl::StrAppend(&rules, "admission { name: 'n", i, "' effect: ALLOW match { client: '10.",
                    i / 256, ".", i % 256, ".0/24' } }\n");
  }
  const Said said = Dead(absl::StrCat(rules, Export("e", "experiment: 'gone'"), kKeepAll));
  ASSERT_EQ(said.size(), 1u);
  EXPECT_NE(said[0].find("admission rule \"none\" decides before"), std::string::npos) << said[0];
}

}  // namespace
}  // namespace weir::control

#include "control/admission/check.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <sstream>

#include "tests/unit/control/config/temp_dir.h"

namespace weir::control {
namespace {

constexpr char kGood[] = R"(profile: "lab"
admission { name: "all" effect: ALLOW limit { rate_bps: 5 } serves { document: "d" text: "Let them test." } }
export { name: "keep" effect: ALLOW address: "full" release_class: "operator_only"
         serves { document: "d" text: "Keep what they measure." } }
)";

TEST(CheckPoliciesTest, ListsRulesAndFaults) {
  const TempDir dir;
  const std::string good = dir.Write("good", kGood);
  const std::string bad = dir.Write("bad", "profile: \"lab\"\nadmission { name: \"x\" }\n");
  std::ostringstream out, err;
  EXPECT_EQ(CheckPolicies({good}, false, out, err), 0);
  EXPECT_NE(out.str().find("allow all"), std::string::npos) << out.str();
  EXPECT_NE(out.str().find("deny  default_deny"), std::string::npos) << out.str();
  EXPECT_EQ(err.str(), "");
  EXPECT_EQ(CheckPolicies({good, bad}, false, out, err), 2);
  EXPECT_NE(err.str().find(bad + ":2: admission rule \"x\": effect: required"), std::string::npos)
      << err.str();
}

TEST(CheckPoliciesTest, UnreachableRuleFailsTheCheck) {
  const TempDir dir;
  const std::string file =
      dir.Write("p", std::string(kGood) + "admission { name: \"more\" effect: ALLOW }\n");
  std::ostringstream out, err;
  EXPECT_EQ(CheckPolicies({file}, false, out, err), 2);
  EXPECT_NE(err.str().find("\"more\": never reached"), std::string::npos) << err.str();
}

TEST(CheckPoliciesTest, ARuleWithoutItsSentenceFailsTheCheck) {
  const TempDir dir;
  const std::string file =
      dir.Write("p", "profile: \"lab\"\nadmission { name: \"y\" effect: DENY }\n");
  std::ostringstream out, err;
  EXPECT_EQ(CheckPolicies({file, dir.Write("good", kGood)}, false, out, err), 2);
  EXPECT_NE(err.str().find(":2: admission rule \"y\": serves: name the sentence"),
            std::string::npos)
      << err.str();
  EXPECT_NE(out.str().find("serves d: \"Let them test.\""), std::string::npos) << out.str();
}

TEST(CheckPoliciesTest, JsonIsOneDocument) {
  const TempDir dir;
  const std::string good = dir.Write("good \"quoted\"", kGood);
  std::ostringstream out, err;
  EXPECT_EQ(CheckPolicies({good, "/nonexistent"}, true, out, err), 2);
  google::protobuf::Struct document;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(out.str(), &document).ok()) << out.str();
  const auto& policies = document.fields().at("policies").list_value();
  ASSERT_EQ(policies.values_size(), 2);
  const auto& first = policies.values(0).struct_value().fields();
  EXPECT_EQ(first.at("file").string_value(), good);
  EXPECT_TRUE(first.at("ok").bool_value());
  EXPECT_EQ(first.at("policy").struct_value().fields().at("profile").string_value(), "lab");
  const auto& second = policies.values(1).struct_value().fields();
  EXPECT_FALSE(second.at("ok").bool_value());
  EXPECT_EQ(second.at("errors").list_value().values_size(), 1);
}

// What ships must start.
TEST(CheckPoliciesTest, ShippedPoliciesAreSound) {
  std::ostringstream out, err;
  const std::string root = WEIR_SOURCE_ROOT "/deploy/policies/";
  EXPECT_EQ(CheckPolicies({root + "lab.textproto", root + "mlab-2026.textproto",
                           root + "seed-2009.textproto"},
                          false, out, err),
            0)
      << err.str();
}

}  // namespace
}  // namespace weir::control

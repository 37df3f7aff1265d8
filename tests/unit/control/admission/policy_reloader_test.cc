#include "control/admission/policy_reloader.h"

#include <gtest/gtest.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <atomic>
#include <filesystem>
#include <thread>
#include <vector>

#include "control/store/sqlite.h"
#include "tests/unit/control/config/temp_dir.h"

namespace weir::control {
namespace {

using measurement::v1::ReloadPolicyReply;

// Admission and export of one policy carry one name: a mixture of two is seen.
std::string PolicyText(const std::string& name) {
  return "profile: \"lab\"\nadmission { name: \"" + name + "\" effect: ALLOW }\nexport { name: \"" +
         name + "\" effect: ALLOW match { admission_rule: \"" + name +
         "\" } address: \"full\" release_class: \"public\" }\n";
}

class PolicyReloaderTest : public testing::Test {
 protected:
  PolicyReloaderTest()
      : file_(dir_.Write("policy", PolicyText("first"))),
        admission_({.operator_name = "o", .contact = "c"}, *LoadPolicy({file_})),
        store_(*Store::Open({.path = dir_.File("weir.db")})),
        reloader_({file_}, &admission_, store_.get(), &metrics_) {}

  std::string Metric(const std::string& name) const {
    const std::string text =
        "\n" + prometheus::TextSerializer().Serialize(metrics_.registry()->Collect());
    const size_t at = text.find("\n" + name + " ");
    if (at == std::string::npos) return "";
    const size_t value = at + name.size() + 2;
    return text.substr(value, text.find('\n', value) - value);
  }
  std::string Audited(const std::string& event) {
    EXPECT_TRUE(store_->Flush().ok());
    auto db = Database::Open(dir_.File("weir.db"), SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX);
    return *db->QueryText(
        "SELECT ifnull(group_concat(detail, '|'), '') FROM audit WHERE event = '" + event + "'");
  }

  const TempDir dir_;
  const std::string file_;
  Admission admission_;
  const std::unique_ptr<Store> store_;
  Metrics metrics_{"v"};
  PolicyReloader reloader_;
};

TEST_F(PolicyReloaderTest, AppliesANewPolicy) {
  const std::string before = admission_.policy()->digest();
  dir_.Write("policy", PolicyText("second"));
  const ReloadPolicyReply reply = reloader_.Reload("test");
  EXPECT_EQ(reply.result(), ReloadPolicyReply::APPLIED);
  EXPECT_EQ(reply.previous_digest(), before);
  EXPECT_EQ(reply.policy_digest(), admission_.policy()->digest());
  EXPECT_NE(reply.policy_digest(), before);
  EXPECT_TRUE(admission_.policy()->MatchExport("", "second").allowed);
  EXPECT_EQ(Metric("weir_policy_reloads_total{result=\"applied\"}"), "1");
  EXPECT_NE(Audited("policy_applied")
                .find("test: lab, " + reply.policy_digest() + " instead of " + before),
            std::string::npos)
      << Audited("policy_applied");
}

TEST_F(PolicyReloaderTest, TheSameFileChangesNothing) {
  const std::shared_ptr<const Policy> before = admission_.policy();
  EXPECT_EQ(reloader_.Reload("test").result(), ReloadPolicyReply::UNCHANGED);
  EXPECT_EQ(admission_.policy(), before);
  EXPECT_NE(Audited("policy_unchanged"), "");
}

TEST_F(PolicyReloaderTest, KeepsTheLastGoodPolicyAndSaysWhy) {
  const std::shared_ptr<const Policy> good = admission_.policy();
  const std::string whole = PolicyText("second");
  // Cut anywhere but at its last newline, the text of a half-written file never replaces a whole
  // one, not even where what is left is a policy of its own.
  for (size_t length = 0; length < whole.size() - 1; ++length) {
    dir_.Write("policy", whole.substr(0, length));
    const ReloadPolicyReply reply = reloader_.Reload("test");
    ASSERT_EQ(reply.result(), ReloadPolicyReply::KEPT_LAST_GOOD) << length;
    ASSERT_GT(reply.errors_size(), 0);
    EXPECT_EQ(reply.policy_digest(), good->digest());
    EXPECT_EQ(admission_.policy(), good);
  }
}

TEST_F(PolicyReloaderTest, EveryFaultIsReportedEverywhere) {
  const std::shared_ptr<const Policy> good = admission_.policy();
  dir_.Write("policy", "profile: \"lab\"\nadmission { name: \"x\" }\nexport { name: \"y\" }\n");
  ReloadPolicyReply reply = reloader_.Reload("test");
  ASSERT_EQ(reply.errors_size(), 2);
  EXPECT_NE(reply.errors(0).find(file_ + ":2: admission rule \"x\": effect: required"),
            std::string::npos);
  std::filesystem::remove(file_);
  reply = reloader_.Reload("test");
  EXPECT_EQ(reply.result(), ReloadPolicyReply::KEPT_LAST_GOOD);
  EXPECT_NE(reply.errors(0).find("No such file"), std::string::npos);
  EXPECT_EQ(admission_.policy(), good);
  EXPECT_EQ(Metric("weir_policy_reloads_total{result=\"kept\"}"), "2");
  EXPECT_EQ(Metric("weir_policy_current"), "0");
  EXPECT_NE(Audited("policy_kept").find("effect: required"), std::string::npos);
  EXPECT_NE(Audited("policy_kept").find("No such file"), std::string::npos);

  dir_.Write("policy", PolicyText("first"));
  EXPECT_EQ(reloader_.Reload("test").result(), ReloadPolicyReply::UNCHANGED);
  EXPECT_EQ(Metric("weir_policy_current"), "1");
}

TEST_F(PolicyReloaderTest, NoReaderSeesHalfOfEach) {
  std::atomic<bool> stop{false};
  std::atomic<int> mixed{0};
  std::thread reader([&] {
    while (!stop) {
      const std::shared_ptr<const Policy> policy = admission_.policy();
      const std::string rule = policy->layers()[0]->proto().admission(0).name();
      if (policy->MatchExport("", rule).rule != rule) ++mixed;
    }
  });
  for (int i = 0; i < 50; ++i) {
    dir_.Write("policy", PolicyText("p" + std::to_string(i)));
    EXPECT_EQ(reloader_.Reload("test").result(), ReloadPolicyReply::APPLIED);
  }
  stop = true;
  reader.join();
  EXPECT_EQ(mixed, 0);
}

}  // namespace
}  // namespace weir::control

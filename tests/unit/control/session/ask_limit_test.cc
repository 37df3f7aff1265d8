#include "control/session/ask_limit.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace weir::control {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;

TEST(AskLimit, FewQuestionsAMinuteFromOneNetwork) {
  AskLimit limit("lookups", {.of_network = 20, .of_all = 600});
  for (uint32_t i = 0; i < 20; ++i) {
    EXPECT_TRUE(limit.Count(absl::StrCat("2001:db8::", i), kSecondNs).ok()) << i;
  }
  const absl::Status refused = limit.Count("2001:db8::ffff", 2 * kSecondNs);
  EXPECT_TRUE(absl::IsPermissionDenied(refused));
  EXPECT_NE(refused.message().find("lookups are answered"), std::string::npos) << refused;
  EXPECT_TRUE(limit.Count("2001:db8:0:1::", 2 * kSecondNs).ok());  // Another /64.
  EXPECT_TRUE(limit.Count("2001:db8::ffff", 61 * kSecondNs).ok());
}

TEST(AskLimit, FewQuestionsAMinuteFromEverywhere) {
  AskLimit limit("lookups", {.of_network = 20, .of_all = 600});
  uint32_t answered = 0;
  for (uint32_t i = 0; i < 1200; ++i) {
    answered += limit.Count(absl::StrCat("10.", i / 256, ".", i % 256, ".1"), kSecondNs).ok();
  }
  EXPECT_EQ(answered, 600u);
}

TEST(AskLimit, AskersWithoutAnAddressAreCountedTogether) {
  AskLimit limit("reports", {.of_network = 1, .of_all = 10});
  EXPECT_TRUE(limit.Count("", kSecondNs).ok());
  EXPECT_TRUE(absl::IsPermissionDenied(limit.Count("unix", kSecondNs)));
  EXPECT_TRUE(limit.Count("192.0.2.1", kSecondNs).ok());
}

}  // namespace
}  // namespace weir::control

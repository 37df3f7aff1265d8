#include "control/store/rejection_tally.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace weir::control {
namespace {

TEST(RejectionTallyTest, IsBoundedAndLosesNoCount) {
  RejectionTally tally;
  measurement::v1::Rejection rejection;
  rejection.set_stage("decide");
  rejection.set_rule("default_deny");
  constexpr int kFlood = 10'000;
  for (int i = 0; i < kFlood; ++i) {
    tally.Add(rejection, absl::StrCat("10.", i / 256, ".", i % 256, ".1"), 61'000'000'000);
  }
  EXPECT_LE(tally.entries().size(), RejectionTally::kMaxKeys + 1);
  uint64_t total = 0;
  for (const auto& [key, entry] : tally.entries()) {
    total += entry.count;
    EXPECT_EQ(key.minute_unix_ns, 60'000'000'000);
  }
  EXPECT_EQ(total, static_cast<uint64_t>(kFlood));
}

TEST(RejectionTallyTest, ReturnAddsToWhatCameMeanwhile) {
  RejectionTally tally;
  measurement::v1::Rejection rejection;
  rejection.set_rule("r");
  tally.Add(rejection, "", 0);
  auto taken = tally.Take();
  EXPECT_TRUE(tally.empty());
  tally.Add(rejection, "not an address", 1);
  tally.Return(std::move(taken));
  ASSERT_EQ(tally.entries().size(), 1u);
  EXPECT_EQ(tally.entries().begin()->second.count, 2u);
}

}  // namespace
}  // namespace weir::control

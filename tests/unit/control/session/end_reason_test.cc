#include "control/session/end_reason.h"

#include <gtest/gtest.h>

namespace weir::control {
namespace {

TEST(EndReason, NamesEachReasonOfTheDataplane) {
  for (int reason = dataplane::v1::END_DURATION; dataplane::v1::EndReason_IsValid(reason);
       ++reason) {
    const auto value = static_cast<dataplane::v1::EndReason>(reason);
    EXPECT_NE(EndReasonName(value), "unknown") << reason;
    EXPECT_EQ(IsNormalEnd(value), IsNormalEndName(EndReasonName(value))) << reason;
  }
}

TEST(EndReason, TakesFromAPeerOnlyWhatIsAName) {
  EXPECT_EQ(PeerReason("feedback_lost", "peer_stopped"), "feedback_lost");
  for (const std::string& text :
       {std::string(), std::string("call 555-1234"), std::string("Über"), std::string(41, 'a')}) {
    EXPECT_EQ(PeerReason(text, "peer_stopped"), "peer_stopped");
  }
}

}  // namespace
}  // namespace weir::control

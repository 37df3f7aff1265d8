#include "control/session/uuid.h"

#include <gtest/gtest.h>

namespace weir::control {
namespace {

TEST(Uuid, IsVersion7AndOrderedByTime) {
  const std::string early = Uuid::Generate(1'700'000'000'000).ToString();
  const std::string late = Uuid::Generate(1'700'000'000'001).ToString();
  EXPECT_EQ(early.size(), 36u);
  EXPECT_EQ(early[14], '7');
  EXPECT_NE(std::string("89ab").find(early[19]), std::string::npos);
  EXPECT_LT(early, late);
}

TEST(Uuid, IsNeverTheSameTwice) { EXPECT_FALSE(Uuid::Generate(5) == Uuid::Generate(5)); }

TEST(Uuid, RoundTripsAsTextAndBytes) {
  const Uuid uuid = Uuid::Generate(1'700'000'000'000);
  EXPECT_EQ(Uuid::Parse(uuid.ToString()), uuid);
  EXPECT_EQ(Uuid::FromBytes(uuid.Bytes()), uuid);
  EXPECT_EQ(uuid.Bytes().size(), 16u);
}

TEST(Uuid, RefusesWhatIsNone) {
  for (const char* text :
       {"", "01a20c6d-d593-7e8d-9e78-14615cefe07", "01a20c6d-d593-7e8d-9e78-14615cefe0761",
        "01a20c6dxd593-7e8d-9e78-14615cefe076", "g1a20c6d-d593-7e8d-9e78-14615cefe076"}) {
    EXPECT_FALSE(Uuid::Parse(text).has_value()) << text;
  }
  EXPECT_FALSE(Uuid::FromBytes("short").has_value());
}

}  // namespace
}  // namespace weir::control

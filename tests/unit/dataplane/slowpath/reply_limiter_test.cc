#include "dataplane/slowpath/reply_limiter.h"

#include <gtest/gtest.h>

namespace weir::dataplane {
namespace {

constexpr uint64_t kLimiterSecond = 1'000'000'000;

uint64_t AllowedBytes(uint32_t frame, uint64_t* replies) {
  ReplyLimiter limiter;
  *replies = 0;
  for (uint64_t now = kLimiterSecond; now < 3 * kLimiterSecond; now += 10'000) {
    if (limiter.Allow(now, frame)) ++*replies;
  }
  return *replies * frame;
}

TEST(ReplyLimiter, LimitsRepliesOfAnySize) {
  for (const uint32_t frame : {60u, 98u, 124u, 126u, 500u, 1514u}) {
    uint64_t replies = 0;
    const uint64_t bits = AllowedBytes(frame, &replies) * 8;
    // Two seconds, and the depth of the bucket.
    EXPECT_LE(replies, 2'100u) << frame;
    EXPECT_LE(bits, 2'100'000u) << frame;
    EXPECT_TRUE(replies >= 2'000u || bits >= 2'000'000u - 8 * frame) << frame;
  }
}

TEST(ReplyLimiter, DoesNotSaveUpWhileIdle) {
  ReplyLimiter limiter;
  uint64_t allowed = 0;
  for (int i = 0; i < 1'000; ++i) allowed += limiter.Allow(3'600 * kLimiterSecond, 60) ? 1 : 0;
  EXPECT_EQ(allowed, 100u);
}

}  // namespace
}  // namespace weir::dataplane

#include "dataplane/worker/main_wakeup.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <cstdint>
#include <thread>

namespace weir::dataplane {
namespace {

bool Asked(const MainWakeup& wakeup, int wait_ms = 0) {
  pollfd event{wakeup.fd(), POLLIN, 0};
  return poll(&event, 1, wait_ms) == 1;
}

TEST(MainWakeup, AsksOnceForEachSleep) {
  MainWakeup wakeup;
  ASSERT_GE(wakeup.fd(), 0);
  wakeup.Wake();
  EXPECT_FALSE(Asked(wakeup)) << "it was awake";

  for (int sleep = 0; sleep < 3; ++sleep) {
    wakeup.Arm();
    EXPECT_FALSE(Asked(wakeup));
    for (int i = 0; i < 100; ++i) wakeup.Wake();
    EXPECT_TRUE(Asked(wakeup));
    uint64_t written = 0;
    EXPECT_EQ(read(wakeup.fd(), &written, sizeof(written)), static_cast<ssize_t>(sizeof(written)));
    EXPECT_EQ(written, 1u);
    wakeup.Disarm();
    wakeup.Wake();
    EXPECT_FALSE(Asked(wakeup));
  }
}

// What a worker gave is either seen before the sleep or ends it: without a time limit a lost
// wake-up would hang here.
TEST(MainWakeup, LosesNone) {
  constexpr uint64_t kGiven = 20'000;
  MainWakeup wakeup;
  std::atomic<uint64_t> given{0};
  std::atomic<uint64_t> taken{0};
  std::thread worker([&] {
    for (uint64_t i = 1; i <= kGiven; ++i) {
      while (taken.load(std::memory_order_acquire) + 1 < i) std::this_thread::yield();
      given.store(i, std::memory_order_release);
      wakeup.Wake();
    }
  });
  while (taken.load(std::memory_order_relaxed) < kGiven) {
    wakeup.Arm();
    if (given.load(std::memory_order_acquire) == taken.load(std::memory_order_relaxed)) {
      EXPECT_TRUE(Asked(wakeup, 30'000));
    }
    wakeup.Disarm();
    taken.store(given.load(std::memory_order_acquire), std::memory_order_release);
  }
  worker.join();
}

}  // namespace
}  // namespace weir::dataplane

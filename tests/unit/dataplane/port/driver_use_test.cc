#include "dataplane/port/driver_use.h"

#include <gtest/gtest.h>
#include <rte_alarm.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <memory>
#include <thread>

namespace weir::dataplane {
namespace {

using std::chrono::milliseconds;

// A page that EAL's interrupt thread unmaps, as a driver does there.
class UnmappedByDriver {
 public:
  UnmappedByDriver() {
    const auto run = [](void* self) { static_cast<UnmappedByDriver*>(self)->Unmap(); };
    EXPECT_EQ(rte_eal_alarm_set(1, run, this), 0);
  }
  ~UnmappedByDriver() { WaitFor(milliseconds(10'000)); }

  // True: it is unmapped by then.
  bool WaitFor(milliseconds time) const {
    const auto deadline = std::chrono::steady_clock::now() + time;
    while (!done_ && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(milliseconds(1));
    }
    return done_;
  }

 private:
  void Unmap() {
    const auto size = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    void* const page =
        mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT_NE(page, MAP_FAILED);
    EXPECT_EQ(munmap(page, size), 0);
    done_ = true;
  }

  std::atomic<bool> done_{false};
};

TEST(DriverUse, ADriverUnmapsWhenAllHaveLeftIt) {
  DriverUse first;
  DriverUse second;
  const UnmappedByDriver page;
  EXPECT_FALSE(page.WaitFor(milliseconds(50)));
  first.Leave();
  EXPECT_FALSE(page.WaitFor(milliseconds(50)));
  second.Leave();
  EXPECT_TRUE(page.WaitFor(milliseconds(10'000)));
}

TEST(DriverUse, ADriverDoesNotWaitForThoseThatAreGone) {
  auto gone = std::make_unique<DriverUse>();
  const UnmappedByDriver page;
  EXPECT_FALSE(page.WaitFor(milliseconds(50)));
  gone.reset();
  EXPECT_TRUE(page.WaitFor(milliseconds(10'000)));
}

TEST(DriverUse, OnAnyOtherThreadNothingIsWaitedFor) {
  const DriverUse inside;
  const auto size = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  void* const page =
      mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(page, MAP_FAILED);
  EXPECT_EQ(munmap(page, size), 0);
  EXPECT_NE(munmap(reinterpret_cast<void*>(1), size), 0);
  EXPECT_EQ(errno, EINVAL);
}

}  // namespace
}  // namespace weir::dataplane

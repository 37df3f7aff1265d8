#include "dataplane/worker/worker.h"

#include <gtest/gtest.h>
#include <rte_ethdev.h>

#include <chrono>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "dataplane/clock/clock.h"
#include "dataplane/counters/segment.h"
#include "dataplane/port/port.h"
#include "tests/unit/dataplane/eal_environment.h"

namespace weir::dataplane {
namespace {

constexpr std::chrono::seconds kPatience{30};

// A worker that sends on a ring: device, which gives what was sent to this test.
class CarrierTest : public ::testing::Test {
 protected:
  void SetUp() override {
    port_ = testing::OpenTestPort("ring:", "");
    ASSERT_NE(port_, nullptr);
    clock_.Calibrate();
    Result<Segment> segment = Segment::Create(kSlots, 1, 1, 0, {});
    ASSERT_TRUE(segment.ok());
    segment_ = std::make_unique<Segment>(std::move(segment.value()));
    WorkerSettings settings;
    settings.socket = SOCKET_ID_ANY;
    settings.ethdev = port_->ethdev();
    settings.slots = kSlots;
    settings.carries_main_frames = true;
    auto worker = Worker::Create(settings, clock_, segment_->writer(), wakeup_);
    ASSERT_TRUE(worker.ok());
    worker_ = std::move(*worker);
    pool_ = rte_pktmbuf_pool_create("main-frames", 2047, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
                                    SOCKET_ID_ANY);
    ASSERT_NE(pool_, nullptr);
  }
  void TearDown() override {
    EXPECT_EQ(rte_mempool_in_use_count(pool_), 0u);
    rte_mempool_free(pool_);
  }

  // As Port::SendFromMain does. False: there is no room.
  bool Give(uint8_t mark) {
    rte_mbuf* const frame = rte_pktmbuf_alloc(pool_);
    if (frame == nullptr) return false;
    std::memset(rte_pktmbuf_append(frame, kFrameBytes), mark, kFrameBytes);
    if (rte_ring_enqueue(worker_->main_frames(), frame) != 0) {
      rte_pktmbuf_free(frame);
      return false;
    }
    worker_->Wake();
    return true;
  }

  // The marks of what left since the last time.
  std::vector<uint8_t> Take() {
    std::vector<uint8_t> marks;
    rte_mbuf* frame;
    while (rte_eth_rx_burst(port_->ethdev(), 0, &frame, 1) == 1) {
      marks.push_back(*rte_pktmbuf_mtod(frame, const uint8_t*));
      rte_pktmbuf_free(frame);
    }
    return marks;
  }

  static constexpr uint32_t kSlots = 16;
  static constexpr uint16_t kFrameBytes = 60;
  std::unique_ptr<Port> port_;
  Clock clock_;
  std::unique_ptr<Segment> segment_;
  MainWakeup wakeup_;
  std::unique_ptr<Worker> worker_;
  rte_mempool* pool_ = nullptr;
};

TEST_F(CarrierTest, SendsAllInOrderWhateverThePortRefuses) {
  constexpr size_t kFrames = 20'000;
  std::vector<uint8_t> marks;
  std::thread thread([this] { worker_->Run(); });
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (size_t given = 0; marks.size() < kFrames;) {
    if (std::chrono::steady_clock::now() > deadline) break;
    if (given < kFrames && Give(static_cast<uint8_t>(given))) {
      ++given;
      continue;
    }
    // The port is full, and so is what leads to it.
    const std::vector<uint8_t> more = Take();
    marks.insert(marks.end(), more.begin(), more.end());
    if (more.empty()) std::this_thread::yield();
  }
  worker_->Stop();
  thread.join();
  EXPECT_TRUE(Take().empty());
  ASSERT_EQ(marks.size(), kFrames);
  for (size_t i = 0; i < kFrames; ++i) ASSERT_EQ(marks[i], static_cast<uint8_t>(i));
}

TEST_F(CarrierTest, FreesAtItsEndWhatItDidNotSend) {
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(Give(0));
  worker_->Stop();
  worker_->Run();
  EXPECT_TRUE(Take().empty());
}

}  // namespace
}  // namespace weir::dataplane

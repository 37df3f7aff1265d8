// One worker: one lcore that owns its queues and runs to completion.
#ifndef WEIR_DATAPLANE_WORKER_WORKER_H_
#define WEIR_DATAPLANE_WORKER_WORKER_H_

#include <rte_ring.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/clock/clock.h"
#include "dataplane/flow/flow_slots.h"
#include "dataplane/result.h"
#include "dataplane/rx/rx_burst.h"
#include "dataplane/tx/tx_burst.h"
#include "dataplane/tx/tx_pool.h"
#include "dataplane/worker/main_wakeup.h"
#include "dataplane/worker/worker_config.h"
#include "ipc/seqpacket.h"
#include "shm/segment.h"

namespace weir::dataplane {

struct WorkerSettings {
  uint32_t index = 0;
  unsigned lcore = 0;
  int socket = 0;
  uint16_t port_index = 0;
  uint16_t ethdev = 0;
  std::vector<uint16_t> rx_queues;
  uint16_t tx_queue = 0;
  uint16_t vlan = 0;
  uint32_t mtu = 1500;
  uint32_t slots = 0;
  bool carries_main_frames = false;  // The main lcore has no TX queue of its own.
  bool connects = false;             // Port::connects
};

// Thread contract: Create, Wake, Stop and the accessors are the main lcore's; Run is the
// worker's own thread. What they share: `configs`, `flows`, the punt ring, the main lcore's
// frames, an eventfd and MainWakeup.
class Worker {
 public:
  // `clock`, `segment` and `main_lcore` outlive the worker. It wakes that for what it punts, and
  // when a flow that sends has ended.
  static Result<std::unique_ptr<Worker>> Create(const WorkerSettings& settings, const Clock& clock,
                                                shm::SegmentWriter segment, MainWakeup& main_lcore);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Polls until Stop. On the worker's lcore.
  void Run();

  // Main lcore.
  void Stop();
  void Wake();
  rte_ring* punt_ring() const { return punt_ring_; }
  // Frames to be sent for it, which has none but this way until Run has ended. Null: none are.
  rte_ring* main_frames() const { return main_frames_; }
  const WorkerSettings& settings() const { return settings_; }

  ConfigExchange configs;
  FlowSlots flows;

 private:
  static constexpr uint32_t kCarried = 8;

  Worker(const WorkerSettings& settings, const Clock& clock, shm::SegmentWriter segment,
         MainWakeup& main_lcore);

  uint32_t Receive();
  uint32_t Transmit();
  void SendForMain();
  void FreeMainFrames();
  void Punt(rte_mbuf** mbufs, uint16_t count);
  void Housekeeping(uint64_t now_tsc);
  void SetSlack(uint64_t elapsed_cycles);
  void PublishFlows(uint64_t elapsed_cycles);
  void PublishSelf();
  void Rest(uint32_t idle_rounds);

  const WorkerSettings settings_;
  const Clock& clock_source_;
  const shm::SegmentWriter segment_;
  MainWakeup& main_lcore_;
  ipc::UniqueFd wakeup_;
  rte_ring* punt_ring_ = nullptr;
  rte_ring* main_frames_ = nullptr;
  TxPool tx_pool_;
  std::atomic<bool> stop_{false};

  // Worker's thread only.
  alignas(shm::kCacheLine) const WorkerConfig* config_ = nullptr;
  ClockLine clock_;
  TxBurst tx_burst_;
  RxDrops drops_;
  rte_mbuf* carried_[kCarried];  // Frames of the main lcore that the port has not taken yet.
  uint32_t carried_count_ = 0;
  shm::WorkerCounters counters_{};
  uint64_t publish_interval_cycles_ = 0;
  uint64_t last_publish_tsc_ = 0;
  uint64_t loops_published_ = 0;  // counters_.loops then.
  uint64_t least_slack_cycles_ = 0;
  uint64_t starved_threshold_cycles_ = 0;
  uint64_t publish_round_cycles_ = 0;
  size_t publish_cursor_ = 0;
  uint32_t publish_turn_ = 0;
};

// Workers lie one behind the other in memory: what one writes is on no line of another's.
static_assert(alignof(Worker) == shm::kCacheLine && sizeof(Worker) % shm::kCacheLine == 0);

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_WORKER_WORKER_H_

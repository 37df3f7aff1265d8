// What the main lcore tells a worker, and how the two meet without a lock.
#ifndef WEIR_DATAPLANE_WORKER_WORKER_CONFIG_H_
#define WEIR_DATAPLANE_WORKER_WORKER_CONFIG_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "dataplane/tx/tx_flow.h"
#include "shm/segment.h"

namespace weir::dataplane {

// The flows a worker serves. Immutable while it is the published one.
struct WorkerConfig {
  std::vector<TxFlow*> tx;   // In the order of their slots, which is that of memory.
  std::vector<uint32_t> rx;  // Slots.
  // Flows exist: poll without rest, else back off.
  bool active() const { return !tx.empty() || !rx.empty(); }
};

// Two configurations and an atomic index. The main lcore fills the one the worker does not use
// and flips; the worker adopts at housekeeping and says so. Until then the main lcore neither
// touches the other one nor frees a flow that was in it.
class ConfigExchange {
 public:
  // Main lcore. False: the worker has not adopted the last one yet; call again later.
  bool Publish(const WorkerConfig& config) {
    if (!adopted()) return false;
    const uint64_t next = published_.load(std::memory_order_relaxed) + 1;
    configs_[next & 1] = config;
    published_.store(next, std::memory_order_release);
    return true;
  }
  bool adopted() const {
    return adopted_.load(std::memory_order_acquire) == published_.load(std::memory_order_relaxed);
  }

  // Worker, at housekeeping. The reference is good until the next call.
  const WorkerConfig& Adopt() {
    const uint64_t current = published_.load(std::memory_order_acquire);
    adopted_.store(current, std::memory_order_release);
    return configs_[current & 1];
  }
  bool pending() const {
    return published_.load(std::memory_order_relaxed) != adopted_.load(std::memory_order_relaxed);
  }

 private:
  std::array<WorkerConfig, 2> configs_;
  alignas(shm::kCacheLine) std::atomic<uint64_t> published_{0};  // Written by main.
  alignas(shm::kCacheLine) std::atomic<uint64_t> adopted_{0};    // Written by the worker.
};

static_assert(sizeof(ConfigExchange) % shm::kCacheLine == 0);

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_WORKER_WORKER_CONFIG_H_

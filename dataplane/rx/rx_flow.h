// One flow being received by one worker: what identifies it and what is measured.
#ifndef WEIR_DATAPLANE_RX_RX_FLOW_H_
#define WEIR_DATAPLANE_RX_RX_FLOW_H_

#include <rte_prefetch.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>

#include "dataplane/flow/flow_spec.h"
#include "dataplane/rx/delay.h"
#include "dataplane/rx/sequence_tracker.h"
#include "shm/segment.h"

namespace weir::dataplane {

// A packet's addresses and ports as they lie in it, one behind the other: source and destination
// IP, source and destination port. IPv4 uses the first 12 bytes.
struct FlowKey {
  std::array<uint8_t, 36> bytes{};
  bool operator==(const FlowKey&) const = default;
};

// The key of the packets that come from `spec.remote` to `spec.local`.
FlowKey ReceiveKey(const FlowSpec& spec);

// Consecutive packets of one flow as they came out of one RX burst, an array for each field.
struct ArrivalRun {
  const uint32_t* sequence;   // Low 32 bits.
  const uint32_t* send_time;  // Low 32 bits, ns.
  const uint32_t* ip_bytes;
  const uint32_t* frame_bytes;  // With FCS.
  uint32_t count;               // 1 to kRxBurst.
};

inline constexpr uint16_t kRxBurst = 64;

// Each worker of a port has its own RxFlow for the same flow: whichever queue a packet comes
// in on, it is counted, and a reader merges. Made by the main lcore, written by the worker.
// Three cache lines a packet in order: what must match, then what is counted.
class RxFlow {
 public:
  RxFlow(const FlowSpec& spec, shm::LogHistogram* histogram)
      : cookie_(spec.cookie),
        key_(ReceiveKey(spec)),
        is_v4_(spec.remote.ip.is_v4()),
        histogram_(histogram),
        slot_(spec.slot),
        generation_(spec.generation) {}

  void Prefetch() const {
    rte_prefetch0(this);
    rte_prefetch0(&tracker_);
    rte_prefetch0(&bytes_);
  }

  // `key`: as FlowKey, in the packet.
  bool Matches(uint64_t cookie, const uint8_t* key, bool is_v4) const {
    if (cookie != cookie_ || is_v4 != is_v4_) return false;
    const uint8_t* const mine = key_.bytes.data();
    return is_v4 ? std::memcmp(key, mine, 12) == 0 : std::memcmp(key, mine, 36) == 0;
  }

  void Receive(const ArrivalRun& run, uint64_t now_ns) {
    dirty_ = true;
    if (tracker_.InOrder(run.sequence, run.count)) [[likely]] {
      tracker_.TrackInOrder(run.count);
      Measure(run, now_ns);
    } else {
      ReceiveOutOfOrder(run, now_ns);
    }
  }

  // Copies the counters to this worker's cell if they changed.
  void PublishTo(shm::RxCell& cell);

  uint32_t slot() const { return slot_; }

 private:
  // Packets that count: neither duplicates nor late.
  void Measure(const ArrivalRun& run, uint64_t now_ns) {
    uint64_t bytes = 0;
    uint64_t frame_bytes = 0;
    for (uint32_t i = 0; i < run.count; ++i) {
      bytes += run.ip_bytes[i];
      frame_bytes += run.frame_bytes[i];
    }
    bytes_ += bytes;
    frame_bytes_ += frame_bytes;
    if (first_ns_ == 0) first_ns_ = now_ns;
    last_ns_ = now_ns;
    last_bytes_ = run.ip_bytes[run.count - 1];
    delay_.Add(run.send_time, run.count, now_ns, clock_offset.load(std::memory_order_relaxed),
               histogram_);
  }

  void ReceiveOutOfOrder(const ArrivalRun& run, uint64_t now_ns);

  alignas(shm::kCacheLine) const uint64_t cookie_;
  const FlowKey key_;
  const bool is_v4_;
  shm::LogHistogram* const histogram_;  // Null: none asked for.

 public:
  // Written by the main lcore: receiver's minus sender's clock as the last beacon showed.
  std::atomic<int64_t> clock_offset{0};

 private:
  alignas(shm::kCacheLine) SequenceTracker tracker_;
  bool dirty_ = true;
  uint32_t last_bytes_ = 0;
  alignas(shm::kCacheLine) uint64_t bytes_ = 0;
  uint64_t frame_bytes_ = 0;
  uint64_t last_ns_ = 0;
  DelayTracker delay_;
  uint64_t first_ns_ = 0;

  const uint32_t slot_;
  const uint32_t generation_;

 public:
  // Main: the flow is out of the table, publish a last time. Worker: done.
  std::atomic<bool> stop{false};
  std::atomic<bool> final_published{false};

 private:
  HoleWindow holes_;
};

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_RX_RX_FLOW_H_

// One flow being received by one worker: what identifies it and what is measured.
#ifndef WEIR_DATAPLANE_RX_RX_FLOW_H_
#define WEIR_DATAPLANE_RX_RX_FLOW_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>

#include "dataplane/flow/flow_spec.h"
#include "dataplane/rx/delay.h"
#include "dataplane/rx/sequence_tracker.h"
#include "shm/segment.h"

namespace weir::dataplane {

// A packet's addresses and ports as they lie in it. IPv4 uses the first 8 bytes of `ip`.
struct FlowKey {
  std::array<uint8_t, 32> ip{};    // Source, then destination.
  std::array<uint8_t, 4> ports{};  // Source, then destination.
  bool operator==(const FlowKey&) const = default;
};

// The key of the packets that come from `spec.remote` to `spec.local`.
FlowKey ReceiveKey(const FlowSpec& spec);

// What a packet carried, as the classifier found it.
struct ReceivedPacket {
  uint32_t sequence;   // Low 32 bits.
  uint32_t send_time;  // Low 32 bits, ns.
  uint32_t ip_bytes;
  uint32_t frame_bytes;  // With FCS.
};

// Each worker of a port has its own RxFlow for the same flow: whichever queue a packet comes
// in on, it is counted, and a reader merges. Made by the main lcore, written by the worker.
class RxFlow {
 public:
  RxFlow(const FlowSpec& spec, shm::LogHistogram* histogram)
      : cookie_(spec.cookie),
        key_(ReceiveKey(spec)),
        key_ip_bytes_(spec.remote.ip.is_v4() ? 8 : 32),
        slot_(spec.slot),
        generation_(spec.generation),
        histogram_(histogram) {}

  bool Matches(uint64_t cookie, const uint8_t* ips, size_t ip_bytes, const uint8_t* ports) const {
    return cookie == cookie_ && ip_bytes == key_ip_bytes_ &&
           std::memcmp(ips, key_.ip.data(), ip_bytes) == 0 &&
           std::memcmp(ports, key_.ports.data(), key_.ports.size()) == 0;
  }

  void Receive(const ReceivedPacket& packet, uint64_t now_ns) {
    const uint64_t sequence = tracker_.Extend(packet.sequence);
    const SequenceTracker::Verdict verdict = tracker_.Track(sequence, holes_);
    dirty_ = true;
    if (verdict != SequenceTracker::Verdict::kInOrder &&
        verdict != SequenceTracker::Verdict::kReordered) {
      return;
    }
    bytes_ += packet.ip_bytes;
    wire_bytes_ += packet.frame_bytes;
    if (first_ns_ == 0) first_ns_ = now_ns;
    last_ns_ = now_ns;
    last_bytes_ = packet.ip_bytes;
    delay_.Add(packet.send_time, now_ns, clock_offset.load(std::memory_order_relaxed), histogram_);
  }

  // Copies the counters to this worker's cell if they changed.
  void PublishTo(shm::RxCell& cell);

  uint32_t slot() const { return slot_; }

  // Written by the main lcore: receiver's minus sender's clock as the last beacon showed.
  std::atomic<int64_t> clock_offset{0};
  // Main: the flow is out of the table, publish a last time. Worker: done.
  std::atomic<bool> stop{false};
  std::atomic<bool> final_published{false};

 private:
  const uint64_t cookie_;
  const FlowKey key_;
  const size_t key_ip_bytes_;
  const uint32_t slot_;
  const uint32_t generation_;
  shm::LogHistogram* const histogram_;  // Null: none asked for.

  alignas(shm::kCacheLine) SequenceTracker tracker_;
  DelayTracker delay_;
  uint64_t bytes_ = 0;
  uint64_t wire_bytes_ = 0;
  uint64_t first_ns_ = 0;
  uint64_t last_ns_ = 0;
  uint32_t last_bytes_ = 0;
  bool dirty_ = true;
  HoleWindow holes_;
};

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_RX_RX_FLOW_H_

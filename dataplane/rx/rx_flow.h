// One flow being received by one worker: what identifies it and what is measured.
#ifndef WEIR_DATAPLANE_RX_RX_FLOW_H_
#define WEIR_DATAPLANE_RX_RX_FLOW_H_

#include <rte_prefetch.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "dataplane/flow/flow_spec.h"
#include "dataplane/rx/delay.h"
#include "dataplane/rx/plain_header.h"
#include "dataplane/rx/sequence_tracker.h"
#include "shm/segment.h"

namespace weir::dataplane {

inline constexpr uint16_t kRxBurst = 64;

// What a packet carried.
struct ReceivedPacket {
  uint32_t sequence;     // Low 32 bits.
  uint32_t send_time;    // Low 32 bits, ns.
  uint32_t ip_bytes;     // Not 0.
  uint32_t frame_bytes;  // With FCS.
};

// Each worker of a port has its own RxFlow for the same flow: whichever queue a packet comes
// in on, it is counted, and a reader merges. Made by the main lcore, written by the worker.
// A packet touches three cache lines: what must match, then what is counted.
class RxFlow {
 public:
  RxFlow(const FlowSpec& spec, uint16_t vlan, shm::LogHistogram* histogram)
      : header_(spec, vlan),
        histogram_(histogram),
        slot_(spec.slot),
        generation_(spec.generation) {}

#ifndef __SANITIZE_ADDRESS__
  static void* operator new(size_t);
  static void operator delete(void* memory);
#endif

  void Prefetch() const {
    rte_prefetch0(this);
    rte_prefetch0(&tracker_);
    rte_prefetch0(&delay_);
  }

  const PlainHeader& header() const { return header_; }

  // Packets of one flow that came one behind the other in a burst: what they add to it. Begins
  // with Start, ends with Finish.
  struct Run {
    RxFlow* flow = nullptr;  // Null: not started.
    uint32_t count;          // Measured: neither duplicates nor late.
    uint32_t last_bytes;
    uint64_t ip_bytes;
    uint64_t frame_bytes;
    uint32_t send_time[kRxBurst];

    void Start(RxFlow* of) {
      flow = of;
      count = 0;
      ip_bytes = 0;
      frame_bytes = 0;
    }
  };

  // Tracks consecutive packets with the number expected next in a register as long as they come in
  // order.
  class InOrder {
   public:
    explicit InOrder(RxFlow* flow) : flow_(flow) { Resume(); }

    // True: the packet is to be measured. False: a duplicate, or late; it is counted.
    bool Take(uint32_t sequence) {
      if (sequence == expected_) [[likely]] {
        if (!whole_) whole_ = flow_->tracker_.Reuse(sequence, flow_->disorder_->holes);
        ++expected_;
        return true;
      }
      Finish();
      const bool measured = flow_->Track(sequence);
      Resume();
      return measured;
    }

    void Finish() { flow_->tracker_.TrackInOrder(expected_ - first_); }

   private:
    void Resume() {
      first_ = expected_ = static_cast<uint32_t>(flow_->tracker_.next());
      whole_ = flow_->tracker_.Whole();
    }

    RxFlow* const flow_;
    uint32_t first_;
    uint32_t expected_;
    bool whole_;
  };

  // Any packet.
  void Add(const ReceivedPacket& packet, Run* run) {
    if (!Track(packet.sequence)) return;
    run->send_time[run->count++] = packet.send_time;
    run->ip_bytes += packet.ip_bytes;
    run->frame_bytes += packet.frame_bytes;
    run->last_bytes = packet.ip_bytes;
  }

  void Finish(const Run& run, uint64_t now_ns, DeferredCounts* deferred) {
    dirty_ = true;
    if (run.count == 0) return;
    bytes_ += run.ip_bytes;
    frame_bytes_ += run.frame_bytes;
    last_bytes_ = run.last_bytes;
    if (first_ns_ == 0) first_ns_ = now_ns;
    last_ns_ = now_ns;
    delay_.Add(run.send_time, run.count, now_ns, clock_offset.load(std::memory_order_relaxed),
               histogram_, deferred);
  }

  // Copies the counters to this worker's cell if they changed.
  void PublishTo(shm::RxCell& cell);

  uint32_t slot() const { return slot_; }

 private:
  // True: the packet is neither a duplicate nor late.
  bool Track(uint32_t sequence) {
    using Verdict = SequenceTracker::Verdict;
    const Verdict verdict = tracker_.Track(tracker_.Extend(sequence), *disorder_);
    return verdict == Verdict::kInOrder || verdict == Verdict::kReordered;
  }

  // What must match.
  const PlainHeader header_;

  // What is counted.
  alignas(shm::kCacheLine) SequenceTracker tracker_;
  uint64_t bytes_ = 0;
  uint64_t frame_bytes_ = 0;
  uint64_t last_ns_ = 0;
  shm::LogHistogram* const histogram_;  // Null: none asked for.
  uint32_t last_bytes_ = 0;
  bool dirty_ = true;

  alignas(shm::kCacheLine) DelayTracker delay_;
  uint64_t first_ns_ = 0;

 public:
  // Written by the main lcore: receiver's minus sender's clock as the last beacon showed.
  std::atomic<int64_t> clock_offset{0};

 private:
  // Not touched by a packet in order.
  alignas(shm::kCacheLine) const std::unique_ptr<Disorder> disorder_ = std::make_unique<Disorder>();
  const uint32_t slot_;
  const uint32_t generation_;

 public:
  // Main: the flow is out of the table, publish a last time. Worker: done.
  std::atomic<bool> stop{false};
  std::atomic<bool> final_published{false};
};

static_assert(sizeof(RxFlow) == 4 * shm::kCacheLine);

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_RX_RX_FLOW_H_

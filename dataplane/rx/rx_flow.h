// One flow being received by one worker: what identifies it and what is measured.
#ifndef WEIR_DATAPLANE_RX_RX_FLOW_H_
#define WEIR_DATAPLANE_RX_RX_FLOW_H_

#include <rte_prefetch.h>

#include <atomic>
#include <cstdint>

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
// in on, it is counted, and a reader merges. It lies in the worker's FlowSlots.
// A packet alone touches two cache lines, side by side: what is counted; whose it is, and delays. A
// run of packets touches a third, the header.
class RxFlow {
 public:
  RxFlow(const FlowSpec& spec, uint16_t vlan, shm::LogHistogram* histogram)
      : RxFlow(PlainHeader(spec, vlan), spec.generation, histogram) {}

  // What its packets will touch, but for the header.
  void Prefetch() const {
    rte_prefetch0_write(this);
    rte_prefetch0_write(&fingerprint_);
  }
  // The same by loads, each of which gets its line: a CPU may drop a prefetch when it has as many
  // misses under way as it can. `in_runs`: with the header.
  void Fetch(bool in_runs) const {
    Touch(this);
    Touch(&fingerprint_);
    if (in_runs) Touch(&header_);
  }

  void PrefetchToPublish() const {
    Prefetch();
    rte_prefetch0(&header_);
    rte_prefetch0(&disorder_);
  }
  void PrefetchHistogram() const { delays_.Prefetch(); }

  const PlainHeader& header() const { return header_; }
  uint64_t fingerprint() const { return fingerprint_; }

  // Packets of one flow that came one behind the other in a burst: what they add to it. Begins
  // with Start, ends with Finish.
  struct Run {
    RxFlow* flow = nullptr;  // Null: not started.
    uint32_t count;          // Measured: neither duplicates nor late.
    uint32_t last_bytes;
    uint64_t ip_bytes;
    uint64_t padding;  // Frame bytes beyond the packet's and its Ethernet header's.
    uint32_t send_time[kRxBurst];

    void Start(RxFlow* of) {
      flow = of;
      count = 0;
      ip_bytes = 0;
      padding = 0;
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
        if (!whole_) whole_ = flow_->tracker_.Reuse(sequence, *flow_->disorder_.holes);
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
    run->padding += packet.frame_bytes - packet.ip_bytes - header_.ethernet_bytes();
    run->last_bytes = packet.ip_bytes;
  }

  void Finish(const Run& run, uint64_t now_ns) {
    dirty_ = true;
    if (run.count == 0) return;
    bytes_ += run.ip_bytes;
    if (run.padding != 0) [[unlikely]]
      padding_ += run.padding;
    last_bytes_ = static_cast<uint16_t>(run.last_bytes);
    last_ns_ = now_ns;
    if (delays_.empty()) [[unlikely]]
      first_ns_ = now_ns;
    delay_.Add(run.send_time, run.count, now_ns, clock_offset.load(std::memory_order_relaxed),
               delays_);
  }

  // A run of one packet without padding, as it comes when there are many flows. False, and nothing
  // is done, unless it is the next in order and nothing else is to be seen to.
  bool TakeOne(uint32_t sequence, uint32_t send_time, uint32_t ip_bytes, uint64_t now_ns) {
    if (sequence != static_cast<uint32_t>(tracker_.next()) || !tracker_.Whole()) [[unlikely]]
      return false;
    if (!delay_.AddOne(send_time, now_ns, clock_offset.load(std::memory_order_relaxed), delays_))
        [[unlikely]] {
      return false;
    }
    tracker_.TrackInOrder(1);
    dirty_ = true;
    bytes_ += ip_bytes;
    last_bytes_ = static_cast<uint16_t>(ip_bytes);
    last_ns_ = now_ns;
    return true;
  }

  // Copies the counters to this worker's cell if they changed. `with_histogram`: that is then up to
  // date, too.
  void PublishTo(shm::RxCell& cell, bool with_histogram = true);

 private:
  RxFlow(const PlainHeader& header, uint32_t generation, shm::LogHistogram* histogram)
      : generation_(generation),
        fingerprint_(header.fingerprint()),
        delays_(histogram),
        header_(header) {}

  // True: the packet is neither a duplicate nor late.
  bool Track(uint32_t sequence) {
    using Verdict = SequenceTracker::Verdict;
    const Verdict verdict = tracker_.Track(tracker_.Extend(sequence), disorder_);
    return verdict == Verdict::kInOrder || verdict == Verdict::kReordered;
  }

  static void Touch(const void* line) {
    static_cast<void>(*static_cast<const volatile uint8_t*>(line));
  }

  // What is counted. Of the first, whose end is unused, that end is used.
  alignas(shm::kCacheLine) [[no_unique_address]] SequenceTracker tracker_;
  uint16_t last_bytes_ = 0;
  bool dirty_ = true;

 public:
  // Written by the main lcore: receiver's minus sender's clock as the last beacon showed.
  std::atomic<int64_t> clock_offset{0};

 private:
  uint64_t bytes_ = 0;
  uint64_t last_ns_ = 0;
  [[no_unique_address]] DelayTracker delay_;
  const uint32_t generation_;

  alignas(shm::kCacheLine) const uint64_t fingerprint_;
  DelayDistribution delays_;

  const PlainHeader header_;

  // Not touched by a packet in order.
  alignas(shm::kCacheLine) Disorder disorder_;
  uint64_t padding_ = 0;
  uint64_t first_ns_ = 0;
};

static_assert(sizeof(RxFlow) == 4 * shm::kCacheLine);

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_RX_RX_FLOW_H_

// One flow being sent: what the main lcore allows, and the state of the worker that owns it.
#ifndef WEIR_DATAPLANE_TX_TX_FLOW_H_
#define WEIR_DATAPLANE_TX_TX_FLOW_H_

#include <rte_prefetch.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/clock/clock.h"
#include "dataplane/flow/flow_spec.h"
#include "dataplane/flow/packet_template.h"
#include "dataplane/tx/backlog.h"
#include "dataplane/tx/exponential.h"
#include "dataplane/tx/pacer.h"
#include "dataplane/tx/ramp.h"
#include "dataplane/tx/tx_burst.h"
#include "shm/segment.h"

namespace weir::dataplane {

// Written by the main lcore, read by the worker before each burst. It is closed until the
// receiver's first feedback, and closes by itself: when the main lcore no longer extends
// allow_until, the load is zero.
// It lies in the flow's own line, which a worker reads before each burst anyway: of a thousand
// writes a second it does not take notice.
struct TxGate {
  std::atomic<uint64_t> allow_until_tsc{0};  // The earlier end of control and peer lease.
  std::atomic<uint8_t> rate_shift{0};        // Rate is divided by 2^shift.
  std::atomic<bool> stop{false};
};

// Made by the main lcore; from the moment it is in a worker's configuration only that worker
// calls Send and PublishTo. `gate` is the main lcore's side.
// A packet of an unpaced flow touches two cache lines, one of a paced flow three; IPv6 one more
// than its two.
class alignas(shm::kCacheLine) TxFlow {
 public:
  TxFlow(const FlowSpec& spec, std::vector<PacketTemplate> templates, uint64_t tsc_hz);

  // What MakeOne touches.
  void PrefetchOne() const {
    rte_prefetch0_write(this);
    rte_prefetch0(reinterpret_cast<const uint8_t*>(this) + shm::kCacheLine);
  }
  // What Send touches before it knows whether anything is due.
  void Prefetch() const {
    rte_prefetch0_write(this);
    rte_prefetch0_write(&pacer_);
  }

  // Puts what is due at `now_tsc` into the burst, which it flushes first if it is full; a flow
  // without a rate that is alone sends a burst of its own. Returns the packets that left meanwhile.
  // The flow's duration begins when the gate is first found open.
  uint32_t Send(TxBurst* burst, const ClockLine& clock, uint64_t now_tsc);

  // What Send does for one of many unpaced flows, whose turn is one packet, when there is nothing
  // to see to: makes that packet, and counts it as sent. `last_ns` is what TakeBackOne wants if it
  // is refused. False, and nothing is done: there is something.
  bool MakeOne(rte_mbuf* mbuf, uint64_t now_tsc, uint64_t now_ns, uint64_t* last_ns) {
    if (!plain_ || now_tsc >= end_tsc_ || packets_ >= limit_ ||
        now_tsc >= gate.allow_until_tsc.load(std::memory_order_relaxed) ||
        gate.rate_shift.load(std::memory_order_relaxed) != 0 ||
        gate.stop.load(std::memory_order_relaxed)) [[unlikely]] {
      return false;
    }
    StampPacket(template_.PrepareAnew(mbuf), static_cast<uint32_t>(packets_),
                static_cast<uint32_t>(now_ns));
    *last_ns = last_ns_;
    ++packets_;
    last_ns_ = now_ns;
    dirty_ = true;
    return true;
  }
  // The port refused that packet: it keeps its number.
  void TakeBackOne(uint64_t last_ns) {
    --packets_;
    last_ns_ = last_ns;
    ++rejected_;
  }

  // Called by the burst: the first `sent` of these packets left, the port refused the others.
  void Settle(const TxSegment& segment, uint32_t sent);

  // Copies the counters to the flow's cell if they changed. `worker` is its owner's number.
  void PublishTo(shm::TxCell& cell, uint32_t worker);

  [[no_unique_address]] TxGate gate;

  // Worker only, until its slot is final; then anyone.
  bool finished() const { return reason_ != v1::END_NONE; }
  v1::EndReason reason() const { return static_cast<v1::EndReason>(reason_); }
  uint32_t slot() const { return slot_; }
  bool paced() const { return paced_; }

 private:
  // What a flow of several sizes, or one whose rate grows, has besides.
  struct Mix {
    std::vector<PacketTemplate> templates;  // One per size.
    std::vector<PaceTime> intervals;        // One per size.
    std::vector<uint8_t> cycle;             // The order of sizes in one cycle of the mix.
    PaceTime cycle_interval = 0;
    uint32_t cycle_at = 0;
    uint64_t cap_bytes = 0;
    uint64_t bytes = 0;  // Sent.
    uint64_t frame_bytes = 0;
    std::unique_ptr<Ramp> ramp;  // PACING_RAMP.
  };

  void Start(uint64_t now_tsc);
  // One size, unpaced, alone: nothing to plan.
  uint32_t SendSaturated(TxBurst* burst, uint64_t now_tsc, const ClockLine& clock);
  uint32_t Plan(uint64_t now_tsc, uint32_t rate_shift, uint32_t room, PlannedPacket* planned);
  void FindLate(uint64_t now_tsc, const TxBurst& burst);
  void Fill(TxBurst* burst, const TxSegment& segment, uint64_t now_tsc, const ClockLine& clock);
  void GoBackTo(const TxSegment& segment, uint32_t first);
  void GiveUpUntil(PaceTime limit);
  void GiveUpBurstsUntil(PaceTime limit);
  void GiveUpRampUntil(PaceTime limit);
  void Finish(v1::EndReason reason, uint64_t now_tsc);
  v1::EndReason LimitReached() const {
    return packets_ >= limit_ && !limit_is_bytes_ ? v1::END_PACKETS : v1::END_BYTES;
  }

  const PacketTemplate& TemplateOf(uint32_t size) const {
    return mix_ == nullptr ? template_ : mix_->templates[size];
  }
  uint32_t NextSize() const { return mix_ == nullptr ? 0 : mix_->cycle[mix_->cycle_at]; }
  void AdvanceSize() {
    if (mix_ != nullptr && ++mix_->cycle_at == mix_->cycle.size()) mix_->cycle_at = 0;
  }
  // With the other pacings packets come in bunches anyway.
  bool catches_up_smoothly() const {
    return pacing_ == v1::PACING_CBR || pacing_ == v1::PACING_RAMP;
  }
  PaceTime behind() const { return catches_up_smoothly() ? backlog_.behind() : 0; }
  // When the next packet should have left had nothing kept the worker from it.
  PaceTime Deadline() const { return pacer_.due() - behind(); }
  // Not with PACING_BURST.
  PaceTime IntervalOf(uint32_t size) const {
    return mix_ == nullptr ? interval_ : mix_->intervals[size];
  }
  // Moves the deadline behind a packet of this size, which stands for 2^rate_shift that were due.
  void Advance(uint32_t size, uint32_t rate_shift) {
    PaceTime gap;
    if (mix_ == nullptr || mix_->ramp == nullptr) [[likely]] {
      gap = std::min(GapAfter(size), kLongestGap) << rate_shift;
    } else {
      const PaceTime deadline = Deadline();
      mix_->ramp->Take(uint64_t{TemplateOf(size).ip_bytes()} << rate_shift);
      gap = mix_->ramp->Due() - deadline;
    }
    pacer_.Advance(catches_up_smoothly() ? backlog_.Shorten(gap) : gap);
  }
  // From the deadline of a packet of this size to the next one's, as the pacing has it.
  PaceTime GapAfter(uint32_t size) {
    switch (pacing_) {
      case v1::PACING_POISSON:
        return exponential_.Gap(IntervalOf(size));
      case v1::PACING_BURST:
        if (--burst_.left != 0) return 0;
        burst_.left = burst_.packets;
        return interval_;
      default:
        return IntervalOf(size);
    }
  }

  // The rest of the first line: what each packet reads or writes.
  uint8_t reason_ = v1::END_NONE;
  const uint8_t pacing_;
  bool started_ = false;
  const bool paced_ : 1;
  const bool saturated_ : 1;  // Unpaced packets of one size.
  const bool count_unsent_ : 1;
  bool limit_is_bytes_ : 1 = false;
  bool plain_ : 1 = false;  // Saturated, has sent a packet, has not finished.
  bool dirty_ = true;
  uint64_t packets_ = 0;  // Sent; also the next sequence number.
  uint64_t last_ns_ = 0;
  uint64_t end_tsc_;  // Until started: the duration.
  uint64_t limit_;    // Packets. With one size also what the bytes allow.

  // Of the first size. What is copied into the packet is the second line, all of it.
  PacketTemplate template_;

  // Each packet of a paced flow, or of one with several sizes.
  Pacer pacer_;
  PaceTime interval_;  // Of the first size; with PACING_BURST, from burst to burst.
  union {              // By pacing.
    Backlog backlog_;
    Exponential exponential_;
    struct {
      uint32_t packets;
      uint32_t left;  // Still to come of this burst, the next one included.
    } burst_;
  };
  std::unique_ptr<Mix> mix_;  // Null: one size, at one rate.

  // Rarely touched.
  uint64_t unsent_ = 0;
  uint64_t rejected_ = 0;
  uint64_t first_ns_ = 0;
  const uint32_t slot_;
  const uint32_t generation_;
};
static_assert(sizeof(TxFlow) == 3 * shm::kCacheLine);

// Lets each flow send what is due, and the burst with it. Returns the packets that left.
uint32_t SendRound(std::span<TxFlow* const> flows, TxBurst* burst, const ClockLine& clock);

// The repeating order of a weighted mix, each size spread as evenly as it can be: at each step
// the size furthest behind its share comes next.
std::vector<uint8_t> MixCycle(const std::vector<FrameSize>& sizes);

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_TX_TX_FLOW_H_

// One flow being sent: what the main lcore allows, and the state of the worker that owns it.
#ifndef WEIR_DATAPLANE_TX_TX_FLOW_H_
#define WEIR_DATAPLANE_TX_TX_FLOW_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/clock/clock.h"
#include "dataplane/flow/flow_spec.h"
#include "dataplane/flow/packet_template.h"
#include "dataplane/tx/exponential.h"
#include "dataplane/tx/pacer.h"
#include "dataplane/tx/ramp.h"
#include "dataplane/tx/tx_burst.h"
#include "shm/segment.h"

namespace weir::dataplane {

// Written by the main lcore, read by the worker before each burst. It is closed until the
// receiver's first feedback, and closes by itself: when the main lcore no longer extends
// allow_until, the load is zero.
struct alignas(shm::kCacheLine) TxGate {
  std::atomic<uint64_t> allow_until_tsc{0};  // The earlier end of control and peer lease.
  std::atomic<uint32_t> rate_shift{0};       // Rate is divided by 2^shift.
  std::atomic<bool> stop{false};
};

// Made by the main lcore; from the moment it is in a worker's configuration only that worker
// calls Send and PublishTo. `gate` is the main lcore's side, `finished` the worker's answer.
class TxFlow {
 public:
  TxFlow(const FlowSpec& spec, uint32_t worker, std::vector<PacketTemplate> templates,
         uint64_t tsc_hz);

  // Puts what is due into the burst, which it flushes first if it is full; a flow without a rate
  // sends a burst of its own. Returns the packets that left meanwhile. The flow's duration begins
  // when the gate is first found open.
  uint32_t Send(TxBurst* burst, const ClockLine& clock);

  // Called by the burst: the first `sent` of these packets left, the port refused the others.
  void Settle(const TxSegment& segment, uint32_t sent);

  // Copies the counters to the flow's cell if they changed.
  void PublishTo(shm::TxCell& cell);

  TxGate gate;

  // Worker: set last, after the final publish. Main: read with acquire.
  std::atomic<bool> final_published{false};

  // Worker only, until final_published; then anyone.
  bool finished() const { return reason_ != v1::END_NONE; }
  v1::EndReason reason() const { return reason_; }
  uint32_t slot() const { return slot_; }

 private:
  void Start(uint64_t now_tsc);
  // One size, unpaced: nothing to plan.
  uint32_t SendSaturated(TxBurst* burst, uint64_t now_tsc, const ClockLine& clock);
  uint32_t Plan(uint64_t now_tsc, uint32_t rate_shift, uint32_t room, PlannedPacket* planned);
  void Fill(TxBurst* burst, const TxSegment& segment, uint64_t now_tsc, const ClockLine& clock);
  void GiveUpUntil(PaceTime limit);
  void GiveUpBurstsUntil(PaceTime limit);
  void GiveUpRampUntil(PaceTime limit);
  void Finish(v1::EndReason reason, uint64_t now_tsc);

  void NextSize() {
    if (++cycle_at_ == cycle_.size()) cycle_at_ = 0;
  }
  PaceTime IntervalOf(uint32_t size) const { return intervals_[size]; }
  // Moves the deadline behind a packet of this size, which stands for 2^rate_shift that were due.
  void Advance(uint32_t size, uint32_t rate_shift) {
    if (ramp_ == nullptr) [[likely]] {
      pacer_.Advance(GapAfter(size) << rate_shift);
      return;
    }
    ramp_->Take(uint64_t{templates_[size].ip_bytes()} << rate_shift);
    pacer_.SetDue(ramp_->Due());
  }
  // From the deadline of a packet of this size to the next one's, as the pacing has it.
  PaceTime GapAfter(uint32_t size) {
    switch (pacing_) {
      case v1::PACING_POISSON:
        return exponential_.Gap(IntervalOf(size));
      case v1::PACING_BURST:
        if (--burst_left_ != 0) return 0;
        burst_left_ = burst_packets_;
        return burst_interval_;
      default:
        return IntervalOf(size);
    }
  }

  // Hot: worker only.
  alignas(shm::kCacheLine) shm::TxCounters counters_{};
  Pacer pacer_;
  uint64_t end_tsc_ = UINT64_MAX;  // Until started.
  uint32_t cycle_at_ = 0;
  uint32_t burst_left_;  // PACING_BURST: packets of this burst still to come, this one included.
  Exponential exponential_;
  bool started_ = false;
  bool paced_;
  bool saturated_;  // Unpaced packets of one size.
  bool count_unsent_;
  bool dirty_ = true;
  v1::EndReason reason_ = v1::END_NONE;

  // Constant once armed.
  const uint32_t slot_;
  const uint64_t cap_bytes_;
  const uint64_t packet_limit_;
  uint64_t saturated_limit_ = 0;  // Packets the two above allow, of one size.
  const uint64_t duration_cycles_;
  const uint64_t max_lag_cycles_;
  std::vector<PacketTemplate> templates_;  // One per size.
  std::vector<PaceTime> intervals_;        // One per size.
  std::vector<uint8_t> cycle_;             // The order of sizes in one cycle of the mix.
  PaceTime cycle_interval_ = 0;
  const v1::Pacing pacing_;
  const uint32_t burst_packets_;
  PaceTime burst_interval_ = 0;  // From one burst to the next.
  std::unique_ptr<Ramp> ramp_;   // PACING_RAMP.
};

// The repeating order of a weighted mix, each size spread as evenly as it can be: at each step
// the size furthest behind its share comes next.
std::vector<uint8_t> MixCycle(const std::vector<FrameSize>& sizes);

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_TX_TX_FLOW_H_

#include "dataplane/tx/tx_flow.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace weir::dataplane {
namespace {

// A worker that was off its core this long still sends what fell due meanwhile.
constexpr uint64_t kMaxLagNs = 100'000'000;

uint64_t ToCycles(uint64_t ns, uint64_t tsc_hz) {
  return static_cast<uint64_t>(Uint128{ns} * tsc_hz / 1'000'000'000);
}

}  // namespace

std::vector<uint8_t> MixCycle(const std::vector<FrameSize>& sizes) {
  uint32_t divisor = 0;
  for (const FrameSize& size : sizes) divisor = std::gcd(divisor, size.weight);
  int64_t total = 0;
  for (const FrameSize& size : sizes) total += size.weight / divisor;

  std::vector<int64_t> credit(sizes.size(), 0);
  std::vector<uint8_t> cycle;
  for (int64_t i = 0; i < total; ++i) {
    for (size_t k = 0; k < sizes.size(); ++k) credit[k] += sizes[k].weight / divisor;
    const auto next = std::max_element(credit.begin(), credit.end());
    *next -= total;
    cycle.push_back(static_cast<uint8_t>(next - credit.begin()));
  }
  return cycle;
}

TxFlow::TxFlow(const FlowSpec& spec, uint32_t worker, std::vector<PacketTemplate> templates,
               uint64_t tsc_hz)
    : burst_left_(spec.burst_packets),
      exponential_(spec.cookie),
      paced_(spec.rate_bps != 0),
      saturated_(!paced_ && templates.size() == 1),
      count_unsent_(!spec.rate_max),
      slot_(spec.slot),
      cap_bytes_(spec.cap_bytes),
      packet_limit_(spec.packet_limit != 0 ? spec.packet_limit : UINT64_MAX),
      duration_cycles_(ToCycles(spec.duration_ns, tsc_hz)),
      max_lag_cycles_(ToCycles(kMaxLagNs, tsc_hz)),
      templates_(std::move(templates)),
      cycle_(MixCycle(spec.sizes)),
      pacing_(spec.pacing),
      burst_packets_(spec.burst_packets) {
  for (const PacketTemplate& size : templates_) {
    intervals_.push_back(PaceInterval(size.ip_bytes(), spec.rate_bps, tsc_hz));
  }
  for (uint8_t size : cycle_) cycle_interval_ += intervals_[size];
  burst_interval_ = burst_packets_ * cycle_interval_ / cycle_.size();
  saturated_limit_ = std::min(packet_limit_, cap_bytes_ / templates_.front().ip_bytes());
  if (pacing_ == v1::PACING_RAMP) {
    ramp_ = std::make_unique<Ramp>(spec.ramp_start_bps, spec.rate_bps, duration_cycles_, tsc_hz);
  }
  counters_.generation = spec.generation;
  counters_.worker = worker;
}

void TxFlow::Start(uint64_t now_tsc) {
  started_ = true;
  pacer_.Start(now_tsc, max_lag_cycles_);
  end_tsc_ = now_tsc + duration_cycles_;
}

uint32_t TxFlow::Send(TxBurst* burst, const ClockLine& clock) {
  if (finished()) return 0;
  const uint64_t now = ReadTsc();
  if (gate.stop.load(std::memory_order_relaxed)) [[unlikely]] {
    Finish(v1::END_STOPPED, now);
    return 0;
  }
  if (now >= end_tsc_) [[unlikely]] {
    Finish(v1::END_DURATION, end_tsc_);
    return 0;
  }
  const bool open = now < gate.allow_until_tsc.load(std::memory_order_relaxed);
  if (!started_) [[unlikely]] {
    if (!open) return 0;
    Start(now);
  }
  if (!open || (paced_ && pacer_.TooLate(pacer_.At(now)))) [[unlikely]] {
    GiveUpUntil(pacer_.At(now));
    if (!open) return 0;
  }
  if (saturated_) return burst->Flush() + SendSaturated(burst, now, clock);
  const uint32_t sent = burst->room() == 0 ? burst->Flush() : 0;
  const uint32_t rate_shift = gate.rate_shift.load(std::memory_order_relaxed);
  PlannedPacket* const planned = burst->planned();
  const uint32_t count = Plan(now, rate_shift, burst->room(), planned);
  if (count != 0) Fill(burst, {this, planned, count, rate_shift, 0, 0}, now, clock);
  return sent;
}

uint32_t TxFlow::SendSaturated(TxBurst* burst, uint64_t now_tsc, const ClockLine& clock) {
  const uint64_t left = saturated_limit_ - counters_.packets;
  if (left == 0) [[unlikely]] {
    Finish(counters_.packets >= packet_limit_ ? v1::END_PACKETS : v1::END_BYTES, now_tsc);
    return 0;
  }
  const auto count = static_cast<uint32_t>(std::min<uint64_t>(left, kTxSaturatedBurst));
  const PacketTemplate& size = templates_.front();
  const uint64_t stamp_ns = clock.ToNs(now_tsc);
  rte_mbuf* mbufs[kTxSaturatedBurst];
  uint32_t sent = 0;
  if (burst->Take(mbufs, count)) [[likely]] {
    auto sequence = static_cast<uint32_t>(counters_.packets);
    for (uint32_t i = 0; i < count; ++i) {
      StampPacket(size.Prepare(mbufs[i]), sequence++, static_cast<uint32_t>(stamp_ns));
    }
    sent = burst->Send(mbufs, count);
  } else {
    burst->AddRefused(count);
  }
  if (sent != 0) {
    if (counters_.packets == 0) counters_.first_ns = stamp_ns;
    counters_.last_ns = stamp_ns;
    counters_.packets += sent;
    counters_.bytes += uint64_t{sent} * size.ip_bytes();
    counters_.frame_bytes += uint64_t{sent} * size.wire_frame_bytes();
  }
  if (sent < count) [[unlikely]] {
    counters_.rejected += count - sent;  // They keep their numbers.
  }
  dirty_ = true;
  return sent;
}

// Chooses at most `room` packets that are due and allowed, and moves the deadline behind them.
uint32_t TxFlow::Plan(uint64_t now_tsc, uint32_t rate_shift, uint32_t room,
                      PlannedPacket* planned) {
  const PaceTime now = paced_ ? pacer_.At(now_tsc) : 0;
  uint64_t packets = counters_.packets;
  uint64_t bytes = counters_.bytes;
  uint32_t count = 0;
  while (count < room && pacer_.Due(now)) {
    const uint32_t size = cycle_[cycle_at_];
    bytes += templates_[size].ip_bytes();
    if (packets >= packet_limit_ || bytes > cap_bytes_) [[unlikely]] {
      if (count == 0) Finish(packets >= packet_limit_ ? v1::END_PACKETS : v1::END_BYTES, now_tsc);
      break;
    }
    planned[count++] = {pacer_.due(), size, burst_left_};
    ++packets;
    Advance(size, rate_shift);
    NextSize();
  }
  return count;
}

// Makes the planned packets and appends them to the burst.
void TxFlow::Fill(TxBurst* burst, const TxSegment& planned, uint64_t now_tsc,
                  const ClockLine& clock) {
  TxSegment segment = planned;
  rte_mbuf** const mbufs = burst->mbufs();
  if (!burst->Take(mbufs, segment.count)) [[unlikely]] {
    burst->AddRefused(segment.count);
    Settle(segment, 0);
    return;
  }
  uint64_t stamp_ns = clock.ToNs(now_tsc);
  segment.first_ns = stamp_ns;
  // A full burst was due: the flow is behind, and the clock is read once for all of it.
  const bool stamp_each = paced_ && segment.count < kTxBurst;
  auto sequence = static_cast<uint32_t>(counters_.packets);
  for (uint32_t i = 0; i < segment.count; ++i) {
    uint8_t* const payload = templates_[segment.planned[i].size].Prepare(mbufs[i]);
    if (stamp_each) stamp_ns = clock.ToNs(ReadTsc());
    StampPacket(payload, sequence++, static_cast<uint32_t>(stamp_ns));
  }
  segment.last_ns = stamp_ns;
  burst->Append(segment);
}

void TxFlow::Settle(const TxSegment& segment, uint32_t sent) {
  for (uint32_t i = 0; i < sent; ++i) {
    const PacketTemplate& size = templates_[segment.planned[i].size];
    counters_.bytes += size.ip_bytes();
    counters_.frame_bytes += size.wire_frame_bytes();
  }
  if (sent != 0) {
    if (counters_.packets == 0) counters_.first_ns = segment.first_ns;
    counters_.last_ns = segment.last_ns;
    counters_.packets += sent;
    // At a reduced rate each packet stands for 2^shift that were due.
    if (count_unsent_) counters_.unsent += uint64_t{sent} * ((1u << segment.rate_shift) - 1);
  }
  if (sent < segment.count) [[unlikely]] {
    // The rest keep their numbers and stay due.
    counters_.rejected += segment.count - sent;
    pacer_.SetDue(segment.planned[sent].due);
    burst_left_ = segment.planned[sent].burst_left;
    for (uint32_t i = sent; ramp_ != nullptr && i < segment.count; ++i) {
      ramp_->GiveBack(uint64_t{templates_[segment.planned[i].size].ip_bytes()}
                      << segment.rate_shift);
    }
    const uint32_t back = (segment.count - sent) % static_cast<uint32_t>(cycle_.size());
    cycle_at_ = static_cast<uint32_t>((cycle_at_ + cycle_.size() - back) % cycle_.size());
  }
  dirty_ = true;
}

// Deadlines before `limit` have passed without a packet. Off the packet path: the only place
// that divides.
void TxFlow::GiveUpUntil(PaceTime limit) {
  if (!count_unsent_ || cycle_interval_ == 0) {
    if (limit > pacer_.due()) pacer_.SetDue(limit);
    return;
  }
  if (pacer_.due() >= limit) return;
  if (pacing_ == v1::PACING_BURST) {
    GiveUpBurstsUntil(limit);
    return;
  }
  if (ramp_ != nullptr) {
    GiveUpRampUntil(limit);
    return;
  }
  const uint64_t cycles = (limit - pacer_.due()) / cycle_interval_;
  counters_.unsent += cycles * cycle_.size();
  pacer_.Advance(cycles * cycle_interval_);
  while (pacer_.due() < limit) {
    pacer_.Advance(IntervalOf(cycle_[cycle_at_]));
    NextSize();
    ++counters_.unsent;
  }
  dirty_ = true;
}

void TxFlow::GiveUpBurstsUntil(PaceTime limit) {
  const uint64_t bursts = (limit - pacer_.due() + burst_interval_ - 1) / burst_interval_;
  // The first may have been sent in part.
  counters_.unsent += burst_left_ + (bursts - 1) * burst_packets_;
  burst_left_ = burst_packets_;
  pacer_.Advance(bursts * burst_interval_);
  dirty_ = true;
}

void TxFlow::GiveUpRampUntil(PaceTime limit) {
  uint64_t cycle_bytes = 0;
  for (uint8_t size : cycle_) cycle_bytes += templates_[size].ip_bytes();
  // Most of it in whole cycles of the mix; the last ones, where rounding matters, one by one.
  const uint64_t cycles = ramp_->BytesBehind(limit) / cycle_bytes;
  if (cycles > 1) {
    ramp_->Take((cycles - 1) * cycle_bytes);
    counters_.unsent += (cycles - 1) * cycle_.size();
  }
  for (; ramp_->Due() < limit; NextSize()) {
    ramp_->Take(templates_[cycle_[cycle_at_]].ip_bytes());
    ++counters_.unsent;
  }
  pacer_.SetDue(ramp_->Due());
  dirty_ = true;
}

void TxFlow::Finish(v1::EndReason reason, uint64_t now_tsc) {
  if (reason == v1::END_DURATION) GiveUpUntil(pacer_.At(now_tsc));
  reason_ = reason;
  dirty_ = true;
}

void TxFlow::PublishTo(shm::TxCell& cell) {
  if (!dirty_) return;
  cell.cell.Store(counters_);
  dirty_ = false;
}

}  // namespace weir::dataplane

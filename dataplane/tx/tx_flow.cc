#include "dataplane/tx/tx_flow.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "dataplane/flow/packet_run.h"

namespace weir::dataplane {
namespace {

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

TxFlow::TxFlow(const FlowSpec& spec, std::vector<PacketTemplate> templates, uint64_t tsc_hz)
    : pacing_(static_cast<uint8_t>(spec.pacing)),
      paced_(spec.rate_bps != 0),
      saturated_(!paced_ && templates.size() == 1),
      count_unsent_(!spec.rate_max),
      end_tsc_(ToCycles(spec.duration_ns, tsc_hz)),
      limit_(spec.packet_limit != 0 ? spec.packet_limit : UINT64_MAX),
      template_(templates.front()),
      interval_(PaceInterval(templates.front().ip_bytes(), spec.rate_bps, tsc_hz)),
      backlog_(),
      slot_(spec.slot),
      generation_(spec.generation) {
  if (templates.size() == 1 && spec.pacing != v1::PACING_RAMP) {
    const uint64_t allowed = spec.cap_bytes / template_.ip_bytes();
    limit_is_bytes_ = allowed < limit_;
    limit_ = std::min(limit_, allowed);
  } else {
    mix_ = std::make_unique<Mix>();
    mix_->templates = std::move(templates);
    mix_->cycle = MixCycle(spec.sizes);
    mix_->cap_bytes = spec.cap_bytes;
    for (const PacketTemplate& size : mix_->templates) {
      mix_->intervals.push_back(PaceInterval(size.ip_bytes(), spec.rate_bps, tsc_hz));
    }
    for (uint8_t size : mix_->cycle) mix_->cycle_interval += mix_->intervals[size];
  }
  if (spec.pacing == v1::PACING_POISSON) exponential_ = Exponential(spec.cookie);
  if (spec.pacing == v1::PACING_RAMP) {
    mix_->ramp = std::make_unique<Ramp>(spec.ramp_start_bps, spec.rate_bps, end_tsc_, tsc_hz);
  }
  if (spec.pacing == v1::PACING_BURST) {
    burst_ = {.packets = spec.burst_packets, .left = spec.burst_packets};
    const Uint128 packets = spec.burst_packets;
    interval_ = GapOf(mix_ == nullptr ? packets * interval_
                                      : packets * mix_->cycle_interval / mix_->cycle.size());
  }
}

void TxFlow::Start(uint64_t now_tsc) {
  started_ = true;
  pacer_.Start(now_tsc);
  if (mix_ != nullptr && mix_->ramp != nullptr) mix_->ramp->Start(pacer_.due());
  end_tsc_ += now_tsc;
}

uint32_t TxFlow::Send(TxBurst* burst, const ClockLine& clock, uint64_t now) {
  if (finished()) return 0;
  if (gate.stop.load(std::memory_order_relaxed)) [[unlikely]] {
    Finish(v1::END_STOPPED, now);
    return 0;
  }
  const bool open = now < gate.allow_until_tsc.load(std::memory_order_relaxed);
  if (!started_) [[unlikely]] {
    if (!open) return 0;
    Start(now);
  }
  if (now >= end_tsc_) [[unlikely]] {
    Finish(v1::END_DURATION, end_tsc_);
    return 0;
  }
  if (!open) [[unlikely]] {
    GiveUpUntil(PaceTimeAt(now));
    return 0;
  }
  if (paced_ && pacer_.TooLate(PaceTimeAt(now), burst->slack())) [[unlikely]]
    FindLate(now, *burst);
  if (saturated_ && !burst->shared()) {
    return burst->Flush() + SendSaturated(burst, now, clock);
  }
  const uint32_t sent = burst->room() == 0 ? burst->Flush() : 0;
  const uint32_t rate_shift = gate.rate_shift.load(std::memory_order_relaxed);
  PlannedPacket* const planned = burst->planned();
  const uint32_t room = burst->shared() && !paced_ ? 1 : burst->room();
  const uint32_t count = Plan(now, rate_shift, room, planned);
  if (count != 0) Fill(burst, {this, planned, count, rate_shift, 0, 0}, now, clock);
  return sent;
}

namespace {

// A flow among thousands is far away when its turn comes: it is fetched some flows ahead.
constexpr size_t kAhead = 40;

// Each of its packets takes a whole template, 64 bytes, which registers of that size copy in one
// go: 5 to 8 % of a packet, the only place on the packet path where newer instructions pay
// (bench/README.md). The program's loader chooses.
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
#define WEIR_CLONED_FOR_NEWER_CPUS \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define WEIR_CLONED_FOR_NEWER_CPUS
#endif

// The turn of an unpaced flow is one packet: those that have nothing to see to fill a burst
// together, for which the clock is read once; the others do as ever. Of a few, each has as many
// turns as make a burst.
WEIR_CLONED_FOR_NEWER_CPUS
uint32_t SendRoundOfOnes(std::span<TxFlow* const> flows, TxBurst* burst, const ClockLine& clock) {
  if (flows.empty()) return burst->Flush();
  uint32_t sent = 0;
  size_t turns = flows.size() * std::max<size_t>(kTxSaturatedBurst / flows.size(), 1);
  size_t next = 0;  // Whose turn it is.
  const auto pass_on = [&] {
    if (++next < flows.size()) return;
    next = 0;
    sent += burst->Flush();  // A flow must know what became of its packets before it makes more.
  };
  while (turns != 0) {
    const std::span<rte_mbuf* const> mbufs = burst->Keep();
    const size_t most = std::min(mbufs.size(), turns);
    const uint64_t now = ReadTsc();
    const uint64_t now_ns = clock.ToNs(now);
    TxFlow* of[kTxSaturatedBurst];
    uint64_t last_ns[kTxSaturatedBurst];
    size_t made = 0;
    for (; made < most; ++made) {
      if (next + kAhead < flows.size()) flows[next + kAhead]->PrefetchOne();
      of[made] = flows[next];
      if (!of[made]->MakeOne(mbufs[made], now, now_ns, &last_ns[made])) [[unlikely]]
        break;
      pass_on();
    }
    if (made != 0) {
      sent += burst->Flush();  // What was made before these.
      const uint32_t left = burst->SendKept(static_cast<uint32_t>(made));
      for (size_t i = made; i > left; --i) of[i - 1]->TakeBackOne(last_ns[i - 1]);
      sent += left;
    }
    turns -= made;
    if (made == most && most != 0) continue;
    sent += flows[next]->Send(burst, clock, now);
    pass_on();
    --turns;
  }
  return sent + burst->Flush();
}

}  // namespace

uint32_t SendRound(std::span<TxFlow* const> flows, TxBurst* burst, const ClockLine& clock) {
  if (burst->shared()) return SendRoundOfOnes(flows, burst, clock);
  // Some flows share a reading of the clock, for what is due; paced packets are stamped one by one.
  constexpr size_t kFlowsAReading = 8;
  uint64_t now = 0;
  uint32_t sent = 0;
  for (size_t i = 0; i < flows.size(); ++i) {
    if (i + kAhead < flows.size()) flows[i + kAhead]->Prefetch();
    if (i % kFlowsAReading == 0) now = ReadTsc();
    sent += flows[i]->Send(burst, clock, now);
  }
  return sent + burst->Flush();
}

uint32_t TxFlow::SendSaturated(TxBurst* burst, uint64_t now_tsc, const ClockLine& clock) {
  const uint64_t left = limit_ - packets_;
  if (left == 0) [[unlikely]] {
    Finish(LimitReached(), now_tsc);
    return 0;
  }
  const auto count = static_cast<uint32_t>(std::min<uint64_t>(left, kTxSaturatedBurst));
  const uint64_t stamp_ns = clock.ToNs(now_tsc);
  rte_mbuf* mbufs[kTxSaturatedBurst];
  uint32_t sent = 0;
  if (burst->Take(mbufs, count)) [[likely]] {
    MakeRun(template_, mbufs, count, static_cast<uint32_t>(packets_),
            static_cast<uint32_t>(stamp_ns));
    sent = burst->Send(mbufs, count);
  } else {
    burst->AddRefused(count);
  }
  if (sent != 0) {
    if (packets_ == 0) first_ns_ = stamp_ns;
    last_ns_ = stamp_ns;
    packets_ += sent;
  }
  if (sent < count) [[unlikely]] {
    rejected_ += count - sent;  // They keep their numbers.
  }
  dirty_ = true;
  return sent;
}

// Chooses at most `room` packets that are due and allowed, and moves the deadline behind them. A
// saturated flow has nothing to go back to, so nothing is planned for it.
uint32_t TxFlow::Plan(uint64_t now_tsc, uint32_t rate_shift, uint32_t room,
                      PlannedPacket* planned) {
  if (saturated_) {
    const auto count = static_cast<uint32_t>(std::min<uint64_t>(room, limit_ - packets_));
    if (count == 0) [[unlikely]]
      Finish(LimitReached(), now_tsc);
    return count;
  }
  const PaceTime now = paced_ ? PaceTimeAt(now_tsc) : pacer_.due();
  uint64_t packets = packets_;
  uint64_t bytes = mix_ == nullptr ? 0 : mix_->bytes;
  uint32_t count = 0;
  while (count < room && pacer_.Due(now)) {
    const uint32_t size = NextSize();
    if (mix_ != nullptr) bytes += mix_->templates[size].ip_bytes();
    if (packets >= limit_ || (mix_ != nullptr && bytes > mix_->cap_bytes)) [[unlikely]] {
      if (count == 0) Finish(LimitReached(), now_tsc);
      break;
    }
    planned[count++] = {pacer_.due(), behind(), size,
                        pacing_ == v1::PACING_BURST ? burst_.left : 0};
    ++packets;
    Advance(size, rate_shift);
    AdvanceSize();
  }
  return count;
}

// The worker was away for longer than its rounds take. Nothing is put off that would not come back
// before the flow's end.
void TxFlow::FindLate(uint64_t now_tsc, const TxBurst& burst) {
  const PaceTime now = PaceTimeAt(now_tsc);
  const PaceTime late = now - Deadline();
  if (late > burst.queue().max_lag) {
    GiveUpUntil(now);
  } else if (catches_up_smoothly() &&
             end_tsc_ - now_tsc > Backlog::kSlowness * (late >> kPaceFractionBits)) {
    backlog_.PutOff(now - pacer_.due());
    pacer_.SetDue(now);
  }
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
  auto sequence = static_cast<uint32_t>(packets_);
  for (uint32_t i = 0; i < segment.count; ++i) {
    const PacketTemplate& size = saturated_ ? template_ : TemplateOf(segment.planned[i].size);
    uint8_t* const payload = size.Prepare(mbufs[i]);
    if (stamp_each) stamp_ns = clock.ToNs(ReadTsc());
    StampPacket(payload, sequence++, static_cast<uint32_t>(stamp_ns));
  }
  segment.last_ns = stamp_ns;
  burst->Append(segment);
}

void TxFlow::Settle(const TxSegment& segment, uint32_t sent) {
  if (!saturated_ && mix_ != nullptr) {
    for (uint32_t i = 0; i < sent; ++i) {
      const PacketTemplate& size = mix_->templates[segment.planned[i].size];
      mix_->bytes += size.ip_bytes();
      mix_->frame_bytes += size.wire_frame_bytes();
    }
  }
  if (sent != 0) {
    if (packets_ == 0) [[unlikely]]
      first_ns_ = segment.first_ns;
    last_ns_ = segment.last_ns;
    packets_ += sent;
    plain_ = saturated_ && !finished();
    // At a reduced rate each packet stands for 2^shift that were due.
    if (segment.rate_shift != 0 && count_unsent_) [[unlikely]] {
      unsent_ += uint64_t{sent} * ((1u << segment.rate_shift) - 1);
    }
  }
  if (sent < segment.count) [[unlikely]] {
    // The rest keep their numbers and stay due.
    rejected_ += segment.count - sent;
    if (!saturated_) GoBackTo(segment, sent);
  }
  dirty_ = true;
}

// To before the packet `first` of those that were planned.
void TxFlow::GoBackTo(const TxSegment& segment, uint32_t first) {
  const PlannedPacket& planned = segment.planned[first];
  pacer_.SetDue(planned.due);
  if (catches_up_smoothly()) backlog_.set_behind(planned.behind);
  if (pacing_ == v1::PACING_BURST) burst_.left = planned.burst_left;
  if (mix_ == nullptr) return;
  for (uint32_t i = first; mix_->ramp != nullptr && i < segment.count; ++i) {
    const uint64_t ip_bytes = mix_->templates[segment.planned[i].size].ip_bytes();
    mix_->ramp->GiveBack(ip_bytes << segment.rate_shift);
  }
  const auto cycle = static_cast<uint32_t>(mix_->cycle.size());
  mix_->cycle_at = (mix_->cycle_at + cycle - (segment.count - first) % cycle) % cycle;
}

// Deadlines before `limit` have passed without a packet. Off the packet path: the only place
// that divides.
void TxFlow::GiveUpUntil(PaceTime limit) {
  if (catches_up_smoothly()) {
    pacer_.SetDue(Deadline());
    backlog_.set_behind(0);
  }
  const PaceTime cycle_interval = mix_ == nullptr ? interval_ : mix_->cycle_interval;
  if (!count_unsent_ || cycle_interval == 0) {
    if (IsEarlier(pacer_.due(), limit)) pacer_.SetDue(limit);
    return;
  }
  if (!IsEarlier(pacer_.due(), limit)) return;
  if (pacing_ == v1::PACING_BURST) {
    GiveUpBurstsUntil(limit);
    return;
  }
  if (pacing_ == v1::PACING_RAMP) {
    GiveUpRampUntil(limit);
    return;
  }
  const uint64_t cycles = (limit - pacer_.due()) / cycle_interval;
  unsent_ += cycles * (mix_ == nullptr ? 1 : mix_->cycle.size());
  pacer_.Advance(cycles * cycle_interval);
  while (IsEarlier(pacer_.due(), limit)) {
    pacer_.Advance(IntervalOf(NextSize()));
    AdvanceSize();
    ++unsent_;
  }
  dirty_ = true;
}

void TxFlow::GiveUpBurstsUntil(PaceTime limit) {
  const uint64_t bursts = (limit - pacer_.due() + interval_ - 1) / interval_;
  // The first may have been sent in part.
  unsent_ += burst_.left + (bursts - 1) * burst_.packets;
  burst_.left = burst_.packets;
  pacer_.Advance(bursts * interval_);
  dirty_ = true;
}

void TxFlow::GiveUpRampUntil(PaceTime limit) {
  Ramp& ramp = *mix_->ramp;
  uint64_t cycle_bytes = 0;
  for (uint8_t size : mix_->cycle) cycle_bytes += mix_->templates[size].ip_bytes();
  // Most of it in whole cycles of the mix; the last ones, where rounding matters, one by one.
  const uint64_t cycles = ramp.BytesBehind(limit) / cycle_bytes;
  if (cycles > 1) {
    ramp.Take((cycles - 1) * cycle_bytes);
    unsent_ += (cycles - 1) * mix_->cycle.size();
  }
  for (; IsEarlier(ramp.Due(), limit); AdvanceSize()) {
    ramp.Take(mix_->templates[NextSize()].ip_bytes());
    ++unsent_;
  }
  pacer_.SetDue(ramp.Due());
  dirty_ = true;
}

void TxFlow::Finish(v1::EndReason reason, uint64_t now_tsc) {
  if (reason == v1::END_DURATION) GiveUpUntil(PaceTimeAt(now_tsc));
  reason_ = static_cast<uint8_t>(reason);
  plain_ = false;
  dirty_ = true;
}

void TxFlow::PublishTo(shm::TxCell& cell, uint32_t worker) {
  if (!dirty_) return;
  shm::TxCounters counters{};
  counters.generation = generation_;
  counters.worker = worker;
  counters.packets = packets_;
  counters.bytes = mix_ == nullptr ? packets_ * template_.ip_bytes() : mix_->bytes;
  counters.frame_bytes =
      mix_ == nullptr ? packets_ * template_.wire_frame_bytes() : mix_->frame_bytes;
  counters.unsent = unsent_;
  counters.rejected = rejected_;
  counters.first_ns = first_ns_;
  counters.last_ns = last_ns_;
  cell.cell.Store(counters);
  dirty_ = false;
}

}  // namespace weir::dataplane

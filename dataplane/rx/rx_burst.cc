#include "dataplane/rx/rx_burst.h"

#include <rte_prefetch.h>

#include <algorithm>

#include "dataplane/flow/flow_slots.h"
#include "dataplane/rx/classifier.h"
#include "dataplane/rx/load.h"

namespace weir::dataplane {
namespace {

constexpr uint16_t kIp6Type = wire::ByteSwap(uint16_t{RTE_ETHER_TYPE_IPV6});

uint64_t LoadBe64(const uint8_t* at) { return wire::ByteSwap(Load<uint64_t>(at)); }

uint32_t FrameBytes(const rte_mbuf* mbuf) {
  return std::max<uint32_t>(mbuf->pkt_len + RTE_ETHER_CRC_LEN, RTE_ETHER_MIN_LEN);
}

// A frame and the flow whose cookie lies where a plain test packet's would, whatever else it is.
struct Guess {
  RxFlow* flow;  // Null: too short, or no such flow.
  const uint8_t* ip;
  rte_mbuf* mbuf;
};

// Looks up flows by cookie, the same one only once if its packets come one behind the other, and
// has them fetched. In a burst there are fewer lines of flows than in the core's first cache.
class Guesser {
 public:
  Guesser(const FlowSlots& flows, uint32_t ip_offset) : flows_(flows), ip_offset_(ip_offset) {}

  Guess operator()(rte_mbuf* mbuf) {
    const uint8_t* const ip = rte_pktmbuf_mtod(mbuf, const uint8_t*) + ip_offset_;
    return {FlowOf(mbuf, ip), ip, mbuf};
  }

  // When the burst's `count` frames were looked at: fetches those of their flows that are not near
  // yet. All at once and nothing else meanwhile, so that the core has as many misses under way as
  // it can.
  void Fetch(uint16_t count) const {
    for (uint16_t i = 0; i < found_; ++i) flows_found_[i]->Fetch(found_ != count);
  }

 private:
  RxFlow* FlowOf(const rte_mbuf* mbuf, const uint8_t* ip) {
    if (mbuf->data_len < ip_offset_ + PlainHeader::Cookie(false) + wire::kMinUdpPayload) {
      return nullptr;
    }
    const bool v6 = Load<uint16_t>(ip - 2) == kIp6Type;
    if (v6 && mbuf->data_len < ip_offset_ + PlainHeader::Cookie(true) + wire::kMinUdpPayload) {
      return nullptr;
    }
    const uint64_t cookie = LoadBe64(ip + PlainHeader::Cookie(v6));
    if (cookie != cookie_) {
      cookie_ = cookie;
      flow_ = flows_.FindRx(wire::CookieSlot(cookie));
      if (flow_ != nullptr) {
        flow_->Prefetch();
        flows_found_[found_++] = flow_;
      }
    }
    return flow_;
  }

  const FlowSlots& flows_;
  const uint32_t ip_offset_;
  uint64_t cookie_ = 0;  // A packet with this one takes the long way.
  RxFlow* flow_ = nullptr;
  uint16_t found_ = 0;
  RxFlow* flows_found_[kRxBurst];
};

// True: the headers are `ours`, and the rest is plain, too: a frame without padding (which was seen
// to be long enough for a test packet), and with a checksum that nobody found bad.
template <bool kV6, typename Ours>
bool IsPlain(const Ours& ours, const Guess& guess, uint32_t ip_offset) {
  constexpr uint32_t kUdp = PlainHeader::Cookie(kV6) - sizeof(rte_udp_hdr);
  const uint32_t packet_bytes = guess.mbuf->pkt_len - ip_offset;
  const uint32_t udp_bytes = packet_bytes - kUdp;
  const uint32_t ip_length = kV6 ? udp_bytes : packet_bytes;
  return ours(guess.ip) &&
         Load<uint16_t>(guess.ip + (kV6 ? 4 : 2)) ==
             wire::ByteSwap(static_cast<uint16_t>(ip_length)) &&
         Load<uint16_t>(guess.ip + kUdp + 4) == wire::ByteSwap(static_cast<uint16_t>(udp_bytes)) &&
         (guess.mbuf->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_BAD) == 0;
}

// Packets from `begin` on that were guessed to be of one flow and have nothing odd about them: what
// is most often to be done for a packet, in one loop. Adds them to the flow's run. Returns where it
// ended.
template <bool kV6>
const Guess* TakePlain(const Guess* begin, const Guess* end, uint32_t ip_offset, RxFlow::Run* run) {
  constexpr uint32_t kCookie = PlainHeader::Cookie(kV6);
  RxFlow* const flow = run->flow;
  const PlainHeader::Comparison<kV6> ours(flow->header());
  RxFlow::InOrder in_order(flow);
  uint32_t* send_time = run->send_time + run->count;
  uint64_t ip_bytes = 0;
  const Guess* at = begin;
  for (; at != end && at->flow == flow; ++at) {
    if (!IsPlain<kV6>(ours, *at, ip_offset)) [[unlikely]]
      break;
    const uint32_t packet_bytes = at->mbuf->pkt_len - ip_offset;
    const uint64_t sequence_and_time = LoadBe64(at->ip + kCookie + sizeof(uint64_t));
    if (!in_order.Take(static_cast<uint32_t>(sequence_and_time >> 32))) [[unlikely]]
      continue;
    *send_time++ = static_cast<uint32_t>(sequence_and_time);
    ip_bytes += packet_bytes;
    run->last_bytes = packet_bytes;
  }
  in_order.Finish();
  run->ip_bytes += ip_bytes;
  run->count = static_cast<uint32_t>(send_time - run->send_time);
  return at;
}

// The same of one packet that begins and ends a run. False, and nothing is done: it is not as plain
// as most.
template <bool kV6>
bool TakeOne(const PlainHeader::Common<kV6>& common, const Guess& guess, uint32_t ip_offset,
             uint64_t now_ns) {
  constexpr uint32_t kCookie = PlainHeader::Cookie(kV6);
  const auto ours = [&](const uint8_t* ip) {
    return common(ip) && Fingerprint<kV6>(ip) == guess.flow->fingerprint();
  };
  if (!IsPlain<kV6>(ours, guess, ip_offset)) return false;
  const uint64_t sequence_and_time = LoadBe64(guess.ip + kCookie + sizeof(uint64_t));
  return guess.flow->TakeOne(static_cast<uint32_t>(sequence_and_time >> 32),
                             static_cast<uint32_t>(sequence_and_time),
                             guess.mbuf->pkt_len - ip_offset, now_ns);
}
static_assert(RTE_ETHER_HDR_LEN + PlainHeader::Cookie(false) + wire::kMinUdpPayload +
                  RTE_ETHER_CRC_LEN ==
              RTE_ETHER_MIN_LEN);

// Whatever a frame may be: the long way. Returns the flow it is a packet of, if any.
RxFlow* ReadAny(const rte_mbuf* mbuf, uint16_t vlan, const FlowSlots& flows, RxDrops* drops,
                ReceivedPacket* packet, bool* punt) {
  const TestFrame frame = Classify(mbuf, vlan);
  if (frame.frame_class == FrameClass::kPunt) {
    *punt = true;
    return nullptr;
  }
  if (frame.frame_class == FrameClass::kMalformed) {
    ++drops->malformed;
    return nullptr;
  }
  RxFlow* flow = nullptr;
  if (frame.frame_class == FrameClass::kTest) {
    const uint64_t cookie = frame.packet->cookie;
    flow = flows.FindRx(wire::CookieSlot(cookie));
    if (flow != nullptr && !flow->header().Matches(frame.key, cookie, !frame.is_v4)) flow = nullptr;
  }
  if (flow == nullptr) {
    ++drops->unknown;
    return nullptr;
  }
  *packet = {frame.packet->sequence, frame.packet->send_time, frame.ip_bytes, FrameBytes(mbuf)};
  return flow;
}

}  // namespace

uint16_t MeasureBurst(rte_mbuf** mbufs, uint16_t count, uint16_t vlan, const FlowSlots& flows,
                      uint64_t now_ns, RxDrops* drops, rte_mbuf** punted) {
  const uint32_t ip_offset = RTE_ETHER_HDR_LEN + (vlan != 0 ? sizeof(rte_vlan_hdr) : 0);
  for (uint16_t i = 0; i < count; ++i) rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void*));

  // First pass: whose each frame would be.
  Guess guesses[kRxBurst + 1];
  Guesser guess(flows, ip_offset);
  for (uint16_t i = 0; i < count; ++i) {
    guesses[i] = guess(mbufs[i]);
  }
  guesses[count].flow = nullptr;
  guess.Fetch(count);

  // Second pass: whose it is, and what it carried, by runs of one flow.
  const PlainHeader::Common<false> common4(vlan);
  const PlainHeader::Common<true> common6(vlan);
  RxFlow::Run run;
  uint16_t punts = 0;
  uint16_t kept = 0;  // Set with the first that is punted: until then each frame lies where it lay.
  auto keep = [&](const Guess* begin, const Guess* stop) {
    if (punts == 0) return;
    for (; begin != stop; ++begin) mbufs[kept++] = begin->mbuf;
  };
  auto start_run = [&](RxFlow* flow) {
    if (flow == run.flow) return;
    if (run.flow != nullptr) run.flow->Finish(run, now_ns);
    run.Start(flow);
  };
  const Guess* const end = guesses + count;
  for (const Guess* at = guesses; at != end;) {
    if (at->flow != nullptr) [[likely]] {
      const bool alone = at->flow != run.flow && at->flow != at[1].flow;
      if (alone && (Load<uint16_t>(at->ip - 2) == kIp6Type
                        ? TakeOne<true>(common6, *at, ip_offset, now_ns)
                        : TakeOne<false>(common4, *at, ip_offset, now_ns))) {
        keep(at, at + 1);
        ++at;
        continue;
      }
      start_run(at->flow);
      const Guess* const stopped = at->flow->header().is_v6()
                                       ? TakePlain<true>(at, end, ip_offset, &run)
                                       : TakePlain<false>(at, end, ip_offset, &run);
      keep(at, stopped);
      at = stopped;
      if (at == end) break;
    }
    const Guess* const odd = at++;
    ReceivedPacket packet;
    bool punt = false;
    RxFlow* const flow = ReadAny(odd->mbuf, vlan, flows, drops, &packet, &punt);
    if (punt) {
      if (punts == 0) kept = static_cast<uint16_t>(odd - guesses);
      punted[punts++] = odd->mbuf;
      continue;
    }
    keep(odd, at);
    if (flow == nullptr) continue;
    start_run(flow);
    flow->Add(packet, &run);
  }
  if (run.flow != nullptr) run.flow->Finish(run, now_ns);
  return punts;
}

uint16_t ReceiveBurst(rte_mbuf** mbufs, uint16_t count, uint16_t vlan, const FlowSlots& flows,
                      uint64_t now_ns, RxDrops* drops, rte_mbuf** punted) {
  const uint16_t punts = MeasureBurst(mbufs, count, vlan, flows, now_ns, drops, punted);
  rte_pktmbuf_free_bulk(mbufs, count - punts);
  return punts;
}

}  // namespace weir::dataplane

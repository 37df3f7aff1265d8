#include "dataplane/rx/rx_burst.h"

#include <rte_prefetch.h>

#include <algorithm>

#include "dataplane/rx/classifier.h"
#include "dataplane/worker/worker_config.h"

namespace weir::dataplane {
namespace {

// Test packets whose slot names a flow, not yet compared with it. An array for each field, so
// that the sums over a run of one flow's packets are vectors.
struct Arrivals {
  RxFlow* flow[kRxBurst];
  const uint8_t* key[kRxBurst];
  uint64_t cookie[kRxBurst];
  bool is_v4[kRxBurst];
  uint32_t sequence[kRxBurst];
  uint32_t send_time[kRxBurst];
  uint32_t ip_bytes[kRxBurst];
  uint32_t frame_bytes[kRxBurst];
  uint16_t count;

  void Append(RxFlow* of, const TestFrame& frame, uint32_t wire_bytes) {
    flow[count] = of;
    key[count] = frame.key;
    cookie[count] = frame.packet->cookie;
    is_v4[count] = frame.is_v4;
    sequence[count] = frame.packet->sequence;
    send_time[count] = frame.packet->send_time;
    ip_bytes[count] = frame.ip_bytes;
    frame_bytes[count] = wire_bytes;
    ++count;
  }

  bool Matches(uint16_t at) const { return flow[at]->Matches(cookie[at], key[at], is_v4[at]); }

  ArrivalRun Run(uint16_t begin, uint16_t end) const {
    return {sequence + begin, send_time + begin, ip_bytes + begin, frame_bytes + begin,
            static_cast<uint32_t>(end - begin)};
  }
};

uint32_t WireBytes(const rte_mbuf* mbuf) {
  return std::max<uint32_t>(mbuf->pkt_len + RTE_ETHER_CRC_LEN, RTE_ETHER_MIN_LEN);
}

// First pass: what each frame is, and whose. Fetches the flows that the second will write.
uint16_t ClassifyBurst(rte_mbuf** mbufs, uint16_t count, uint16_t vlan, const RxTable& table,
                       RxDrops* drops, rte_mbuf** punted, Arrivals* arrivals) {
  uint16_t kept = 0;
  uint16_t punts = 0;
  arrivals->count = 0;
  RxFlow* last = nullptr;
  for (uint16_t i = 0; i < count; ++i) {
    rte_mbuf* const mbuf = mbufs[i];
    TestFrame frame;
    if (!IsPlainTestPacket(mbuf, vlan, &frame)) [[unlikely]] {
      frame = Classify(mbuf, vlan);
      if (frame.frame_class == FrameClass::kPunt) {
        punted[punts++] = mbuf;
        continue;
      }
      drops->malformed += frame.frame_class == FrameClass::kMalformed;
      drops->unknown += frame.frame_class == FrameClass::kOther;
    }
    mbufs[kept++] = mbuf;
    if (frame.frame_class != FrameClass::kTest) [[unlikely]]
      continue;
    RxFlow* const flow = table.Find(wire::CookieSlot(frame.packet->cookie));
    if (flow == nullptr) [[unlikely]] {
      ++drops->unknown;
      continue;
    }
    if (flow != last) flow->Prefetch();
    last = flow;
    arrivals->Append(flow, frame, WireBytes(mbuf));
  }
  return punts;
}

}  // namespace

uint16_t MeasureBurst(rte_mbuf** mbufs, uint16_t count, uint16_t vlan, const RxTable& table,
                      uint64_t now_ns, RxDrops* drops, rte_mbuf** punted) {
  for (uint16_t i = 0; i < count; ++i) rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void*));
  Arrivals arrivals;
  const uint16_t punts = ClassifyBurst(mbufs, count, vlan, table, drops, punted, &arrivals);

  // Second pass: runs of packets of one flow.
  for (uint16_t begin = 0; begin < arrivals.count;) {
    RxFlow* const flow = arrivals.flow[begin];
    uint16_t end = begin;
    while (end < arrivals.count && arrivals.flow[end] == flow && arrivals.Matches(end)) ++end;
    if (end == begin) {
      ++drops->unknown;
      ++begin;
      continue;
    }
    flow->Receive(arrivals.Run(begin, end), now_ns);
    begin = end;
  }
  return punts;
}

uint16_t ReceiveBurst(rte_mbuf** mbufs, uint16_t count, uint16_t vlan, const RxTable& table,
                      uint64_t now_ns, RxDrops* drops, rte_mbuf** punted) {
  const uint16_t punts = MeasureBurst(mbufs, count, vlan, table, now_ns, drops, punted);
  rte_pktmbuf_free_bulk(mbufs, count - punts);
  return punts;
}

}  // namespace weir::dataplane

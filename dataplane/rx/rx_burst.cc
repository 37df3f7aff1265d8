#include "dataplane/rx/rx_burst.h"

#include <rte_prefetch.h>

#include "dataplane/rx/classifier.h"
#include "dataplane/worker/worker_config.h"

namespace weir::dataplane {
namespace {

// A test packet with the flow its slot names, not yet compared.
struct Candidate {
  RxFlow* flow;
  TestFrame frame;
  uint32_t wire_bytes;
};

uint32_t WireBytes(const rte_mbuf* mbuf) {
  const uint32_t frame = mbuf->pkt_len + RTE_ETHER_CRC_LEN;
  return frame < RTE_ETHER_MIN_LEN ? RTE_ETHER_MIN_LEN : frame;
}

}  // namespace

uint16_t ReceiveBurst(rte_mbuf** mbufs, uint16_t count, uint16_t vlan, const RxTable& table,
                      uint64_t now_ns, RxDrops* drops, rte_mbuf** punted) {
  Candidate candidates[kRxBurst];
  rte_mbuf* done[kRxBurst];
  uint16_t candidate_count = 0;
  uint16_t done_count = 0;
  uint16_t punted_count = 0;

  for (uint16_t i = 0; i < count; ++i) rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void*));

  for (uint16_t i = 0; i < count; ++i) {
    const TestFrame frame = Classify(mbufs[i], vlan);
    if (frame.frame_class == FrameClass::kPunt) {
      punted[punted_count++] = mbufs[i];
      continue;
    }
    done[done_count++] = mbufs[i];
    if (frame.frame_class == FrameClass::kMalformed) {
      ++drops->malformed;
      continue;
    }
    RxFlow* flow = frame.frame_class == FrameClass::kTest
                       ? table.Find(wire::CookieSlot(frame.packet->cookie))
                       : nullptr;
    if (flow == nullptr) {
      ++drops->unknown;
      continue;
    }
    rte_prefetch0(flow);
    candidates[candidate_count++] = {flow, frame, WireBytes(mbufs[i])};
  }

  for (uint16_t i = 0; i < candidate_count; ++i) {
    const auto& [flow, frame, wire_bytes] = candidates[i];
    if (!flow->Matches(frame.packet->cookie, frame.ips, frame.ip_pair_bytes, frame.ports)) {
      ++drops->unknown;
      continue;
    }
    flow->Receive({frame.packet->sequence, frame.packet->send_time, frame.ip_bytes, wire_bytes},
                  now_ns);
  }

  rte_pktmbuf_free_bulk(done, done_count);
  return punted_count;
}

}  // namespace weir::dataplane

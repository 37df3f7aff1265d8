// What a received frame is, from its headers alone.
#ifndef WEIR_DATAPLANE_RX_CLASSIFIER_H_
#define WEIR_DATAPLANE_RX_CLASSIFIER_H_

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_udp.h>

#include <cstdint>
#include <cstring>

#include "wire/test_packet.h"

namespace weir::dataplane {

enum class FrameClass : uint8_t {
  kTest,       // A UDP packet that carries a cookie.
  kPunt,       // ARP, ICMP, ICMPv6, or a signal: the main lcore's business.
  kOther,      // Well-formed, nothing of ours.
  kMalformed,  // Lengths that contradict each other, or a checksum the NIC found bad.
};

// Points into the frame. Valid if frame_class is kTest.
struct TestFrame {
  FrameClass frame_class = FrameClass::kOther;
  bool is_v4 = false;
  uint32_t ip_bytes = 0;
  const uint8_t* key = nullptr;  // Both addresses and both ports, adjacent (FlowKey).
  const wire::TestPacket* packet = nullptr;
};

// `vlan`: the port's VLAN id, 0 for none: other tags (or a missing one) are not ours.
// Reads at most the first segment, which holds all headers.
inline TestFrame Classify(const rte_mbuf* mbuf, uint16_t vlan) {
  TestFrame frame;
  const uint8_t* at = rte_pktmbuf_mtod(mbuf, const uint8_t*);
  const uint8_t* const end = at + mbuf->data_len;
  auto malformed = [&frame] {
    frame.frame_class = FrameClass::kMalformed;
    return frame;
  };

  if (end - at < RTE_ETHER_HDR_LEN) return malformed();
  uint16_t type = reinterpret_cast<const rte_ether_hdr*>(at)->ether_type;
  at += RTE_ETHER_HDR_LEN;
  if (vlan != 0) {
    if (type != wire::ByteSwap(uint16_t{RTE_ETHER_TYPE_VLAN})) return frame;
    if (end - at < static_cast<long>(sizeof(rte_vlan_hdr))) return malformed();
    const auto* tag = reinterpret_cast<const rte_vlan_hdr*>(at);
    if ((wire::ByteSwap(tag->vlan_tci) & 0xFFF) != vlan) return frame;
    type = tag->eth_proto;
    at += sizeof(rte_vlan_hdr);
  }

  uint32_t l4_bytes;
  if (type == wire::ByteSwap(uint16_t{RTE_ETHER_TYPE_IPV4})) {
    if (end - at < static_cast<long>(sizeof(rte_ipv4_hdr))) return malformed();
    const auto* ip = reinterpret_cast<const rte_ipv4_hdr*>(at);
    const uint32_t total = wire::ByteSwap(ip->total_length);
    const uint32_t header = (ip->version_ihl & 0xFu) * 4;
    if (ip->version_ihl >> 4 != 4 || header < sizeof(rte_ipv4_hdr) || total < header ||
        total > mbuf->pkt_len - static_cast<uint32_t>(at - (end - mbuf->data_len))) {
      return malformed();
    }
    if (ip->next_proto_id == IPPROTO_ICMP) {
      frame.frame_class = FrameClass::kPunt;
      return frame;
    }
    constexpr uint16_t kFragment = RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK;
    if (ip->next_proto_id != IPPROTO_UDP || header != sizeof(rte_ipv4_hdr) ||
        (ip->fragment_offset & wire::ByteSwap(kFragment)) != 0) {
      return frame;
    }
    frame.is_v4 = true;
    frame.key = reinterpret_cast<const uint8_t*>(&ip->src_addr);
    frame.ip_bytes = total;
    l4_bytes = total - header;
    at += sizeof(rte_ipv4_hdr);
  } else if (type == wire::ByteSwap(uint16_t{RTE_ETHER_TYPE_IPV6})) {
    if (end - at < static_cast<long>(sizeof(rte_ipv6_hdr))) return malformed();
    const auto* ip = reinterpret_cast<const rte_ipv6_hdr*>(at);
    l4_bytes = wire::ByteSwap(ip->payload_len);
    if (l4_bytes + sizeof(rte_ipv6_hdr) >
        mbuf->pkt_len - static_cast<uint32_t>(at - (end - mbuf->data_len))) {
      return malformed();
    }
    if (ip->proto == IPPROTO_ICMPV6) {
      frame.frame_class = FrameClass::kPunt;
      return frame;
    }
    if (ip->proto != IPPROTO_UDP) return frame;
    frame.key = ip->src_addr;
    frame.ip_bytes = l4_bytes + sizeof(rte_ipv6_hdr);
    at += sizeof(rte_ipv6_hdr);
  } else {
    if (type == wire::ByteSwap(uint16_t{RTE_ETHER_TYPE_ARP})) frame.frame_class = FrameClass::kPunt;
    return frame;
  }

  if (l4_bytes < sizeof(rte_udp_hdr) || end - at < static_cast<long>(sizeof(rte_udp_hdr))) {
    return malformed();
  }
  const auto* udp = reinterpret_cast<const rte_udp_hdr*>(at);
  const uint32_t udp_bytes = wire::ByteSwap(udp->dgram_len);
  if (udp_bytes < sizeof(rte_udp_hdr) || udp_bytes > l4_bytes ||
      (mbuf->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_BAD) {
    return malformed();
  }
  at += sizeof(rte_udp_hdr);
  if (udp_bytes < sizeof(rte_udp_hdr) + wire::kMinUdpPayload ||
      end - at < static_cast<long>(wire::kMinUdpPayload)) {
    return frame;
  }
  frame.packet = reinterpret_cast<const wire::TestPacket*>(at);
  frame.frame_class = wire::CookieSlot(frame.packet->cookie) == wire::kSignalSlot
                          ? FrameClass::kPunt
                          : FrameClass::kTest;
  return frame;
}

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_RX_CLASSIFIER_H_

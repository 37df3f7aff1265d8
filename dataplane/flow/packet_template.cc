#include "dataplane/flow/packet_template.h"

#include <rte_ip.h>
#include <rte_udp.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "dataplane/slowpath/checksum.h"

namespace weir::dataplane {
namespace {

constexpr uint8_t kTimeToLive = 64;

uint8_t* WriteEthernet(uint8_t* at, const rte_ether_addr& source, const rte_ether_addr& destination,
                       uint16_t vlan, uint16_t ether_type) {
  rte_ether_hdr header{};
  header.dst_addr = destination;
  header.src_addr = source;
  header.ether_type =
      wire::ByteSwap(static_cast<uint16_t>(vlan != 0 ? RTE_ETHER_TYPE_VLAN : ether_type));
  std::memcpy(at, &header, sizeof(header));
  at += sizeof(header);
  if (vlan != 0) {
    const rte_vlan_hdr tag{wire::ByteSwap(vlan), wire::ByteSwap(ether_type)};
    std::memcpy(at, &tag, sizeof(tag));
    at += sizeof(tag);
  }
  return at;
}

uint8_t* WriteIp4(uint8_t* at, const FlowSpec& spec, uint32_t udp_bytes) {
  rte_ipv4_hdr header{};
  header.version_ihl = RTE_IPV4_VHL_DEF;
  header.type_of_service = static_cast<uint8_t>(spec.dscp << 2);
  header.total_length = wire::ByteSwap(static_cast<uint16_t>(sizeof(header) + udp_bytes));
  header.fragment_offset = wire::ByteSwap(static_cast<uint16_t>(RTE_IPV4_HDR_DF_FLAG));
  header.time_to_live = kTimeToLive;
  header.next_proto_id = IPPROTO_UDP;
  std::memcpy(&header.src_addr, spec.local.ip.bytes().data(), 4);
  std::memcpy(&header.dst_addr, spec.remote.ip.bytes().data(), 4);
  Checksum checksum;
  checksum.Add({reinterpret_cast<const uint8_t*>(&header), sizeof(header)});
  header.hdr_checksum = wire::ByteSwap(checksum.Value());
  std::memcpy(at, &header, sizeof(header));
  return at + sizeof(header);
}

uint8_t* WriteIp6(uint8_t* at, const FlowSpec& spec, uint32_t udp_bytes) {
  rte_ipv6_hdr header{};
  header.vtc_flow = wire::ByteSwap((uint32_t{6} << 28) | (uint32_t{spec.dscp} << 22));
  header.payload_len = wire::ByteSwap(static_cast<uint16_t>(udp_bytes));
  header.proto = IPPROTO_UDP;
  header.hop_limits = kTimeToLive;
  std::memcpy(header.src_addr, spec.local.ip.bytes().data(), 16);
  std::memcpy(header.dst_addr, spec.remote.ip.bytes().data(), 16);
  std::memcpy(at, &header, sizeof(header));
  return at + sizeof(header);
}

// RFC 768, RFC 8200 section 8.1: over pseudo-header, UDP header and payload. Sequence, time and
// complement count as zero, since the complement makes their sum zero.
uint16_t UdpChecksum(const FlowSpec& spec, const rte_udp_hdr& udp, uint64_t cookie,
                     uint32_t udp_payload) {
  Checksum sum;
  sum.AddPseudoHeader(spec.local.ip, spec.remote.ip, IPPROTO_UDP,
                      static_cast<uint32_t>(sizeof(udp)) + udp_payload);
  sum.Add({reinterpret_cast<const uint8_t*>(&udp), sizeof(udp)});
  const uint64_t cookie_raw = wire::ByteSwap(cookie);
  sum.Add({reinterpret_cast<const uint8_t*>(&cookie_raw), sizeof(cookie_raw)});
  std::vector<uint8_t> filler(udp_payload - sizeof(wire::TestPacket));
  WriteFiller(filler.data(), filler.size());
  sum.Add(filler);
  const uint16_t checksum = sum.Value();
  return checksum == 0 ? 0xFFFF : checksum;  // 0 would say there is none.
}

// Two templates alive at the same time never share one.
uint32_t NextId() {
  static std::atomic<uint32_t> last{0};
  uint32_t id = 0;
  while (id == 0) id = ++last;
  return id;
}

}  // namespace

void WriteFiller(uint8_t* to, size_t length) {
  uint64_t state = 0x9E3779B97F4A7C15;  // xorshift64*: incompressible, and no secret.
  for (size_t i = 0; i < length; i += 8) {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    const uint64_t word = state * 0x2545F4914F6CDD1D;
    std::memcpy(to + i, &word, std::min<size_t>(8, length - i));
  }
}

PacketTemplate::PacketTemplate(const FlowSpec& spec, uint32_t udp_payload,
                               const rte_ether_addr& source, const rte_ether_addr& destination,
                               uint16_t vlan) {
  const bool v4 = spec.remote.ip.is_v4();
  const uint32_t udp_bytes = sizeof(rte_udp_hdr) + udp_payload;

  uint8_t* at = WriteEthernet(bytes_, source, destination, vlan,
                              v4 ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6);
  at = v4 ? WriteIp4(at, spec, udp_bytes) : WriteIp6(at, spec, udp_bytes);
  rte_udp_hdr udp{wire::ByteSwap(spec.local.port), wire::ByteSwap(spec.remote.port),
                  wire::ByteSwap(static_cast<uint16_t>(udp_bytes)), 0};
  udp.dgram_cksum = wire::ByteSwap(UdpChecksum(spec, udp, spec.cookie, udp_payload));
  std::memcpy(at, &udp, sizeof(udp));
  at += sizeof(udp);

  header_bytes_ = static_cast<uint32_t>(at - bytes_);
  ip_bytes_ = spec.ip_header_bytes() + udp_bytes;
  frame_bytes_ = std::max(header_bytes_ + udp_payload, kMinFrameBytes);

  wire::TestPacket packet{};
  packet.cookie = spec.cookie;
  std::memcpy(at, &packet, sizeof(packet));
  at += sizeof(packet);
  copy_long_ = at > bytes_ + kShortCopy;
  WriteFiller(at, static_cast<size_t>(bytes_ + sizeof(bytes_) - at));

  id_ = NextId();
  rte_mbuf mbuf{};
  mbuf.data_off = static_cast<uint16_t>(kPayloadOffset - header_bytes_);
  mbuf.refcnt = 1;
  mbuf.nb_segs = 1;
  mbuf.port = RTE_MBUF_PORT_INVALID;
  mbuf.data_len = static_cast<uint16_t>(frame_bytes_);
  mbuf.pkt_len = frame_bytes_;
  mbuf.hash.usr = id_;
  std::memcpy(mbuf_fields_, &mbuf.rearm_data, sizeof(mbuf_fields_));
}

}  // namespace weir::dataplane

#include "dataplane/flow/packet_template.h"

#include <algorithm>
#include <atomic>
#include <span>
#include <vector>

#include "dataplane/slowpath/headers.h"
#include "dataplane/slowpath/udp_headers.h"

namespace weir::dataplane {
namespace {

// Sequence, time and complement are left out: the complement makes their sum zero.
uint16_t TestPacketChecksum(const FlowSpec& spec, std::span<const uint8_t> udp_header,
                            uint32_t udp_payload) {
  const uint64_t cookie = wire::ByteSwap(spec.cookie);
  std::vector<uint8_t> filler(udp_payload - sizeof(wire::TestPacket));
  WriteFiller(filler.data(), filler.size());
  return UdpChecksum(
      spec.local.ip, spec.remote.ip, static_cast<uint32_t>(udp_header.size()) + udp_payload,
      {udp_header, {reinterpret_cast<const uint8_t*>(&cookie), sizeof(cookie)}, filler});
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
  const auto udp_bytes = static_cast<uint16_t>(sizeof(UdpHeader) + udp_payload);
  uint8_t* at = WriteEthernet(bytes_, source, destination, vlan,
                              spec.remote.ip.is_v4() ? kEtherTypeIp4 : kEtherTypeIp6);
  at = WriteIp(at, spec.local.ip, spec.remote.ip, spec.dscp, udp_bytes);
  uint8_t* const udp = at;
  at = WriteUdp(at, spec.local.port, spec.remote.port, udp_bytes);
  reinterpret_cast<UdpHeader*>(udp)->checksum =
      TestPacketChecksum(spec, {udp, sizeof(UdpHeader)}, udp_payload);

  header_bytes_ = static_cast<uint16_t>(at - bytes_);
  ip_bytes_ = spec.ip_header_bytes() + udp_bytes;
  frame_bytes_ = std::max(header_bytes_ + udp_payload, kMinFrameBytes);

  wire::TestPacket packet{};
  packet.cookie = spec.cookie;
  uint8_t* const end = bytes_ + sizeof(bytes_);
  std::memcpy(at, &packet, std::min(sizeof(packet), static_cast<size_t>(end - at)));
  copy_long_ = at + sizeof(packet) > bytes_ + kShortCopy;
  if (at + sizeof(packet) < end) {
    WriteFiller(at + sizeof(packet), static_cast<size_t>(end - at) - sizeof(packet));
  }

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

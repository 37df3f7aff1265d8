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

}  // namespace

// Two templates alive at the same time do not share one: a flow lives a day, in which nobody makes
// a billion.
uint32_t PacketTemplate::NextId() {
  static std::atomic<uint32_t> last{0};
  uint32_t id = 0;
  while (id == 0) id = last += kIdStep;
  return id;
}

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
                               uint16_t vlan)
    : id_(NextId() | (spec.remote.ip.is_v4() ? 0 : kV6) | (vlan != 0 ? kTagged : 0)) {
  const auto udp_bytes = static_cast<uint16_t>(sizeof(UdpHeader) + udp_payload);
  frame_bytes_ = static_cast<uint16_t>(header_bytes() + udp_payload);

  uint8_t bytes[kMaxHeaderBytes + sizeof(wire::TestPacket)];
  uint8_t* at = WriteEthernet(bytes, source, destination, vlan,
                              spec.remote.ip.is_v4() ? kEtherTypeIp4 : kEtherTypeIp6);
  at = WriteIp(at, spec.local.ip, spec.remote.ip, spec.dscp, udp_bytes);
  uint8_t* const udp = at;
  at = WriteUdp(at, spec.local.port, spec.remote.port, udp_bytes);
  reinterpret_cast<UdpHeader*>(udp)->checksum =
      TestPacketChecksum(spec, {udp, sizeof(UdpHeader)}, udp_payload);

  wire::TestPacket packet{};
  packet.cookie = spec.cookie;
  std::memcpy(at, &packet, sizeof(packet));
  at += sizeof(packet);
  WriteFiller(at, static_cast<size_t>(bytes + sizeof(bytes) - at));
  std::memcpy(bytes_, bytes, sizeof(bytes_));
  std::memcpy(tail_, bytes + sizeof(bytes_), sizeof(tail_));
}

}  // namespace weir::dataplane

#include "dataplane/slowpath/udp_headers.h"

#include <cstring>

#include "dataplane/slowpath/checksum.h"
#include "dataplane/slowpath/headers.h"

namespace weir::dataplane {
namespace {

constexpr uint8_t kTimeToLive = 64;
constexpr uint16_t kDontFragment = 0x4000;

template <typename Header>
uint8_t* Put(uint8_t* at, const Header& header) {
  std::memcpy(at, &header, sizeof(header));
  return at + sizeof(header);
}

}  // namespace

uint8_t* WriteEthernet(uint8_t* at, const rte_ether_addr& source, const rte_ether_addr& destination,
                       uint16_t vlan, uint16_t ether_type) {
  EthernetHeader header{};
  std::memcpy(header.destination, destination.addr_bytes, RTE_ETHER_ADDR_LEN);
  std::memcpy(header.source, source.addr_bytes, RTE_ETHER_ADDR_LEN);
  header.type = vlan != 0 ? kEtherTypeVlan : ether_type;
  at = Put(at, header);
  if (vlan == 0) return at;
  VlanTag tag{};
  tag.tci = vlan;
  tag.type = ether_type;
  return Put(at, tag);
}

uint8_t* WriteIp(uint8_t* at, const IpAddress& source, const IpAddress& destination, uint8_t dscp,
                 uint16_t udp_bytes) {
  if (!destination.is_v4()) {
    Ip6Header header{};
    header.version_class_flow = 6u << 28 | uint32_t{dscp} << 22;
    header.payload_length = udp_bytes;
    header.next_header = kProtocolUdp;
    header.hop_limit = kTimeToLive;
    std::memcpy(header.source, source.bytes().data(), sizeof(header.source));
    std::memcpy(header.destination, destination.bytes().data(), sizeof(header.destination));
    return Put(at, header);
  }
  Ip4Header header{};
  header.version_ihl = 0x45;
  header.tos = static_cast<uint8_t>(dscp << 2);
  header.total_length = static_cast<uint16_t>(sizeof(header) + udp_bytes);
  header.fragment = kDontFragment;
  header.ttl = kTimeToLive;
  header.protocol = kProtocolUdp;
  std::memcpy(header.source, source.bytes().data(), sizeof(header.source));
  std::memcpy(header.destination, destination.bytes().data(), sizeof(header.destination));
  Checksum checksum;
  checksum.Add({reinterpret_cast<const uint8_t*>(&header), sizeof(header)});
  header.checksum = checksum.Value();
  return Put(at, header);
}

uint8_t* WriteUdp(uint8_t* at, uint16_t source_port, uint16_t destination_port,
                  uint16_t udp_bytes) {
  UdpHeader header{};
  header.source_port = source_port;
  header.destination_port = destination_port;
  header.length = udp_bytes;
  return Put(at, header);
}

uint16_t UdpChecksum(const IpAddress& source, const IpAddress& destination, uint32_t udp_bytes,
                     std::initializer_list<std::span<const uint8_t>> parts) {
  Checksum checksum;
  checksum.AddPseudoHeader(source, destination, kProtocolUdp, udp_bytes);
  for (const std::span<const uint8_t> part : parts) checksum.Add(part);
  // 0 would say that there is none.
  return checksum.Value() != 0 ? checksum.Value() : uint16_t{0xFFFF};
}

}  // namespace weir::dataplane

// Frames that strangers send, for tests of the slow path.
#ifndef WEIR_TESTS_UNIT_DATAPLANE_FRAMES_H_
#define WEIR_TESTS_UNIT_DATAPLANE_FRAMES_H_

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "dataplane/port/ip_address.h"
#include "dataplane/port/port_spec.h"
#include "dataplane/slowpath/checksum.h"
#include "dataplane/slowpath/headers.h"

namespace weir::dataplane::testing {

using Bytes = std::vector<uint8_t>;

inline constexpr MacBytes kPeerMac = {0x02, 0, 0, 0, 0, 0x99};
inline constexpr MacBytes kBroadcastMac = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};

inline IpAddress Ip(const char* text) { return IpAddress::FromText(text); }

template <typename Header>
void Append(Bytes& bytes, const Header& header) {
  const auto* start = reinterpret_cast<const uint8_t*>(&header);
  bytes.insert(bytes.end(), start, start + sizeof(header));
}

inline Bytes Ethernet(const MacBytes& to, const MacBytes& from, uint16_t type, uint16_t vlan = 0) {
  EthernetHeader header{};
  std::memcpy(header.destination, to.data(), 6);
  std::memcpy(header.source, from.data(), 6);
  header.type = vlan == 0 ? type : kEtherTypeVlan;
  Bytes bytes;
  Append(bytes, header);
  if (vlan != 0) Append(bytes, VlanTag{vlan, type});
  return bytes;
}

struct ArpFields {
  MacBytes to = kBroadcastMac;
  uint16_t operation = 1;
  MacBytes sender_mac = kPeerMac;
  IpAddress sender = {};
  MacBytes target_mac{};
  IpAddress target = {};
  uint16_t vlan = 0;
};

inline Bytes Arp(const ArpFields& fields) {
  Bytes bytes = Ethernet(fields.to, kPeerMac, kEtherTypeArp, fields.vlan);
  ArpPacket arp{};
  arp.hardware_type = 1;
  arp.protocol_type = kEtherTypeIp4;
  arp.hardware_length = 6;
  arp.protocol_length = 4;
  arp.operation = fields.operation;
  std::memcpy(arp.sender_mac, fields.sender_mac.data(), 6);
  std::memcpy(arp.sender_ip, fields.sender.bytes().data(), 4);
  std::memcpy(arp.target_mac, fields.target_mac.data(), 6);
  std::memcpy(arp.target_ip, fields.target.bytes().data(), 4);
  Append(bytes, arp);
  return bytes;
}

struct IcmpFields {
  MacBytes to;
  IpAddress source;
  IpAddress destination;
  uint8_t type;
  uint8_t hop_limit = 255;
  Bytes body = {};  // Behind type, code and checksum.
  uint16_t vlan = 0;
};

inline Bytes Icmp(const IcmpFields& fields) {
  const bool v4 = fields.source.is_v4();
  Bytes message;
  Append(message, IcmpHeader{fields.type, 0, 0});
  message.insert(message.end(), fields.body.begin(), fields.body.end());
  Checksum checksum;
  if (!v4) {
    checksum.AddPseudoHeader(fields.source, fields.destination, kProtocolIcmp6,
                             static_cast<uint32_t>(message.size()));
  }
  checksum.Add(message);
  reinterpret_cast<IcmpHeader*>(message.data())->checksum = checksum.Value();

  Bytes bytes = Ethernet(fields.to, kPeerMac, v4 ? kEtherTypeIp4 : kEtherTypeIp6, fields.vlan);
  if (v4) {
    Ip4Header ip{};
    ip.version_ihl = 0x45;
    ip.total_length = static_cast<uint16_t>(sizeof(ip) + message.size());
    ip.ttl = fields.hop_limit;
    ip.protocol = kProtocolIcmp;
    std::memcpy(ip.source, fields.source.bytes().data(), 4);
    std::memcpy(ip.destination, fields.destination.bytes().data(), 4);
    Checksum header;
    header.Add({reinterpret_cast<const uint8_t*>(&ip), sizeof(ip)});
    ip.checksum = header.Value();
    Append(bytes, ip);
  } else {
    Ip6Header ip{};
    ip.version_class_flow = 6u << 28;
    ip.payload_length = static_cast<uint16_t>(message.size());
    ip.next_header = kProtocolIcmp6;
    ip.hop_limit = fields.hop_limit;
    std::memcpy(ip.source, fields.source.bytes().data(), 16);
    std::memcpy(ip.destination, fields.destination.bytes().data(), 16);
    Append(bytes, ip);
  }
  bytes.insert(bytes.end(), message.begin(), message.end());
  return bytes;
}

// The body of a neighbour solicitation or advertisement.
inline Bytes NeighbourBody(uint32_t flags, const IpAddress& target, uint8_t option,
                           const MacBytes& mac) {
  Bytes body;
  Append(body, Be32(flags));
  body.insert(body.end(), target.bytes().begin(), target.bytes().end());
  if (option != 0) {
    LinkLayerOption link{option, 1, {}};
    std::memcpy(link.mac, mac.data(), 6);
    Append(body, link);
  }
  return body;
}

}  // namespace weir::dataplane::testing

#endif  // WEIR_TESTS_UNIT_DATAPLANE_FRAMES_H_

// The packet formats of the slow path, as they lie on the wire.
#ifndef WEIR_DATAPLANE_SLOWPATH_HEADERS_H_
#define WEIR_DATAPLANE_SLOWPATH_HEADERS_H_

#include <cstdint>

#include "wire/byte_order.h"

namespace weir::dataplane {

using wire::Be16;
using wire::Be32;

inline constexpr uint16_t kEtherTypeIp4 = 0x0800;
inline constexpr uint16_t kEtherTypeArp = 0x0806;
inline constexpr uint16_t kEtherTypeVlan = 0x8100;
inline constexpr uint16_t kEtherTypeIp6 = 0x86DD;

inline constexpr uint8_t kProtocolIcmp = 1;
inline constexpr uint8_t kProtocolUdp = 17;
inline constexpr uint8_t kProtocolIcmp6 = 58;

struct [[gnu::packed]] EthernetHeader {
  uint8_t destination[6];
  uint8_t source[6];
  Be16 type;
};

struct [[gnu::packed]] VlanTag {
  Be16 tci;   // Priority 3 bits, DEI 1, VLAN id 12.
  Be16 type;  // Of what follows.
};

// RFC 826, for IPv4 over Ethernet.
struct [[gnu::packed]] ArpPacket {
  Be16 hardware_type;  // 1.
  Be16 protocol_type;  // 0x0800.
  uint8_t hardware_length;
  uint8_t protocol_length;
  Be16 operation;  // 1 request, 2 reply.
  uint8_t sender_mac[6];
  uint8_t sender_ip[4];
  uint8_t target_mac[6];
  uint8_t target_ip[4];
};
static_assert(sizeof(ArpPacket) == 28);

struct [[gnu::packed]] Ip4Header {
  uint8_t version_ihl;  // 0x45: no options.
  uint8_t tos;          // DSCP in the upper six bits.
  Be16 total_length;
  Be16 id;
  Be16 fragment;  // Flags in the upper three bits; 0x4000: DF.
  uint8_t ttl;
  uint8_t protocol;
  Be16 checksum;
  uint8_t source[4];
  uint8_t destination[4];
};
static_assert(sizeof(Ip4Header) == 20);

struct [[gnu::packed]] Ip6Header {
  Be32 version_class_flow;  // 6 in the upper four bits, then traffic class, then flow label.
  Be16 payload_length;
  uint8_t next_header;
  uint8_t hop_limit;
  uint8_t source[16];
  uint8_t destination[16];
};
static_assert(sizeof(Ip6Header) == 40);

struct [[gnu::packed]] UdpHeader {
  Be16 source_port;
  Be16 destination_port;
  Be16 length;
  Be16 checksum;
};
static_assert(sizeof(UdpHeader) == 8);

// ICMP (RFC 792) and ICMPv6 (RFC 4443) begin alike.
struct [[gnu::packed]] IcmpHeader {
  uint8_t type;
  uint8_t code;
  Be16 checksum;
};

// RFC 4861 sections 4.3 and 4.4: solicitation and advertisement.
struct [[gnu::packed]] NeighbourMessage {
  IcmpHeader icmp;
  Be32 flags;  // Advertisement: router, solicited, override in the upper three bits.
  uint8_t target[16];
};
static_assert(sizeof(NeighbourMessage) == 24);

// RFC 4861 section 4.6.1, with an Ethernet address.
struct [[gnu::packed]] LinkLayerOption {
  uint8_t type;    // 1 source, 2 target.
  uint8_t length;  // In units of 8 bytes: 1.
  uint8_t mac[6];
};
static_assert(sizeof(LinkLayerOption) == 8);

inline constexpr uint8_t kIcmpEchoReply = 0;
inline constexpr uint8_t kIcmpEchoRequest = 8;
inline constexpr uint8_t kIcmp6EchoRequest = 128;
inline constexpr uint8_t kIcmp6EchoReply = 129;
inline constexpr uint8_t kIcmp6NeighbourSolicitation = 135;
inline constexpr uint8_t kIcmp6NeighbourAdvertisement = 136;
inline constexpr uint32_t kNaSolicited = 1u << 30;
inline constexpr uint32_t kNaOverride = 1u << 29;
inline constexpr uint8_t kOptionSourceLinkLayer = 1;
inline constexpr uint8_t kOptionTargetLinkLayer = 2;

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_SLOWPATH_HEADERS_H_

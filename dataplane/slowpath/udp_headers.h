// The headers of every UDP datagram Weir sends: a test packet's, written once into its template,
// and those of the main lcore's signals.
#ifndef WEIR_DATAPLANE_SLOWPATH_UDP_HEADERS_H_
#define WEIR_DATAPLANE_SLOWPATH_UDP_HEADERS_H_

#include <rte_ether.h>

#include <cstdint>
#include <initializer_list>
#include <span>

#include "dataplane/port/ip_address.h"

namespace weir::dataplane {

// Each writes one header at `at` and returns where the next begins. Numbers are in host order.

// `vlan` 0: no tag.
uint8_t* WriteEthernet(uint8_t* at, const rte_ether_addr& source, const rte_ether_addr& destination,
                       uint16_t vlan, uint16_t ether_type);

// IPv4 (DF, ID 0, its checksum) or IPv6 by the addresses' family; hop limit 64. `dscp` 0..63,
// `udp_bytes` with the UDP header.
uint8_t* WriteIp(uint8_t* at, const IpAddress& source, const IpAddress& destination, uint8_t dscp,
                 uint16_t udp_bytes);

// Without a checksum as yet.
uint8_t* WriteUdp(uint8_t* at, uint16_t source_port, uint16_t destination_port, uint16_t udp_bytes);

// What belongs into a UDP header (RFC 768, RFC 8200 section 8.1), never 0. `parts`: the datagram
// from its UDP header on; but for the last each has an even length.
uint16_t UdpChecksum(const IpAddress& source, const IpAddress& destination, uint32_t udp_bytes,
                     std::initializer_list<std::span<const uint8_t>> parts);

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_SLOWPATH_UDP_HEADERS_H_

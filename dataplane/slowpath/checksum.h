// The internet checksum (RFC 1071), for the main lcore's own packets and for templates: a test
// packet's is never computed on the packet path.
#ifndef WEIR_DATAPLANE_SLOWPATH_CHECKSUM_H_
#define WEIR_DATAPLANE_SLOWPATH_CHECKSUM_H_

#include <cstdint>
#include <span>

#include "dataplane/port/ip_address.h"

namespace weir::dataplane {

// Adds to the sum; an odd last byte counts as the high half of a word.
class Checksum {
 public:
  void Add(std::span<const uint8_t> bytes) {
    size_t i = 0;
    for (; i + 1 < bytes.size(); i += 2) sum_ += uint32_t{bytes[i]} << 8 | bytes[i + 1];
    if (i < bytes.size()) sum_ += uint32_t{bytes[i]} << 8;
  }
  // The pseudo-header of UDP and ICMPv6 (RFC 768, RFC 8200 section 8.1).
  void AddPseudoHeader(const IpAddress& source, const IpAddress& destination, uint8_t protocol,
                       uint32_t l4_bytes) {
    Add(source.bytes());
    Add(destination.bytes());
    sum_ += protocol;
    sum_ += (l4_bytes >> 16) + (l4_bytes & 0xFFFF);
  }

  // What belongs into the packet, in host order; over a packet with its checksum: 0.
  uint16_t Value() const {
    uint64_t sum = sum_;
    while (sum >> 16 != 0) sum = (sum & 0xFFFF) + (sum >> 16);
    return static_cast<uint16_t>(~sum);
  }

 private:
  uint64_t sum_ = 0;
};

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_SLOWPATH_CHECKSUM_H_

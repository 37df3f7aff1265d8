// The headers a flow's packets have when nothing is odd about them, to be compared in one go.
#ifndef WEIR_DATAPLANE_RX_PLAIN_HEADER_H_
#define WEIR_DATAPLANE_RX_PLAIN_HEADER_H_

#include <rte_ether.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "dataplane/flow/flow_spec.h"
#include "dataplane/flow/vector16.h"
#include "dataplane/rx/fingerprint.h"
#include "dataplane/rx/load.h"
#include "wire/byte_order.h"

namespace weir::dataplane {

// What a test packet looks like from its VLAN tag (or, without one, the end of the source MAC
// address) to its cookie: 42 bytes with IPv4, 62 with IPv6. Fields that differ from packet to
// packet are masked: DSCP and ECN, lengths, identification, TTL, checksums, flow label.
// Immutable; one cache line, all that must match before a packet is counted. A packet that comes
// alone is told by its flow's fingerprint instead, and does not touch it.
class alignas(64) PlainHeader {
  struct Mask {
    alignas(16) uint8_t bytes[64];
  };
  struct CommonBytes {
    alignas(16) uint8_t expected[16];
    alignas(16) uint8_t mask[16];
  };
  static constexpr uint8_t kV6 = 1;
  static constexpr uint8_t kTagged = 2;
  static constexpr size_t kTci = 2;    // Where the VLAN is.
  static constexpr size_t kKind = 63;  // Of bytes_. In IPv6 a masked one, in IPv4 not compared.
  static const Mask kMasks[4];         // By kind.
  static const CommonBytes kCommon[4];
  static uint8_t KindOf(bool v6, uint16_t vlan) {
    return static_cast<uint8_t>((v6 ? kV6 : 0) | (vlan != 0 ? kTagged : 0));
  }

 public:
  static constexpr size_t kBeforeIp = 6;  // Where it begins, in front of the IP header.
  // Offsets behind the start of the IP header.
  static constexpr size_t Cookie(bool v6) { return v6 ? 48 : 28; }

  // Of the packets that come from `spec.remote` to `spec.local` on a port with this VLAN (0: none).
  PlainHeader(const FlowSpec& spec, uint16_t vlan);

  bool is_v6() const { return (bytes_[kKind] & kV6) != 0; }
  // Ethernet with FCS.
  uint32_t ethernet_bytes() const {
    return RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN +
           ((bytes_[kKind] & kTagged) != 0 ? sizeof(rte_vlan_hdr) : 0);
  }
  uint64_t cookie() const {
    return wire::ByteSwap(Load<uint64_t>(bytes_ + kBeforeIp + Cookie(is_v6())));
  }
  uint64_t fingerprint() const {
    const uint8_t* const ip = bytes_ + kBeforeIp;
    return is_v6() ? Fingerprint<true>(ip) : Fingerprint<false>(ip);
  }

  // What is the same in the packets of all flows of a port with this VLAN (0: none). A packet with
  // it and with a flow's fingerprint is the flow's.
  template <bool kV6>
  class Common {
   public:
    explicit Common(uint16_t vlan) {
      const CommonBytes& bytes = kCommon[KindOf(kV6, vlan)];
      mask_ = LoadVector16(bytes.mask);
      expected_ = LoadVector16(bytes.expected);
      expected_[0] |= uint64_t{wire::ByteSwap(vlan)} << (8 * kTci);
    }

    // Reads from kBeforeIp in front of `ip` to ten bytes behind.
    bool operator()(const uint8_t* ip) const {
      return IsZero((LoadVector16(ip - kBeforeIp) & mask_) ^ expected_);
    }

   private:
    Vector16 expected_;
    Vector16 mask_;
  };

  // Compares packets with one header, which it holds in registers. kV6 must be the header's.
  template <bool kV6>
  class Comparison {
   public:
    explicit Comparison(const PlainHeader& header) {
      const Mask& mask = kMasks[header.bytes_[kKind]];
      for (int i = 0; i < kVectors; ++i) {
        mask_[i] = LoadVector16(mask.bytes + 16 * i);
        expected_[i] = LoadVector16(header.bytes_ + 16 * i) & mask_[i];
      }
    }

    // True: it is such a packet, but for its lengths. Reads from kBeforeIp in front of `ip` to
    // eight bytes behind the cookie, or two with IPv6.
    bool operator()(const uint8_t* ip) const {
      Vector16 difference = {};
      for (int i = 0; i < kVectors; ++i) {
        difference |= (LoadVector16(ip - kBeforeIp + 16 * i) & mask_[i]) ^ expected_[i];
      }
      return IsZero(difference);
    }

   private:
    static constexpr int kVectors = kV6 ? 4 : 3;
    Vector16 expected_[kVectors];
    Vector16 mask_[kVectors];
  };

  // The same of a packet with odd headers that Classify took apart: are its addresses and ports
  // (`key`, adjacent as in the packet) and its cookie the flow's?
  bool Matches(const uint8_t* key, uint64_t cookie, bool v6) const {
    const uint8_t* const ip = bytes_ + kBeforeIp;
    return v6 == is_v6() && cookie == this->cookie() &&
           std::memcmp(ip + (v6 ? 8 : 12), key, v6 ? 36 : 12) == 0;
  }

 private:
  uint8_t bytes_[64] = {};
};
static_assert(sizeof(PlainHeader) == 64);

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_RX_PLAIN_HEADER_H_

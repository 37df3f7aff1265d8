// An IPv4 or IPv6 address in network order.
#ifndef WEIR_DATAPLANE_PORT_IP_ADDRESS_H_
#define WEIR_DATAPLANE_PORT_IP_ADDRESS_H_

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace weir::dataplane {

using Ip4Bytes = std::array<uint8_t, 4>;
using Ip6Bytes = std::array<uint8_t, 16>;

class IpAddress {
 public:
  // No address; is_v4() and is_v6() are false.
  IpAddress() = default;
  explicit IpAddress(const Ip4Bytes& v4) : length_(4) {
    std::memcpy(bytes_.data(), v4.data(), v4.size());
  }
  explicit IpAddress(const Ip6Bytes& v6) : length_(16), bytes_(v6) {}

  // Of 4 or 16 bytes; no address if it is neither.
  static IpAddress FromBytes(std::span<const uint8_t> bytes);
  // "192.0.2.1", "2001:db8::1"; no address if it is neither.
  static IpAddress FromText(std::string_view text);

  bool is_v4() const { return length_ == 4; }
  bool is_v6() const { return length_ == 16; }
  explicit operator bool() const { return length_ != 0; }

  // The 4 or 16 bytes.
  std::span<const uint8_t> bytes() const { return {bytes_.data(), length_}; }
  // 16 bytes, IPv4 as v4-mapped (::ffff:a.b.c.d), for the MACs of the address proof.
  Ip6Bytes mapped() const;
  Ip4Bytes v4() const {
    Ip4Bytes out;
    std::memcpy(out.data(), bytes_.data(), out.size());
    return out;
  }
  const Ip6Bytes& v6() const { return bytes_; }

  bool IsMulticast() const;  // 224.0.0.0/4, ff00::/8.
  // Multicast, limited broadcast, unspecified, loopback: never a source or target of traffic.
  bool IsUnicast() const;
  bool InPrefix(const IpAddress& network, uint8_t prefix_length) const;
  std::string ToString() const;

  auto operator<=>(const IpAddress&) const = default;  // NOLINT(modernize-use-nullptr)

 private:
  uint8_t length_ = 0;
  Ip6Bytes bytes_{};
};

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_PORT_IP_ADDRESS_H_

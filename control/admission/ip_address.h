// IP addresses and prefixes as policy sees them.
#ifndef WEIR_CONTROL_ADMISSION_IP_ADDRESS_H_
#define WEIR_CONTROL_ADMISSION_IP_ADDRESS_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace weir::control {

// An IPv4 or IPv6 address. An IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2) is the IPv4
// address it stands for, so that it cannot slip past an IPv4 rule.
class IpAddress {
 public:
  // Strict numeric form; no zone, no brackets, no leading zeros.
  static std::optional<IpAddress> Parse(std::string_view text);

  int version() const { return version_; }  // 4 or 6.
  int bits() const { return version_ == 4 ? 32 : 128; }
  bool Bit(int index) const { return (bytes_[index / 8] >> (7 - index % 8)) & 1; }
  // How many leading bits are equal; 0 for addresses of different versions.
  int CommonBits(const IpAddress& other) const;
  IpAddress Masked(int prefix_length) const;
  bool IsUnspecified() const;
  bool IsMulticast() const;
  bool IsLoopback() const;
  std::string ToString() const;  // RFC 5952.

  friend bool operator==(const IpAddress&, const IpAddress&) = default;

 private:
  int version_ = 4;
  std::array<uint8_t, 16> bytes_{};  // Network order; IPv4 in the first four.
};

struct IpPrefix {
  IpAddress address;  // Host bits are zero.
  int length = 0;

  // "192.0.2.0/24"; a bare address is a host prefix. Host bits that are set are an error.
  static absl::StatusOr<IpPrefix> Parse(std::string_view text);
  bool Contains(const IpAddress& other) const;
  bool Covers(const IpPrefix& other) const;  // Every address of `other` is in this prefix.
  std::string ToString() const;
};

// What address mode "netblock" keeps: the /24 of an IPv4, the /48 of an IPv6 address.
IpPrefix Netblock(const IpAddress& address);

// One household or one site, as far as an address can tell: the /24 of an IPv4, the /64 of an IPv6
// address.
IpPrefix Network(const IpAddress& address);

}  // namespace weir::control

#endif  // WEIR_CONTROL_ADMISSION_IP_ADDRESS_H_

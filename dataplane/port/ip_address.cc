#include "dataplane/port/ip_address.h"

#include <arpa/inet.h>

namespace weir::dataplane {

IpAddress IpAddress::FromBytes(std::span<const uint8_t> bytes) {
  IpAddress out;
  if (bytes.size() != 4 && bytes.size() != 16) return out;
  out.length_ = static_cast<uint8_t>(bytes.size());
  std::memcpy(out.bytes_.data(), bytes.data(), bytes.size());
  return out;
}

IpAddress IpAddress::FromText(std::string_view text) {
  const std::string terminated(text);
  Ip4Bytes v4;
  if (inet_pton(AF_INET, terminated.c_str(), v4.data()) == 1) return IpAddress(v4);
  Ip6Bytes v6;
  if (inet_pton(AF_INET6, terminated.c_str(), v6.data()) == 1) return IpAddress(v6);
  return {};
}

Ip6Bytes IpAddress::mapped() const {
  if (!is_v4()) return bytes_;
  Ip6Bytes out{};
  out[10] = out[11] = 0xFF;
  std::memcpy(out.data() + 12, bytes_.data(), 4);
  return out;
}

bool IpAddress::IsMulticast() const {
  if (is_v4()) return (bytes_[0] & 0xF0) == 0xE0;
  return is_v6() && bytes_[0] == 0xFF;
}

bool IpAddress::IsUnicast() const {
  if (is_v4()) return bytes_[0] != 0 && bytes_[0] != 127 && bytes_[0] < 0xE0;
  if (!is_v6() || bytes_[0] == 0xFF) return false;
  Ip6Bytes loopback{};
  loopback[15] = 1;
  return bytes_ != Ip6Bytes{} && bytes_ != loopback;
}

bool IpAddress::InPrefix(const IpAddress& network, uint8_t prefix_length) const {
  if (length_ != network.length_ || length_ == 0) return false;
  const unsigned whole = prefix_length / 8;
  if (whole > length_) return false;
  if (std::memcmp(bytes_.data(), network.bytes_.data(), whole) != 0) return false;
  const unsigned rest = prefix_length % 8;
  if (rest == 0 || whole == length_) return true;
  const auto mask = static_cast<uint8_t>(0xFF << (8 - rest));
  return ((bytes_[whole] ^ network.bytes_[whole]) & mask) == 0;
}

std::string IpAddress::ToString() const {
  if (length_ == 0) return "(no address)";
  char text[INET6_ADDRSTRLEN];
  inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes_.data(), text, sizeof(text));
  return text;
}

}  // namespace weir::dataplane

#include "control/admission/ip_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace weir::control {
namespace {

constexpr std::array<uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

}  // namespace

std::optional<IpAddress> IpAddress::Parse(std::string_view text) {
  const std::string terminated(text);
  if (terminated.find('\0') != std::string::npos) return std::nullopt;
  IpAddress result;
  if (inet_pton(AF_INET, terminated.c_str(), result.bytes_.data()) == 1) return result;
  result.version_ = 6;
  if (inet_pton(AF_INET6, terminated.c_str(), result.bytes_.data()) != 1) return std::nullopt;
  if (std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), result.bytes_.begin())) {
    IpAddress mapped;
    std::copy_n(result.bytes_.begin() + 12, 4, mapped.bytes_.begin());
    return mapped;
  }
  return result;
}

int IpAddress::CommonBits(const IpAddress& other) const {
  if (version_ != other.version_) return 0;
  for (int byte = 0; byte < bits() / 8; ++byte) {
    const unsigned differ = bytes_[byte] ^ other.bytes_[byte];
    if (differ != 0) return byte * 8 + std::countl_zero(static_cast<uint8_t>(differ));
  }
  return bits();
}

IpAddress IpAddress::Masked(int prefix_length) const {
  IpAddress result = *this;
  for (int byte = 0; byte < bits() / 8; ++byte) {
    const int keep = std::clamp(prefix_length - byte * 8, 0, 8);
    result.bytes_[byte] &= static_cast<uint8_t>(0xFF00 >> keep);
  }
  return result;
}

bool IpAddress::IsUnspecified() const {
  return std::all_of(bytes_.begin(), bytes_.end(), [](uint8_t byte) { return byte == 0; });
}

bool IpAddress::IsMulticast() const {
  // 255.255.255.255 belongs with the groups: no single peer answers for it.
  if (version_ == 4)
    return bytes_[0] >= 224 && (bytes_[0] < 240 || Masked(32).ToString() == "255.255.255.255");
  return bytes_[0] == 0xFF;
}

bool IpAddress::IsLoopback() const {
  if (version_ == 4) return bytes_[0] == 127;
  return bytes_[15] == 1 &&
         std::all_of(bytes_.begin(), bytes_.begin() + 15, [](uint8_t byte) { return byte == 0; });
}

std::string IpAddress::ToString() const {
  if (version_ == 4) {
    return absl::StrCat(bytes_[0], ".", bytes_[1], ".", bytes_[2], ".", bytes_[3]);
  }
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(AF_INET6, bytes_.data(), text, sizeof(text));
  return text;
}

absl::StatusOr<IpPrefix> IpPrefix::Parse(std::string_view text) {
  const std::string quoted = absl::StrCat("\"", std::string(text), "\"");
  const size_t slash = text.find('/');
  const auto address = IpAddress::Parse(text.substr(0, slash));
  if (!address) {
    return absl::InvalidArgumentError(absl::StrCat(
        quoted, ": not an address or prefix; allowed: \"192.0.2.0/24\", \"2001:db8::/32\""));
  }
  IpPrefix prefix{*address, address->bits()};
  if (slash != std::string_view::npos) {
    const std::string digits(text.substr(slash + 1));
    if (digits.empty() || digits.find_first_not_of("0123456789") != std::string::npos ||
        !absl::SimpleAtoi(digits, &prefix.length) || prefix.length > address->bits()) {
      return absl::InvalidArgumentError(
          absl::StrCat(quoted, ": the prefix length is from 0 to ", address->bits()));
    }
  }
  prefix.address = address->Masked(prefix.length);
  if (!(prefix.address == *address)) {
    return absl::InvalidArgumentError(absl::StrCat(
        quoted, ": bits are set beyond the prefix; did you mean \"", prefix.ToString(), "\"?"));
  }
  return prefix;
}

bool IpPrefix::Contains(const IpAddress& other) const {
  return other.version() == address.version() && other.CommonBits(address) >= length;
}

bool IpPrefix::Covers(const IpPrefix& other) const {
  return length <= other.length && Contains(other.address);
}

std::string IpPrefix::ToString() const {
  std::string text = address.ToString();
  absl::StrAppend(&text, "/", length);
  return text;
}

IpPrefix Netblock(const IpAddress& address) {
  const int length = address.version() == 4 ? 24 : 48;
  return {address.Masked(length), length};
}

IpPrefix Network(const IpAddress& address) {
  const int length = address.version() == 4 ? 24 : 64;
  return {address.Masked(length), length};
}

}  // namespace weir::control

#include "control/config/listen_address.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "control/admission/ip_address.h"

namespace weir::control {
namespace {

absl::Status Malformed(const std::string& text, const std::string& why) {
  return absl::InvalidArgumentError(
      absl::StrCat("\"", text, "\": ", why,
                   "; allowed: ADDRESS[:PORT], e.g. \"192.0.2.1:4040\" or \"[::]:4040\""));
}

}  // namespace

bool ListenAddress::IsLoopback() const {
  if (host == "localhost") return true;
  const auto address = IpAddress::Parse(host);
  return address && address->IsLoopback();
}

std::string ListenAddress::ToString() const {
  return host.find(':') != std::string::npos ? absl::StrCat("[", host, "]:", port)
                                             : absl::StrCat(host, ":", port);
}

absl::StatusOr<ListenAddress> ParseListenAddress(const std::string& text, uint16_t default_port) {
  ListenAddress result;
  std::string port_text;
  bool has_port = false;
  if (!text.empty() && text[0] == '[') {
    const size_t close = text.find(']');
    if (close == std::string::npos) return Malformed(text, "no closing bracket");
    result.host = text.substr(1, close - 1);
    if (close + 1 < text.size()) {
      if (text[close + 1] != ':') return Malformed(text, "a port is separated by a colon");
      has_port = true;
      port_text = text.substr(close + 2);
    }
    const auto address = IpAddress::Parse(result.host);
    if (!address || result.host.find(':') == std::string::npos) {
      return Malformed(text, "brackets hold an IPv6 address");
    }
  } else {
    const size_t colon = text.find(':');
    if (colon != std::string::npos && text.find(':', colon + 1) != std::string::npos) {
      return Malformed(text, "an IPv6 address needs brackets");
    }
    result.host = text.substr(0, colon);
    if (colon != std::string::npos) {
      has_port = true;
      port_text = text.substr(colon + 1);
    }
    if (result.host != "localhost" && !IpAddress::Parse(result.host)) {
      return Malformed(text, "not an IP address");
    }
  }
  result.port = default_port;
  if (has_port) {
    uint32_t port = 0;
    if (port_text.empty() || port_text.find_first_not_of("0123456789") != std::string::npos ||
        !absl::SimpleAtoi(port_text, &port) || port > 65535) {
      return Malformed(text, "the port is a number from 0 to 65535");
    }
    result.port = static_cast<uint16_t>(port);
  }
  return result;
}

}  // namespace weir::control

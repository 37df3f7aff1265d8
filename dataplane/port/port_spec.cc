#include "dataplane/port/port_spec.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <span>
#include <vector>

namespace weir::dataplane {
namespace {

constexpr uint16_t kMinMtu4 = 68;    // RFC 791.
constexpr uint16_t kMinMtu6 = 1280;  // RFC 8200.
constexpr uint16_t kMaxMtu = 9578;   // A 9,600-byte frame with VLAN tag and FCS.
constexpr size_t kMaxInterfaceName = 15;
constexpr size_t kMaxSocketPath = 107;

struct Kind {
  std::string_view name;
  std::string_view argument;  // What has to follow the colon; empty: nothing has to.
  std::vector<std::string_view> keys;
};

const std::vector<Kind>& Kinds() {
  static const std::vector<Kind> kinds = {
      {"pci", "an address like 0000:3b:00.0", {}},
      {"af_xdp", "an interface", {"queues"}},
      {"af_packet", "an interface", {}},
      {"tap", "a name for the interface", {}},
      {"memif", "the path of a socket", {"role", "id"}},
      {"ring", "", {}},
      {"null", "", {}},
      {"pcap", "the path of a file to write to", {"rx"}},
  };
  return kinds;
}

constexpr std::string_view kCommonKeys[] = {"ip4",  "gw4", "ip6", "gw6",
                                            "vlan", "mtu", "mac", "bench"};

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> out;
  while (true) {
    const size_t at = text.find(separator);
    out.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return out;
    text.remove_prefix(at + 1);
  }
}

bool ParseNumber(std::string_view text, uint32_t low, uint32_t high, uint32_t* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size() && *value >= low &&
         *value <= high;
}

std::string Join(std::span<const std::string_view> words) {
  std::string out;
  for (std::string_view word : words) {
    if (!out.empty()) out += ", ";
    out += word;
  }
  return out;
}

// Parses one --port value; carries the name for the errors.
class Parser {
 public:
  Result<PortSpec> Parse(std::string_view flag_value);

 private:
  Error Bad(std::string_view key, std::string message) const {
    std::string field = "--port";
    if (!spec_.name.empty()) field += " " + spec_.name;
    if (!key.empty()) field += "." + std::string(key);
    return {v1::INVALID_ARGUMENT, field, std::move(message)};
  }

  Status ParseName(std::string_view name);
  Status ParseDevice(std::string_view device);
  Status CheckArgument();
  Status ParseKey(std::string_view key, std::string_view value);
  Status ParseAddress(std::string_view key, std::string_view value);
  Status ParseGateway(std::string_view key, std::string_view value);
  Status ParseMac(std::string_view value);
  Status ParseQueues(std::string_view value);
  Status CheckWhole();

  PortSpec spec_;
  const Kind* kind_ = nullptr;
  std::map<std::string, std::string, std::less<>> seen_;
  IpAddress gateway4_;
  IpAddress gateway6_;
};

Status Parser::ParseName(std::string_view name) {
  const auto allowed = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '.' || c == '-';
  };
  if (name.empty() || name.size() > 32 || !std::all_of(name.begin(), name.end(), allowed)) {
    return Bad("", "the name \"" + std::string(name) +
                       "\" must be 1 to 32 letters, digits, '_', '.' or '-'");
  }
  spec_.name = name;
  return Ok{};
}

Status Parser::ParseDevice(std::string_view device) {
  const size_t colon = device.find(':');
  spec_.device = device;
  spec_.kind = device.substr(0, colon);
  const auto& kinds = Kinds();
  const auto found =
      std::find_if(kinds.begin(), kinds.end(), [&](const Kind& k) { return k.name == spec_.kind; });
  if (colon == std::string_view::npos || found == kinds.end()) {
    return Bad("", "unknown device \"" + spec_.device +
                       "\"; one of pci:BDF, af_xdp:IF, af_packet:IF, tap:NAME, memif:SOCKET, "
                       "ring:, null:, pcap:FILE");
  }
  kind_ = &*found;
  spec_.argument = device.substr(colon + 1);
  return CheckArgument();
}

Status Parser::CheckArgument() {
  const std::string& argument = spec_.argument;
  if (kind_->argument.empty()) {
    if (argument.empty()) return Ok{};
    return Bad("", spec_.kind + ": takes nothing behind the colon, not \"" + argument + "\"");
  }
  if (argument.empty()) {
    return Bad("", spec_.kind + ": needs " + std::string(kind_->argument) + " behind the colon");
  }
  if (spec_.kind == "pci") {
    // Domain may be left out, as lspci does.
    if (std::count(argument.begin(), argument.end(), ':') == 1) spec_.argument = "0000:" + argument;
    static constexpr std::string_view kShape = "xxxx:xx:xx.x";
    const auto fits = [](unsigned char c, char shape) {
      return shape == 'x' ? std::isxdigit(c) != 0 : c == static_cast<unsigned char>(shape);
    };
    if (!std::equal(spec_.argument.begin(), spec_.argument.end(), kShape.begin(), kShape.end(),
                    fits)) {
      return Bad("", "\"" + argument + "\" is not a PCI address like 0000:3b:00.0; see lspci -D");
    }
  } else if (spec_.kind == "memif") {
    if (argument.front() != '/' || argument.size() > kMaxSocketPath) {
      return Bad("", "the socket's path must be absolute and at most 107 bytes");
    }
  } else if (spec_.kind != "pcap") {
    const auto forbidden = [](unsigned char c) { return c == '/' || std::isspace(c) != 0; };
    if (argument.size() > kMaxInterfaceName || argument == "." || argument == ".." ||
        std::any_of(argument.begin(), argument.end(), forbidden)) {
      return Bad("", "\"" + argument + "\" cannot be the name of an interface (1 to 15 bytes)");
    }
  }
  return Ok{};
}

Status Parser::ParseKey(std::string_view key, std::string_view value) {
  const bool common =
      std::find(std::begin(kCommonKeys), std::end(kCommonKeys), key) != std::end(kCommonKeys);
  if (!common && std::find(kind_->keys.begin(), kind_->keys.end(), key) == kind_->keys.end()) {
    std::vector<std::string_view> known(std::begin(kCommonKeys), std::end(kCommonKeys));
    known.insert(known.end(), kind_->keys.begin(), kind_->keys.end());
    return Bad(key, "unknown key; " + spec_.kind + " takes " + Join(known));
  }
  if (value.empty()) return Bad(key, "has no value");
  if (!seen_.emplace(key, value).second) return Bad(key, "is given twice");
  if (key == "ip4" || key == "ip6") return ParseAddress(key, value);
  if (key == "gw4" || key == "gw6") return ParseGateway(key, value);
  if (key == "mac") return ParseMac(value);
  if (key == "bench") {
    if (value != "on" && value != "off") return Bad(key, "must be on or off");
    spec_.bench = value == "on";
    return Ok{};
  }
  uint32_t number = 0;
  if (key == "vlan") {
    if (!ParseNumber(value, 1, 4094, &number)) return Bad(key, "must be 1 to 4094");
    spec_.vlan = static_cast<uint16_t>(number);
    return Ok{};
  }
  if (key == "mtu") {
    if (!ParseNumber(value, kMinMtu4, kMaxMtu, &number)) {
      return Bad(key, "must be " + std::to_string(kMinMtu4) + " to " + std::to_string(kMaxMtu));
    }
    spec_.mtu = static_cast<uint16_t>(number);
    return Ok{};
  }
  spec_.options.emplace(key, value);
  if (key == "queues") return ParseQueues(value);
  if (key == "role" && value != "server" && value != "client") {
    return Bad(key, "must be server or client");
  }
  if (key == "id" && !ParseNumber(value, 0, UINT32_MAX, &number)) {
    return Bad(key, "must be a number");
  }
  return Ok{};
}

Status Parser::ParseAddress(std::string_view key, std::string_view value) {
  const bool v4 = key == "ip4";
  const size_t slash = value.find('/');
  const IpAddress ip = IpAddress::FromText(value.substr(0, slash));
  const uint32_t bits = v4 ? 32 : 128;
  uint32_t prefix = 0;
  if (slash == std::string_view::npos || ip.is_v4() != v4 || ip.is_v6() == v4 ||
      !ParseNumber(value.substr(slash + 1), 1, bits, &prefix)) {
    return Bad(key, "\"" + std::string(value) +
                        "\" is not an address with its prefix length, like " +
                        (v4 ? "192.0.2.1/24" : "2001:db8::1/64"));
  }
  if (!ip.IsUnicast()) return Bad(key, ip.ToString() + " is not a unicast address");
  if (!v4) {
    spec_.ip6 = Ip6Config{ip.v6(), static_cast<uint8_t>(prefix), std::nullopt};
    return Ok{};
  }
  if (prefix <= 30) {
    const Ip4Bytes bytes = ip.v4();
    const uint32_t host =
        uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
    const uint32_t mask = UINT32_MAX >> prefix;
    if ((host & mask) == 0 || (host & mask) == mask) {
      return Bad(key, std::string(value) + " is the network's own or its broadcast address");
    }
  }
  spec_.ip4 = Ip4Config{ip.v4(), static_cast<uint8_t>(prefix), std::nullopt};
  return Ok{};
}

Status Parser::ParseGateway(std::string_view key, std::string_view value) {
  const bool v4 = key == "gw4";
  const IpAddress ip = IpAddress::FromText(value);
  if (ip.is_v4() != v4 || ip.is_v6() == v4 || !ip.IsUnicast()) {
    return Bad(key, "\"" + std::string(value) + "\" is not a unicast " + (v4 ? "IPv4" : "IPv6") +
                        " address");
  }
  (v4 ? gateway4_ : gateway6_) = ip;
  return Ok{};
}

Status Parser::ParseMac(std::string_view value) {
  MacBytes mac{};
  const auto parts = Split(value, ':');
  bool good = parts.size() == mac.size();
  for (size_t i = 0; good && i < mac.size(); ++i) {
    const char* end = parts[i].data() + parts[i].size();
    const auto result = std::from_chars(parts[i].data(), end, mac[i], 16);
    good = parts[i].size() == 2 && result.ec == std::errc() && result.ptr == end;
  }
  if (!good) return Bad("mac", "\"" + std::string(value) + "\" is not like 02:00:00:00:00:01");
  if ((mac[0] & 1) != 0 || mac == MacBytes{}) return Bad("mac", "must be a unicast address");
  spec_.mac = mac;
  return Ok{};
}

Status Parser::ParseQueues(std::string_view value) {
  const size_t dash = value.find('-');
  uint32_t first = 0;
  uint32_t last = 0;
  const bool good = ParseNumber(value.substr(0, dash), 0, 1023, &first) &&
                    ParseNumber(dash == std::string_view::npos ? value : value.substr(dash + 1),
                                first, 1023, &last);
  if (!good) return Bad("queues", "\"" + std::string(value) + "\" is not a range like 2-3");
  spec_.queues =
      PortSpec::QueueRange{static_cast<uint16_t>(first), static_cast<uint16_t>(last - first + 1)};
  return Ok{};
}

Status Parser::CheckWhole() {
  if (gateway4_) {
    if (!spec_.ip4) return Bad("gw4", "needs ip4");
    const IpAddress own(spec_.ip4->address);
    if (!gateway4_.InPrefix(own, spec_.ip4->prefix)) {
      return Bad("gw4", gateway4_.ToString() + " is not on the link " + own.ToString() + "/" +
                            std::to_string(spec_.ip4->prefix));
    }
    if (gateway4_ == own) return Bad("gw4", "is the port's own address");
    spec_.ip4->gateway = gateway4_.v4();
  }
  if (gateway6_) {
    if (!spec_.ip6) return Bad("gw6", "needs ip6");
    const IpAddress own(spec_.ip6->address);
    const IpAddress link_local(Ip6Bytes{0xFE, 0x80});
    if (!gateway6_.InPrefix(own, spec_.ip6->prefix) && !gateway6_.InPrefix(link_local, 10)) {
      return Bad("gw6", gateway6_.ToString() + " is neither on the link " + own.ToString() + "/" +
                            std::to_string(spec_.ip6->prefix) + " nor link-local");
    }
    if (gateway6_ == own) return Bad("gw6", "is the port's own address");
    spec_.ip6->gateway = gateway6_.v6();
  }
  if (spec_.ip6 && spec_.mtu != 0 && spec_.mtu < kMinMtu6) {
    return Bad("mtu", "must be at least 1280 with ip6 (RFC 8200)");
  }
  return Ok{};
}

Result<PortSpec> Parser::Parse(std::string_view flag_value) {
  const size_t equals = flag_value.find('=');
  if (equals == std::string_view::npos) {
    return Bad("", "\"" + std::string(flag_value) +
                       "\" is not NAME=DEVICE[,key=value...], like "
                       "p0=af_packet:eth1,ip4=192.0.2.1/24");
  }
  Status status = ParseName(flag_value.substr(0, equals));
  if (!status.ok()) return status.error();
  const auto parts = Split(flag_value.substr(equals + 1), ',');
  status = ParseDevice(parts[0]);
  if (!status.ok()) return status.error();
  for (size_t i = 1; i < parts.size(); ++i) {
    const size_t at = parts[i].find('=');
    if (at == std::string_view::npos || at == 0) {
      return Bad("", "\"" + std::string(parts[i]) + "\" is not key=value");
    }
    status = ParseKey(parts[i].substr(0, at), parts[i].substr(at + 1));
    if (!status.ok()) return status.error();
  }
  status = CheckWhole();
  if (!status.ok()) return status.error();
  return std::move(spec_);
}

}  // namespace

Result<PortSpec> ParsePortSpec(std::string_view flag_value) { return Parser().Parse(flag_value); }

}  // namespace weir::dataplane

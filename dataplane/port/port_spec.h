// What the flag --port says: NAME=DEVICE[,key=value...].
#ifndef WEIR_DATAPLANE_PORT_PORT_SPEC_H_
#define WEIR_DATAPLANE_PORT_PORT_SPEC_H_

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "dataplane/port/ip_address.h"
#include "dataplane/result.h"

namespace weir::dataplane {

using MacBytes = std::array<uint8_t, 6>;

struct Ip4Config {
  Ip4Bytes address;
  uint8_t prefix;  // 1 .. 32.
  std::optional<Ip4Bytes> gateway;
};

struct Ip6Config {
  Ip6Bytes address;
  uint8_t prefix;  // 1 .. 128.
  std::optional<Ip6Bytes> gateway;
};

struct PortSpec {
  std::string name;      // 1 to 32 of [A-Za-z0-9_.-].
  std::string device;    // As given, without the keys: "af_packet:eth1".
  std::string kind;      // What stands before the colon: "af_packet".
  std::string argument;  // What stands behind it: "eth1"; may be empty for ring and null.
  std::optional<Ip4Config> ip4;
  std::optional<Ip6Config> ip6;
  uint16_t vlan = 0;            // 802.1Q VLAN id; 0: untagged.
  uint16_t mtu = 0;             // IP packet bytes; 0: the device's own.
  std::optional<MacBytes> mac;  // Instead of the device's own.
  // Wired to a bench: flows may be armed without an address proof. Decided here, by who starts
  // the dataplane, and by nothing that comes later.
  bool bench = false;
  // Keys of this kind of device alone: af_xdp queues, memif role and id, pcap rx.
  std::map<std::string, std::string> options;

  // Queues a-b of `queues=`, or nothing.
  struct QueueRange {
    uint16_t first;
    uint16_t count;
  };
  std::optional<QueueRange> queues;

  // Backed by a kernel network interface called `argument`.
  bool is_kernel_interface() const { return kind == "af_packet" || kind == "af_xdp"; }
  // No network is behind it: what it is given goes nowhere, or comes back.
  bool is_isolated() const { return kind == "null" || kind == "ring"; }
};

// Error.field is "--port" or "--port NAME.key".
Result<PortSpec> ParsePortSpec(std::string_view flag_value);

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_PORT_PORT_SPEC_H_

// One flow end as the dataplane holds it: checked, immutable, shared by main and workers.
#ifndef WEIR_DATAPLANE_FLOW_FLOW_SPEC_H_
#define WEIR_DATAPLANE_FLOW_FLOW_SPEC_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/port/ip_address.h"
#include "dataplane/port/port_spec.h"
#include "dataplane/result.h"
#include "dataplane/v1/dataplane.pb.h"
#include "wire/signal_packet.h"

namespace weir::dataplane {

struct UdpEndpoint {
  IpAddress ip;
  uint16_t port = 0;  // Host order.
  bool operator==(const UdpEndpoint&) const = default;
};

struct FrameSize {
  uint32_t udp_payload = 0;
  uint32_t weight = 1;
};

// What a flow may use of a port; filled from the port by the caller of MakeFlowSpec.
struct PortLimits {
  std::string name;
  uint16_t index = 0;
  uint32_t mtu = 1500;
  uint64_t link_bps = 0;  // 0: unknown, no limit from it.
  IpAddress ip4;          // No address: the port has none of that family.
  IpAddress ip6;
  bool bench = false;     // Flows may be armed without a proof.
  bool isolated = false;  // No network is behind it.
};

struct FlowSpec {
  uint32_t slot = 0;
  uint32_t generation = 0;
  v1::Role role = v1::ROLE_UNSPECIFIED;
  std::array<uint8_t, 16> session_id{};
  uint32_t stream = 0;
  uint16_t port = 0;  // Index.
  UdpEndpoint local;
  UdpEndpoint remote;
  uint64_t cookie = 0;
  uint32_t peer_slot = 0;
  uint32_t peer_generation = 0;
  std::array<uint8_t, wire::kSessionKeyBytes> session_key{};
  uint8_t dscp = 0;
  uint64_t setup_timeout_ns = 0;
  // Of a bench (proto/README.md section 5.5): no proof, no peer lease.
  bool bench = false;
  std::optional<MacBytes> next_hop_mac;  // TX of a bench: instead of the neighbour's.

  // TX. Rates are IP-layer bit/s; 0: as fast as the port takes it.
  uint64_t rate_bps = 0;
  bool rate_max = false;
  std::vector<FrameSize> sizes;
  uint64_t duration_ns = 0;
  uint64_t cap_bytes = 0;
  uint64_t packet_limit = 0;  // 0: none.
  v1::Pacing pacing = v1::PACING_CBR;
  uint32_t burst_packets = 1;   // PACING_BURST.
  uint64_t ramp_start_bps = 0;  // PACING_RAMP: at most rate_bps.

  // RX.
  bool histogram = false;
  uint32_t hello_attempts = 0;

  bool is_tx() const { return role == v1::TX; }
  uint32_t ip_header_bytes() const { return remote.ip.is_v4() ? 20 : 40; }
};

inline constexpr uint32_t kUdpHeaderBytes = 8;
inline constexpr uint32_t kMaxFrameSizes = 16;
inline constexpr uint32_t kMaxBurstPackets = 1024;
inline constexpr uint64_t kMaxDurationNs = 24ull * 3600 * 1'000'000'000;

// Checks a command's spec against the slots there are and the port. Errors name the field.
Result<FlowSpec> MakeFlowSpec(const v1::FlowSpec& spec, uint32_t slots, const PortLimits& port);

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_FLOW_FLOW_SPEC_H_

#include "dataplane/flow/flow_spec.h"

#include <algorithm>
#include <cstring>

#include "wire/test_packet.h"

namespace weir::dataplane {
namespace {

constexpr uint64_t kDefaultSetupTimeoutNs = 10'000'000'000;
constexpr uint32_t kDefaultHelloAttempts = 50;
// No worker sends more: a cap above it needs no pacing.
constexpr uint64_t kMostPacketsPerSecond = 1'000'000'000;

Error Invalid(std::string field, std::string message) {
  return {v1::INVALID_ARGUMENT, "spec." + std::move(field), std::move(message)};
}

IpAddress ParseIp(const std::string& raw) {
  return IpAddress::FromBytes({reinterpret_cast<const uint8_t*>(raw.data()), raw.size()});
}

template <size_t N>
bool CopyBytes(const std::string& raw, std::array<uint8_t, N>* out) {
  if (raw.size() != N) return false;
  std::memcpy(out->data(), raw.data(), N);
  return true;
}

Status CheckEndpoints(const v1::FlowSpec& in, const PortLimits& port, FlowSpec* spec) {
  spec->remote.ip = ParseIp(in.remote().ip());
  if (!spec->remote.ip) return Invalid("remote.ip", "must have 4 or 16 bytes");
  if (!spec->remote.ip.IsUnicast()) return Invalid("remote.ip", "must be a unicast address");
  const bool v4 = spec->remote.ip.is_v4();
  spec->local.ip = v4 ? port.ip4 : port.ip6;
  if (!spec->local.ip) {
    const std::string family = v4 ? "4" : "6";
    return Invalid("remote.ip", "port '" + port.name + "' has no IPv" + family +
                                    " address; give it one with ip" + family +
                                    "=ADDRESS/LENGTH in --port");
  }
  if (!in.local().ip().empty() && ParseIp(in.local().ip()) != spec->local.ip) {
    return Invalid("local.ip", "must be empty or the address of port '" + port.name + "'");
  }
  if (in.local().udp_port() == 0 || in.local().udp_port() > 65535) {
    return Invalid("local.udp_port", "must be 1 to 65535");
  }
  if (in.remote().udp_port() == 0 || in.remote().udp_port() > 65535) {
    return Invalid("remote.udp_port", "must be 1 to 65535");
  }
  spec->local.port = static_cast<uint16_t>(in.local().udp_port());
  spec->remote.port = static_cast<uint16_t>(in.remote().udp_port());
  return Ok{};
}

Status CheckSizes(const v1::FlowSpec& in, const PortLimits& port, FlowSpec* spec) {
  if (in.payload().empty() || in.payload().size() > static_cast<int>(kMaxFrameSizes)) {
    return Invalid("payload", "must have 1 to " + std::to_string(kMaxFrameSizes) + " sizes");
  }
  const uint32_t limit = port.mtu - spec->ip_header_bytes() - kUdpHeaderBytes;
  for (const v1::PayloadSize& size : in.payload()) {
    if (size.udp_payload_bytes() < wire::kMinUdpPayload || size.udp_payload_bytes() > limit) {
      return Invalid("payload.udp_payload_bytes",
                     std::to_string(size.udp_payload_bytes()) + " is outside " +
                         std::to_string(wire::kMinUdpPayload) + " to " + std::to_string(limit) +
                         ", what the MTU " + std::to_string(port.mtu) + " of port '" + port.name +
                         "' carries");
    }
    if (size.weight() > 1000) return Invalid("payload.weight", "must be at most 1000");
    spec->sizes.push_back({size.udp_payload_bytes(), std::max(1u, size.weight())});
  }
  return Ok{};
}

Status CheckPacing(const v1::FlowSpec& in, FlowSpec* spec) {
  if (!v1::Pacing_IsValid(in.pacing())) return Invalid("pacing", "is not one this version knows");
  if (in.pacing() != v1::PACING_CBR && in.rate_max()) {
    return Invalid("pacing", "must be PACING_CBR with rate_max; ask for a rate");
  }
  const bool burst = in.pacing() == v1::PACING_BURST;
  if (burst ? in.burst_packets() < 2 || in.burst_packets() > kMaxBurstPackets
            : in.burst_packets() != 0) {
    return Invalid("burst_packets", "must be 2 to " + std::to_string(kMaxBurstPackets) +
                                        " with PACING_BURST, and 0 without");
  }
  if (in.pacing() == v1::PACING_RAMP ? in.ramp_start_bps() > in.rate_bps()
                                     : in.ramp_start_bps() != 0) {
    return Invalid("ramp_start_bps", "must be at most rate_bps with PACING_RAMP, and 0 without");
  }
  spec->pacing = in.pacing();
  spec->burst_packets = burst ? in.burst_packets() : 1;
  return Ok{};
}

Status CheckLoad(const v1::FlowSpec& in, const PortLimits& port, FlowSpec* spec) {
  if (in.rate_bps() == 0 && !in.rate_max()) {
    return Invalid("rate_bps", "must not be 0; ask for a rate, or for rate_max");
  }
  if (port.link_bps != 0 && in.rate_bps() > port.link_bps) {
    return Invalid("rate_bps", std::to_string(in.rate_bps()) + " bit/s is above the link rate of " +
                                   "port '" + port.name + "', " + std::to_string(port.link_bps) +
                                   " bit/s");
  }
  if (in.duration_ns() == 0 || in.duration_ns() > kMaxDurationNs) {
    return Invalid("duration_ns", "must be above 0 and at most 24 h");
  }
  // The hard caps are folded into what the flow does: nothing can raise them afterwards.
  const uint64_t cap_rate = in.cap_rate_bps();
  spec->rate_max = in.rate_max();
  spec->rate_bps = in.rate_max() ? cap_rate : in.rate_bps();
  if (cap_rate != 0) spec->rate_bps = std::min(spec->rate_bps, cap_rate);
  spec->ramp_start_bps = std::min(in.ramp_start_bps(), spec->rate_bps);
  uint64_t largest = 0;
  for (const FrameSize& size : spec->sizes) largest = std::max<uint64_t>(largest, size.udp_payload);
  largest += spec->ip_header_bytes() + kUdpHeaderBytes;
  if (in.rate_max() && spec->rate_bps / (largest * 8) >= kMostPacketsPerSecond) spec->rate_bps = 0;
  spec->duration_ns = in.duration_ns();
  if (in.cap_duration_ns() != 0) {
    spec->duration_ns = std::min(spec->duration_ns, in.cap_duration_ns());
  }
  spec->cap_bytes = in.cap_bytes() != 0 ? in.cap_bytes() : UINT64_MAX;
  spec->packet_limit = in.packets();
  return CheckPacing(in, spec);
}

// Whether a flow may do without a proof is not for the controller to say: the port must have been
// opened for it.
Status CheckBench(const v1::FlowSpec& in, const PortLimits& port, FlowSpec* spec) {
  if (!in.has_bench()) return Ok{};
  if (!port.bench) {
    return Error{v1::FAILED_PRECONDITION, "spec.bench",
                 "port '" + port.name +
                     "' may not be loaded without an address proof; if it is wired to a bench of "
                     "your own, start weir-dataplane with bench=on in its --port"};
  }
  spec->bench = true;
  const std::string& mac = in.bench().destination_mac();
  if (mac.empty()) return Ok{};
  MacBytes bytes{};
  if (!CopyBytes(mac, &bytes) || bytes == MacBytes{}) {
    return Invalid("bench.destination_mac", "must have 6 bytes, not all zero, or none");
  }
  if ((bytes[0] & 1) != 0 && !port.isolated) {
    return Invalid("bench.destination_mac",
                   "a group address would load every host of the network behind port '" +
                       port.name + "'; name one host's, or use a null: or ring: port");
  }
  spec->next_hop_mac = bytes;
  return Ok{};
}

}  // namespace

Result<FlowSpec> MakeFlowSpec(const v1::FlowSpec& in, uint32_t slots, const PortLimits& port) {
  FlowSpec spec;
  if (in.slot() >= slots) {
    return Invalid("slot", std::to_string(in.slot()) + " is not below the " +
                               std::to_string(slots) + " slots there are; raise --flows");
  }
  if (in.generation() == 0) return Invalid("generation", "must not be 0");
  if (in.role() != v1::TX && in.role() != v1::RX) return Invalid("role", "must be TX or RX");
  if (in.peer_slot() >= wire::kMaxSlots) return Invalid("peer_slot", "must fit 24 bits");
  if (in.peer_generation() == 0) return Invalid("peer_generation", "must not be 0");
  if (in.dscp() > 63) return Invalid("dscp", "must be 0 to 63");
  if (!CopyBytes(in.session_id(), &spec.session_id)) {
    return Invalid("session_id", "must have 16 bytes");
  }
  if (!CopyBytes(in.session_key(), &spec.session_key)) {
    return Invalid("session_key", "must have 32 bytes");
  }
  const uint32_t receiver_slot = in.role() == v1::RX ? in.slot() : in.peer_slot();
  if (wire::CookieSlot(in.cookie()) != receiver_slot) {
    return Invalid("cookie",
                   "its top 24 bits must be the receiver's slot, " + std::to_string(receiver_slot));
  }
  spec.slot = in.slot();
  spec.generation = in.generation();
  spec.role = in.role();
  spec.stream = in.stream();
  spec.port = port.index;
  spec.cookie = in.cookie();
  spec.peer_slot = in.peer_slot();
  spec.peer_generation = in.peer_generation();
  spec.dscp = static_cast<uint8_t>(in.dscp());
  spec.setup_timeout_ns =
      in.setup_timeout_ns() != 0 ? in.setup_timeout_ns() : kDefaultSetupTimeoutNs;
  spec.histogram = in.histogram();
  spec.hello_attempts =
      in.peer_proof_attempts() != 0 ? in.peer_proof_attempts() : kDefaultHelloAttempts;

  if (Status status = CheckEndpoints(in, port, &spec); !status.ok()) return status.error();
  if (Status status = CheckBench(in, port, &spec); !status.ok()) return status.error();
  if (spec.is_tx()) {
    if (Status status = CheckSizes(in, port, &spec); !status.ok()) return status.error();
    if (Status status = CheckLoad(in, port, &spec); !status.ok()) return status.error();
  }
  return spec;
}

}  // namespace weir::dataplane

#include "control/admission/request_form.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "wire/test_packet.h"

namespace weir::control {
namespace {

constexpr uint32_t kUdpHeader = 8;
constexpr uint32_t kMaxIpPacket = 65535;

uint32_t Headers(const record::v1::TestParameters& parameters) {
  return (parameters.ip_version() == 4 ? 20 : 40) + kUdpHeader;
}

std::optional<FormFault> FindPayloadFault(const record::v1::TestParameters& parameters) {
  if (parameters.payload_size() < 1 || parameters.payload_size() > kMaxPayloadSizes) {
    return FormFault{"payload", absl::StrCat("from 1 to ", kMaxPayloadSizes, " sizes, not ",
                                             parameters.payload_size())};
  }
  uint64_t cycle = 0;
  for (const record::v1::PayloadSize& size : parameters.payload()) {
    const uint32_t bytes = size.udp_payload_bytes();
    if (bytes < wire::kMinUdpPayload || bytes > kMaxIpPacket - Headers(parameters)) {
      return FormFault{"payload.udp_payload_bytes",
                       absl::StrCat("from ", wire::kMinUdpPayload, " (the test packet itself) to ",
                                    kMaxIpPacket - Headers(parameters), ", not ", bytes)};
    }
    if (size.weight() == 0) return FormFault{"payload.weight", "must not be 0"};
    cycle += size.weight();
  }
  if (cycle > kMaxPayloadCycle) {
    return FormFault{"payload.weight", absl::StrCat("one cycle of the mix has at most ",
                                                    kMaxPayloadCycle, " packets, not ", cycle)};
  }
  return std::nullopt;
}

std::optional<FormFault> FindPacingFault(const record::v1::TestParameters& parameters) {
  if (!record::v1::Pacing_IsValid(parameters.pacing())) {
    return FormFault{"pacing", "CBR, POISSON, BURST or RAMP; this server knows no other"};
  }
  if (parameters.pacing() != record::v1::CBR && parameters.rate_max()) {
    return FormFault{"pacing", "only CBR with rate_max; ask for a rate"};
  }
  const bool burst = parameters.pacing() == record::v1::BURST;
  const uint32_t packets = parameters.burst_packets();
  if (burst ? packets < 2 || packets > kMaxBurstPackets : packets != 0) {
    return FormFault{"burst_packets", absl::StrCat("from 2 to ", kMaxBurstPackets,
                                                   " with BURST, else 0, not ", packets)};
  }
  const bool ramp = parameters.pacing() == record::v1::RAMP;
  if (ramp ? parameters.ramp_start_bps() > parameters.rate_bps()
           : parameters.ramp_start_bps() != 0) {
    return FormFault{"ramp_start_bps", absl::StrCat("at most rate_bps with RAMP, else 0, not ",
                                                    parameters.ramp_start_bps())};
  }
  return std::nullopt;
}

}  // namespace

std::optional<FormFault> FindFormFault(const record::v1::TestParameters& parameters) {
  if (parameters.ip_version() != 4 && parameters.ip_version() != 6) {
    return FormFault{"ip_version", absl::StrCat("4 or 6, not ", parameters.ip_version())};
  }
  if (parameters.duration_ns() == 0 || parameters.duration_ns() > kMaxDurationNs) {
    return FormFault{"duration_ns", "above 0 and at most 24 hours"};
  }
  if (parameters.streams() < 1 || parameters.streams() > kMaxStreams) {
    return FormFault{"streams",
                     absl::StrCat("from 1 to ", kMaxStreams, ", not ", parameters.streams())};
  }
  if (parameters.packets() != 0 && parameters.packets() < parameters.streams()) {
    return FormFault{"packets", absl::StrCat("at least one for each of the ", parameters.streams(),
                                             " streams, not ", parameters.packets())};
  }
  if (parameters.dscp() > 63) {
    return FormFault{"dscp", absl::StrCat("from 0 to 63, not ", parameters.dscp())};
  }
  if (auto fault = FindPayloadFault(parameters)) return fault;
  if (auto fault = FindPacingFault(parameters)) return fault;
  if (parameters.rate_max()) {
    if (parameters.rate_bps() != 0) {
      return FormFault{"rate_bps", "must be 0 with rate_max: ask for a rate or for the maximum"};
    }
    return std::nullopt;
  }
  const double least = MeanIpPacket(parameters) * 8 * parameters.streams();
  if (static_cast<double>(parameters.rate_bps()) < least) {
    return FormFault{"rate_bps", absl::StrCat("at least one packet a second and stream, ",
                                              static_cast<uint64_t>(least), " bit/s, not ",
                                              parameters.rate_bps())};
  }
  return std::nullopt;
}

uint32_t LargestIpPacket(const record::v1::TestParameters& parameters) {
  uint32_t largest = 0;
  for (const record::v1::PayloadSize& size : parameters.payload()) {
    largest = std::max(largest, size.udp_payload_bytes());
  }
  return largest + Headers(parameters);
}

double MeanIpPacket(const record::v1::TestParameters& parameters) {
  double bytes = 0, packets = 0;
  for (const record::v1::PayloadSize& size : parameters.payload()) {
    bytes += static_cast<double>(size.udp_payload_bytes() + Headers(parameters)) * size.weight();
    packets += size.weight();
  }
  return bytes / packets;
}

}  // namespace weir::control

// From the flags of `weir rfc2544` to what decides the trials, and back to the flags' names.
#ifndef WEIR_CONTROL_CLI_RFC2544_PARAMETERS_H_
#define WEIR_CONTROL_CLI_RFC2544_PARAMETERS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "measurement/v1/rfc2544.pb.h"

namespace weir::cli::rfc2544 {

// As typed; empty: not given, so the default or what the state file says.
struct Options {
  std::string out_port{}, in_port{}, to_mac{};
  std::string tests{};   // "throughput,latency,loss,back-to-back" or some of them.
  std::string frames{};  // "64,512"; empty: RFC 2544 section 9.1.
  std::string ip{}, streams{}, dscp{};
  std::string line_rate{};
  std::string trial{}, latency_trial{}, learning{}, ramp_up{}, residual{}, settle{};
  std::string resolution{}, loss{};
  std::string repeat{}, latency_trials{};
  std::string loss_step{};
  std::string bursts{}, longest_burst{}, burst_resolution{};
  std::string experiment{}, purpose{};
  // Of files.
  std::string state{}, resume{}, html{};
};

// The smallest frame that holds a test packet, with FCS. `tagged`: behind a VLAN tag.
uint32_t LeastFrame(uint32_t ip_version, bool tagged);
// The UDP payload of a frame.
uint32_t PayloadOf(uint32_t frame_bytes, uint32_t ip_version, bool tagged);

// What is given replaces what `known` (a state file's parameters, or null: the defaults) says.
// The line rate may be left at 0. InvalidArgument names the flag, the rule and what is allowed.
absl::StatusOr<measurement::v1::Rfc2544Parameters> MakeParameters(
    const Options& options, const measurement::v1::Rfc2544Parameters* known);

// Every value in its range; the line rate too unless it is 0. Likewise.
absl::Status Validate(const measurement::v1::Rfc2544Parameters& parameters);

// Names the first flag in which they differ; OK if none does.
absl::Status CheckSame(const measurement::v1::Rfc2544Parameters& file,
                       const measurement::v1::Rfc2544Parameters& asked);

// "throughput", "back-to-back".
const char* Name(measurement::v1::Rfc2544Test test);

}  // namespace weir::cli::rfc2544

#endif  // WEIR_CONTROL_CLI_RFC2544_PARAMETERS_H_

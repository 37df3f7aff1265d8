// Rates, times and payloads as people write and read them.
#ifndef WEIR_CONTROL_CLI_UNITS_H_
#define WEIR_CONTROL_CLI_UNITS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "record/v1/record.pb.h"

namespace weir::cli {

struct Rate {
  uint64_t bps = 0;
  bool max = false;
};

// Errors say what is wrong with the text and what is allowed; the caller names the flag.
absl::StatusOr<Rate> ParseRate(std::string_view text);            // 5G, 200M, 1.5G, 64k, max.
absl::StatusOr<double> ParsePacketRate(std::string_view text);    // 1Mpps, 100kpps, 50pps.
absl::StatusOr<uint64_t> ParseCount(std::string_view text);       // 100000, 100k, 1.5M, 2G.
absl::StatusOr<uint64_t> ParseDurationNs(std::string_view text);  // 10s, 500ms, 1m, 1.5s.
// A size in bytes, or "imix": the 7:4:1 mix of 64, 570 and 1518 byte Ethernet frames, as the UDP
// payloads that make such frames with this IP version (not below the test packet's 18 bytes).
absl::StatusOr<std::vector<record::v1::PayloadSize>> ParsePayload(std::string_view text,
                                                                  int ip_version);
// What fills an Ethernet frame of 1518 bytes.
uint32_t DefaultPayload(int ip_version);

std::string FormatRate(double bps);        // "1.234 Gbit/s"
std::string FormatPacketRate(double pps);  // "1.234 Mpps"
std::string FormatDurationNs(double ns);   // "1.234 ms"
std::string FormatCount(uint64_t count);   // "1,234,567"
std::string FormatPayload(const record::v1::TestParameters& parameters);

// cbr, poisson, burst:N with N from 2 to 1024, or ramp:FROM-TO, which sets the rate, too.
absl::Status ParsePacing(const std::string& text, record::v1::TestParameters* parameters);
bool IsRamp(std::string_view pacing);
// Of the whole direction, IP layer: of a ramp half way between its ends.
double MeanRateBps(const record::v1::TestParameters& parameters);
std::string FormatPacing(const record::v1::TestParameters& parameters);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_UNITS_H_

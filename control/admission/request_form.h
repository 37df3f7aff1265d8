// Whether a request makes sense at all, before any rule is asked.
#ifndef WEIR_CONTROL_ADMISSION_REQUEST_FORM_H_
#define WEIR_CONTROL_ADMISSION_REQUEST_FORM_H_

#include <cstdint>
#include <optional>
#include <string>

#include "record/v1/record.pb.h"

namespace weir::control {

inline constexpr uint32_t kMaxStreams = 128;
inline constexpr uint32_t kMaxBurstPackets = 1024;  // Of record.v1.BURST.
inline constexpr int kMaxPayloadSizes = 16;
inline constexpr uint32_t kMaxPayloadCycle = 256;  // Packets in one cycle of a mix.
inline constexpr uint64_t kMaxDurationNs = uint64_t{24} * 3600 * 1'000'000'000;

struct FormFault {
  std::string field;    // Within TestParameters.
  std::string message;  // What is wrong and what is allowed.
};

std::optional<FormFault> FindFormFault(const record::v1::TestParameters& parameters);

// Sizes of a well-formed request's packets, IP header included.
uint32_t LargestIpPacket(const record::v1::TestParameters& parameters);
double MeanIpPacket(const record::v1::TestParameters& parameters);

}  // namespace weir::control

#endif  // WEIR_CONTROL_ADMISSION_REQUEST_FORM_H_

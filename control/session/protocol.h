// The version of the public API (proto/README.md).
#ifndef WEIR_CONTROL_SESSION_PROTOCOL_H_
#define WEIR_CONTROL_SESSION_PROTOCOL_H_

#include <absl/strings/str_cat.h>

#include <cstdint>
#include <string>

namespace weir::control {

inline constexpr uint32_t kProtocolVersion = 1;

inline std::string VersionMismatch(uint32_t theirs) {
  return absl::StrCat("the peer speaks version ", theirs,
                      " of the measurement protocol, this node ", kProtocolVersion,
                      "; bring both to the same version");
}

}  // namespace weir::control

#endif  // WEIR_CONTROL_SESSION_PROTOCOL_H_

// What weir-nic is pointed at.
#ifndef WEIR_DATAPLANE_NIC_DEVICE_REF_H_
#define WEIR_DATAPLANE_NIC_DEVICE_REF_H_

#include <string>
#include <string_view>

#include "dataplane/result.h"

namespace weir::dataplane::nic {

struct DeviceRef {
  enum class Kind {
    kInterface,  // Of the kernel: name.
    kPci,        // Address: 0000:3b:00.0.
    kNothing,    // Made by DPDK itself (memif:, tap:, ...): needs no preparation.
  };
  Kind kind;
  std::string name;
  bool xdp = false;  // af_xdp: or a bare interface name, which may be for it.
};

// A device as in --port (what follows NAME=; keys behind a comma are ignored), or an interface's
// name or a PCI address alone.
Result<DeviceRef> ParseDeviceRef(std::string_view text);

}  // namespace weir::dataplane::nic

#endif  // WEIR_DATAPLANE_NIC_DEVICE_REF_H_

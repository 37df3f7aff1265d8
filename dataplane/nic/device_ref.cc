#include "dataplane/nic/device_ref.h"

#include <algorithm>
#include <cctype>

#include "dataplane/port/port_spec.h"

namespace weir::dataplane::nic {
namespace {

bool LooksLikePciAddress(std::string_view text) {
  const auto allowed = [](unsigned char c) {
    return std::isxdigit(c) != 0 || c == ':' || c == '.';
  };
  return text.find(':') != std::string_view::npos && std::all_of(text.begin(), text.end(), allowed);
}

}  // namespace

Result<DeviceRef> ParseDeviceRef(std::string_view text) {
  std::string device(text.substr(0, text.find(',')));
  const bool bare = device.find(':') == std::string::npos;
  if (bare) {
    device = "af_packet:" + device;
  } else if (LooksLikePciAddress(device)) {
    device = "pci:" + device;
  }
  auto spec = ParsePortSpec("device=" + device);
  if (!spec.ok()) return Error{v1::INVALID_ARGUMENT, std::string(text), spec.error().message};
  if (spec->kind == "pci") return DeviceRef{DeviceRef::Kind::kPci, spec->argument, false};
  if (spec->is_kernel_interface()) {
    return DeviceRef{DeviceRef::Kind::kInterface, spec->argument, bare || spec->kind == "af_xdp"};
  }
  return DeviceRef{DeviceRef::Kind::kNothing, spec->argument, false};
}

}  // namespace weir::dataplane::nic

// weir-nic: prepares network devices for weir-dataplane, and gives them back. The dataplane drops
// its privileges, or is killed, and can do neither.
#include <bpf/libbpf.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "dataplane/nic/device_ref.h"
#include "dataplane/nic/interface.h"
#include "dataplane/nic/pci.h"
#include "dataplane/nic/undo_record.h"

namespace weir::dataplane::nic {
namespace {

constexpr char kHelp[] =
    R"(Usage: weir-nic up DEVICE...
       weir-nic down DEVICE...

Prepares network devices for weir-dataplane, or gives them back. Run it as root, before the
dataplane starts and after it ended; each may be repeated.

DEVICE is what --port takes, or an interface's name or a PCI address alone:
  af_xdp:eth1 af_packet:eth1 eth1   up: sets the interface up, turns GRO and LRO off (for AF_XDP
                                    also VLAN stripping), removes a left-over XDP program
                                    down: removes it, restores the rest
  pci:0000:3b:00.0                  up: binds the NIC to vfio-pci; down: to the driver it had
  tap: memif: ring: null: pcap:     nothing to do

What a device was like before is kept in /run/weir/nic until "down".

Examples:
  weir-nic up af_xdp:eth1
  weir-nic down pci:0000:3b:00.0 pci:0000:3b:00.1

Exit codes: 0 done, 2 bad command line, 3 a device could not be prepared or given back.
)";
constexpr int kExitUsage = 2;
constexpr int kExitFailed = 3;

Status Apply(bool up, const DeviceRef& device) {
  UndoRecord undo(kUndoDirectory, device.name);
  switch (device.kind) {
    case DeviceRef::Kind::kNothing:
      return Ok{};
    case DeviceRef::Kind::kPci: {
      const PciDevice pci("/sys", device.name);
      return up ? pci.Up(undo) : pci.Down(undo);
    }
    case DeviceRef::Kind::kInterface:
      return up ? InterfaceUp(device.name, device.xdp, undo) : InterfaceDown(device.name, undo);
  }
  return Ok{};
}

void Print(const Error& error) {
  std::fprintf(stderr, "weir-nic: %s: %s\n", error.field.c_str(), error.message.c_str());
}

int Main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--help") == 0 || std::strcmp(argv[i], "-h") == 0) {
      std::fputs(kHelp, stdout);
      return 0;
    }
  }
  const std::string_view command = argc > 1 ? argv[1] : "";
  if ((command != "up" && command != "down") || argc < 3) {
    std::fputs("weir-nic: needs \"up\" or \"down\" and a device; see --help\n", stderr);
    return kExitUsage;
  }
  // All are understood before any is touched.
  std::vector<DeviceRef> devices;
  for (int i = 2; i < argc; ++i) {
    auto device = ParseDeviceRef(argv[i]);
    if (!device.ok()) {
      Print(device.error());
      return kExitUsage;
    }
    devices.push_back(std::move(*device));
  }
  if (geteuid() != 0) {
    std::fputs("weir-nic: needs root\n", stderr);
    return kExitFailed;
  }
  libbpf_set_print(nullptr);  // Its errors come back as codes, too.
  int exit_code = 0;
  for (const DeviceRef& device : devices) {
    const Status status = Apply(command == "up", device);
    if (status.ok()) continue;
    Print(status.error());
    exit_code = kExitFailed;
  }
  return exit_code;
}

}  // namespace
}  // namespace weir::dataplane::nic

int main(int argc, char** argv) { return weir::dataplane::nic::Main(argc, argv); }

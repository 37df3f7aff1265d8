#include "dataplane/nic/interface.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "dataplane/nic/xdp_program.h"
#include "dataplane/port/kernel_interface.h"

namespace weir::dataplane::nic {
namespace {

// One offload, as the ioctls of ethtool(8) know it.
struct Offload {
  const char* key;
  uint32_t get;
  uint32_t set;
  uint32_t bit;  // Of the value; 0: the whole of it.
  bool xdp_only;
};
constexpr Offload kOffloads[] = {
    {"gro", ETHTOOL_GGRO, ETHTOOL_SGRO, 0, false},
    {"lro", ETHTOOL_GFLAGS, ETHTOOL_SFLAGS, ETH_FLAG_LRO, false},
    {"rxvlan", ETHTOOL_GFLAGS, ETHTOOL_SFLAGS, ETH_FLAG_RXVLAN, true},
};

// Sends ioctls about one interface.
class Handle {
 public:
  explicit Handle(const std::string& name) : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    std::strncpy(request_.ifr_name, name.c_str(), IFNAMSIZ - 1);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { close(fd_); }

  std::optional<bool> GetOffload(const Offload& offload) {
    ethtool_value value{offload.get, 0};
    if (!Ethtool(&value)) return std::nullopt;
    return (offload.bit == 0 ? value.data : value.data & offload.bit) != 0;
  }

  bool SetOffload(const Offload& offload, bool on) {
    ethtool_value value{offload.get, 0};
    if (!Ethtool(&value)) return false;
    value.cmd = offload.set;
    if (offload.bit == 0) {
      value.data = on ? 1 : 0;
    } else {
      value.data = on ? value.data | offload.bit : value.data & ~offload.bit;
    }
    return Ethtool(&value);
  }

  bool SetFlag(int flag, bool on) {
    if (ioctl(fd_, SIOCGIFFLAGS, &request_) != 0) return false;
    const auto flags = static_cast<unsigned short>(request_.ifr_flags);
    const auto wanted = static_cast<unsigned short>(on ? flags | flag : flags & ~flag);
    if (wanted == flags) return true;
    request_.ifr_flags = static_cast<short>(wanted);
    return ioctl(fd_, SIOCSIFFLAGS, &request_) == 0;
  }

  bool HasFlag(int flag) {
    return ioctl(fd_, SIOCGIFFLAGS, &request_) == 0 && (request_.ifr_flags & flag) != 0;
  }

 private:
  bool Ethtool(ethtool_value* value) {
    request_.ifr_data = reinterpret_cast<char*>(value);
    return ioctl(fd_, SIOCETHTOOL, &request_) == 0;
  }

  int fd_;
  ifreq request_{};
};

Error Failed(const std::string& name, const std::string& what) {
  return {v1::INTERNAL, name, "cannot " + what + ": " + std::strerror(errno)};
}

}  // namespace

Status InterfaceUp(const std::string& name, bool xdp, UndoRecord& undo) {
  auto interface = KernelInterface::Open(name);
  if (!interface.ok()) return Error{interface.error().code, name, interface.error().message};
  if (xdp) {
    Status status = DetachXdpProgram(name, interface->index(), Foreign::kRefuse);
    if (!status.ok()) return status;
  }
  Handle handle(name);
  Status status = undo.Remember("promisc", handle.HasFlag(IFF_PROMISC) ? "on" : "off");
  if (!status.ok()) return status;
  for (const Offload& offload : kOffloads) {
    if (offload.xdp_only && !xdp) continue;
    if (handle.GetOffload(offload) != true) continue;
    // One that cannot be turned off stays: the dataplane counts what does not fit as malformed.
    if (!handle.SetOffload(offload, false)) continue;
    status = undo.Remember(offload.key, "on");
    if (!status.ok()) return status;
  }
  if (!interface->Up()) {
    status = undo.Remember("up", "off");
    if (!status.ok()) return status;
    if (!handle.SetFlag(IFF_UP, true)) return Failed(name, "set the interface up");
  }
  return Ok{};
}

namespace {

Status Restore(const std::string& name, const KernelInterface& interface, UndoRecord& undo) {
  Status status = DetachXdpProgram(name, interface.index(), Foreign::kLeave);
  if (!status.ok()) return status;
  Handle handle(name);
  const auto before = undo.Load();
  const auto was = [&](const char* key, const char* value) {
    const auto found = before.find(key);
    return found != before.end() && found->second == value;
  };
  for (const Offload& offload : kOffloads) {
    if (was(offload.key, "on") && !handle.SetOffload(offload, true)) {
      return Failed(name, std::string("turn ") + offload.key + " on again");
    }
  }
  if (was("promisc", "off") && !handle.SetFlag(IFF_PROMISC, false)) {
    return Failed(name, "leave promiscuous mode");
  }
  if (was("up", "off") && !handle.SetFlag(IFF_UP, false)) return Failed(name, "set it down again");
  return Ok{};
}

}  // namespace

Status InterfaceDown(const std::string& name, UndoRecord& undo) {
  auto interface = KernelInterface::Open(name);
  if (interface.ok()) {
    Status status = Restore(name, *interface, undo);
    // An interface that vanishes meanwhile takes all that was to be restored with it.
    if (!status.ok() && interface->Exists()) return status;
  }
  undo.Remove();
  return Ok{};
}

}  // namespace weir::dataplane::nic

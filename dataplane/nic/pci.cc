#include "dataplane/nic/pci.h"

#include <fcntl.h>
#include <net/if.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace weir::dataplane::nic {
namespace {

namespace fs = std::filesystem;
constexpr char kVfio[] = "vfio-pci";

void LoadModule(const char* name) {
  char program[] = "/sbin/modprobe";
  std::string module = name;
  char* const argv[] = {program, module.data(), nullptr};
  char* const environment[] = {nullptr};
  pid_t child = 0;
  if (posix_spawn(&child, program, nullptr, nullptr, argv, environment) == 0) {
    waitpid(child, nullptr, 0);
  }
}

// The name of an interface of the device that is up; empty if there is none.
std::string ActiveInterface(const std::string& net_directory) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(net_directory, error)) {
    unsigned flags = 0;
    std::ifstream(entry.path() / "flags") >> std::hex >> flags;
    if ((flags & IFF_UP) != 0) return entry.path().filename();
  }
  return "";
}

}  // namespace

std::string PciDevice::Path(const std::string& name) const {
  return sysfs_ + "/bus/pci/devices/" + address_ + "/" + name;
}

std::string PciDevice::Driver() const {
  std::error_code error;
  const fs::path link = fs::read_symlink(Path("driver"), error);
  return error ? "" : link.filename().string();
}

// By hand, since a stream would hide why the kernel refuses.
Status PciDevice::Write(const std::string& path, const std::string& value) const {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  const bool good =
      fd >= 0 && write(fd, value.data(), value.size()) == static_cast<ssize_t>(value.size());
  const int error = errno;
  if (fd >= 0) close(fd);
  if (good) return Ok{};
  return Error{v1::INTERNAL, address_, path + ": " + std::strerror(error)};
}

Status PciDevice::Rebind(const std::string& driver_override) const {
  Status status = Write(Path("driver_override"), driver_override + "\n");
  if (!status.ok()) return status;
  if (!Driver().empty()) {
    status = Write(Path("driver/unbind"), address_);
    if (!status.ok()) return status;
  }
  return Write(sysfs_ + "/bus/pci/drivers_probe", address_);
}

Status PciDevice::Up(UndoRecord& undo) const {
  const auto refuse = [&](const std::string& message) {
    return Error{v1::FAILED_PRECONDITION, address_, message};
  };
  if (!fs::exists(Path(""))) {
    return Error{v1::NOT_FOUND, address_, "there is no such PCI device; see \"lspci -D\""};
  }
  const std::string driver = Driver();
  if (driver == kVfio) return Ok{};
  const std::string interface = ActiveInterface(Path("net"));
  if (!interface.empty()) {
    return refuse("its interface " + interface +
                  " is up and may be how this machine is reached; \"ip link set " + interface +
                  " down\" first");
  }
  const std::string vfio = sysfs_ + "/bus/pci/drivers/" + kVfio;
  if (!fs::exists(vfio)) LoadModule(kVfio);
  if (!fs::exists(vfio)) return refuse("the kernel has no vfio-pci; install it or use af_xdp:");
  if (!fs::exists(Path("iommu_group"))) {
    return refuse(
        "no IOMMU: boot with intel_iommu=on or amd_iommu=on (and enable it in the firmware), or, "
        "unsafe, \"echo 1 > /sys/module/vfio/parameters/enable_unsafe_noiommu_mode\"");
  }
  Status status = undo.Remember("driver", driver);
  if (!status.ok()) return status;
  status = Rebind(kVfio);
  if (!status.ok() || Driver() != kVfio) {
    const Status back = Rebind("");
    if (back.ok()) undo.Remove();
    return refuse("vfio-pci does not take it" +
                  (status.ok() ? std::string("; see \"dmesg\"") : ": " + status.error().message));
  }
  return Ok{};
}

Status PciDevice::Down(UndoRecord& undo) const {
  const auto before = undo.Load();
  const auto driver = before.find("driver");
  // Not bound by weir-nic: not for it to unbind.
  if (driver == before.end()) return Ok{};
  if (fs::exists(Path(""))) {
    Status status = Rebind("");
    if (!status.ok()) return status;
    if (Driver() != driver->second) {
      return Error{v1::INTERNAL, address_,
                   "the driver is now \"" + Driver() + "\", before it was \"" + driver->second +
                       "\"; \"modprobe " + driver->second + "\" and try again"};
    }
  }
  undo.Remove();
  return Ok{};
}

}  // namespace weir::dataplane::nic

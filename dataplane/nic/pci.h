// Hands a PCI NIC to vfio-pci, and back to the driver it had.
#ifndef WEIR_DATAPLANE_NIC_PCI_H_
#define WEIR_DATAPLANE_NIC_PCI_H_

#include <string>

#include "dataplane/nic/undo_record.h"
#include "dataplane/result.h"

namespace weir::dataplane::nic {

// A device below `sysfs` (/sys).
class PciDevice {
 public:
  PciDevice(std::string sysfs, std::string address)
      : sysfs_(std::move(sysfs)), address_(std::move(address)) {}

  // Binds it to vfio-pci. Errors: no such device, its interface is in use, no vfio-pci, no IOMMU.
  Status Up(UndoRecord& undo) const;
  // Gives it back, if Up took it.
  Status Down(UndoRecord& undo) const;

  std::string Driver() const;  // Empty: none.

 private:
  std::string Path(const std::string& name) const;
  Status Write(const std::string& path, const std::string& value) const;
  // Lets the kernel choose the driver again, with `override` (empty: none) as the only candidate.
  Status Rebind(const std::string& driver_override) const;

  std::string sysfs_;
  std::string address_;
};

}  // namespace weir::dataplane::nic

#endif  // WEIR_DATAPLANE_NIC_PCI_H_

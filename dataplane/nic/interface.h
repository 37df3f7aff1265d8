// Prepares a kernel interface for a port, and gives it back.
#ifndef WEIR_DATAPLANE_NIC_INTERFACE_H_
#define WEIR_DATAPLANE_NIC_INTERFACE_H_

#include <string>

#include "dataplane/nic/undo_record.h"
#include "dataplane/result.h"

namespace weir::dataplane::nic {

// Sets the interface up, turns off what merges received packets (GRO, LRO) and, for AF_XDP, what
// takes VLAN tags off them, and removes an XDP program that a dataplane left behind. Errors: no
// such interface, somebody else's XDP program.
Status InterfaceUp(const std::string& name, bool xdp, UndoRecord& undo);

// Removes the dataplane's XDP program and restores what InterfaceUp, or a dataplane that was
// killed, changed. An interface that is gone needs nothing.
Status InterfaceDown(const std::string& name, UndoRecord& undo);

}  // namespace weir::dataplane::nic

#endif  // WEIR_DATAPLANE_NIC_INTERFACE_H_

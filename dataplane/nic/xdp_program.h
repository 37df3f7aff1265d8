// The XDP program DPDK's driver attaches, and cannot detach once privileges are dropped.
#ifndef WEIR_DATAPLANE_NIC_XDP_PROGRAM_H_
#define WEIR_DATAPLANE_NIC_XDP_PROGRAM_H_

#include <string>

#include "dataplane/result.h"

namespace weir::dataplane::nic {

enum class Foreign { kRefuse, kLeave };

// Detaches it from the interface, and unpins it where libxdp has. Another's program is never
// touched: an error (kRefuse) or left (kLeave).
Status DetachXdpProgram(const std::string& interface, unsigned index, Foreign foreign);

}  // namespace weir::dataplane::nic

#endif  // WEIR_DATAPLANE_NIC_XDP_PROGRAM_H_

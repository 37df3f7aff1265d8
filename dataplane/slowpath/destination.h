// Where a flow's frames go at layer 2.
#ifndef WEIR_DATAPLANE_SLOWPATH_DESTINATION_H_
#define WEIR_DATAPLANE_SLOWPATH_DESTINATION_H_

#include <rte_ether.h>

#include <algorithm>
#include <optional>

#include "dataplane/flow/flow.h"
#include "dataplane/result.h"
#include "dataplane/slowpath/neighbours.h"

namespace weir::dataplane {

// The address the flow itself names, else the next hop's as Neighbours::Resolve has it: nothing
// as yet if that is being asked for.
inline Result<std::optional<rte_ether_addr>> Destination(Neighbours& neighbours, const Flow& flow) {
  if (!flow.spec.next_hop_mac.has_value()) {
    return neighbours.Resolve(*flow.port, flow.spec.remote.ip);
  }
  rte_ether_addr mac;
  std::copy(flow.spec.next_hop_mac->begin(), flow.spec.next_hop_mac->end(), mac.addr_bytes);
  return std::optional(mac);
}

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_SLOWPATH_DESTINATION_H_

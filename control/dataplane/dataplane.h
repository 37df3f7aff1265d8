// The node's dataplane as sessions see it: the seat, the slots and the ports in one place.
#ifndef WEIR_CONTROL_DATAPLANE_DATAPLANE_H_
#define WEIR_CONTROL_DATAPLANE_DATAPLANE_H_

#include <absl/status/status.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "control/dataplane/client.h"
#include "control/dataplane/slots.h"
#include "dataplane/v1/dataplane.pb.h"

namespace weir::control {

// Ports of one connection, as last listed. Immutable.
struct PortTable {
  std::shared_ptr<const Connection> connection;
  std::vector<dataplane::v1::PortInfo> ports;

  const dataplane::v1::PortInfo* Find(const std::string& name) const;  // Null: none of that name.
  // The port for a peer: one whose prefix holds the address before one with a gateway of that
  // family before any with an address of it. `peer` empty: the first with an address.
  const dataplane::v1::PortInfo* For(uint32_t ip_version, const std::string& peer) const;
};

// Network-order bytes (4 or 16) of a textual address; empty if it is none.
std::string IpToBytes(const std::string& text);
std::string IpToText(const std::string& bytes);

// Thread-safe.
class Dataplane {
 public:
  struct Callbacks {
    std::function<void(const dataplane::v1::FlowInfo&)> flow_event;
    std::function<void()> lost;
  };

  Dataplane(const std::string& socket, Callbacks callbacks);

  Client& client() { return client_; }
  SlotAllocator& slots() { return slots_; }

  // Null until the connection was taken over (TakeOver): no session may use it before.
  std::shared_ptr<const PortTable> ports() const;

  // For the housekeeping thread. A connection nobody has taken over yet, or null.
  std::shared_ptr<const Connection> Untaken() const;
  // Lists the ports anew; with a connection that was not used yet, lets sessions use it.
  absl::Status RefreshPorts();

 private:
  const Callbacks callbacks_;
  SlotAllocator slots_;
  mutable std::mutex mutex_;
  std::shared_ptr<const PortTable> ports_;  // Guarded by mutex_.
  Client client_;                           // Last: its thread uses the rest.
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_DATAPLANE_DATAPLANE_H_

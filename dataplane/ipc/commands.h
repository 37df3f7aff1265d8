// Turns requests of the command protocol into calls, and answers into messages.
#ifndef WEIR_DATAPLANE_IPC_COMMANDS_H_
#define WEIR_DATAPLANE_IPC_COMMANDS_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "dataplane/flow/flow_manager.h"
#include "dataplane/port/port.h"
#include "dataplane/v1/dataplane.pb.h"

namespace weir::dataplane {

// Everything but Hello, which is the server's. Main lcore only.
class Commands {
 public:
  Commands(FlowManager& flows, std::span<const std::unique_ptr<Port>> ports)
      : flows_(flows), ports_(ports) {}

  // Nothing: the answer comes later (StopFlow of a flow that has not finished yet); then
  // FinishedReply makes it.
  std::optional<v1::Response> Execute(const v1::Request& request);

  v1::Response FinishedReply(uint64_t request_id, const Flow& flow) const;

  static v1::FlowInfo Describe(const Flow& flow);
  static v1::Response Failure(uint64_t request_id, const Error& error);

 private:
  v1::Response List(uint64_t request_id, uint32_t first_slot) const;
  v1::Response Ports(uint64_t request_id) const;

  FlowManager& flows_;
  std::span<const std::unique_ptr<Port>> ports_;
};

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_IPC_COMMANDS_H_

// What one destination says to weir-control.
#ifndef WEIR_CONTROL_EXPORT_DELIVERY_CONTROL_LINK_H_
#define WEIR_CONTROL_EXPORT_DELIVERY_CONTROL_LINK_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "control/export/delivery/engine.h"
#include "control/export/delivery/stop_signal.h"
#include "export/v1/export.grpc.pb.h"

namespace weir::control {

// weir-control is on this host, and starts within a second.
constexpr std::chrono::milliseconds kLongestControlWait{500};

// Thread-safe.
class ControlLink {
 public:
  // `stop` outlives it.
  ControlLink(delivery::v1::Destination destination, std::shared_ptr<grpc::Channel> control,
              StopSignal* stop)
      : destination_(std::move(destination)),
        channel_(std::move(control)),
        control_(delivery::v1::Export::NewStub(channel_)),
        stop_(stop) {}

  const std::string& name() const { return destination_.name(); }

  // Of what is not settled at most `limit` items. `after_change`: proto/README.md section 10.
  grpc::Status Pull(uint32_t limit, int64_t after_change, bool follow_states,
                    delivery::v1::PullReply* reply);
  // For `weir export status`; whether weir-control can be reached is not our concern.
  void Say(const std::string& trouble);

  // These return when weir-control has it, durably. False: stopped before.
  bool Settle(const delivery::v1::PullReply& batch, const std::vector<Outcome>& outcomes);
  bool Lose(const std::vector<Copy>& copies);

 private:
  void Begin(grpc::ClientContext* call);
  bool Tell(const std::function<grpc::Status(grpc::ClientContext*)>& call);

  const delivery::v1::Destination destination_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<delivery::v1::Export::Stub> control_;
  StopSignal* const stop_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_EXPORT_DELIVERY_CONTROL_LINK_H_

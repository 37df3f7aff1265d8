// The life of every flow end: programmed, proven, armed, ended, released.
#ifndef WEIR_DATAPLANE_FLOW_FLOW_MANAGER_H_
#define WEIR_DATAPLANE_FLOW_FLOW_MANAGER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "dataplane/clock/clock.h"
#include "dataplane/flow/flow.h"
#include "dataplane/result.h"
#include "dataplane/slowpath/proof.h"
#include "dataplane/slowpath/signals.h"
#include "dataplane/slowpath/slow_path.h"
#include "dataplane/worker/worker.h"
#include "shm/segment.h"

namespace weir::dataplane {

// Main lcore only. What it is given outlives it. Times are SteadyNs: a step of the wall clock
// must not lengthen a lease.
class FlowManager {
 public:
  struct Environment {
    Clock& clock;
    SlowPath& slow_path;
    std::span<const std::unique_ptr<Port>> ports;
    std::span<const std::unique_ptr<Worker>> workers;
    shm::SegmentWriter segment;
    SecretKey boot_secret;
  };
  // Called at each change of state, and never from within a command.
  using OnChange = std::function<void(const Flow&)>;

  explicit FlowManager(Environment environment);

  void set_on_change(OnChange on_change) { on_change_ = std::move(on_change); }

  // Commands. On success they return the flow afterwards.
  Result<const Flow*> Program(const v1::FlowSpec& spec);
  Result<const Flow*> Arm(uint32_t slot, uint32_t generation);
  // Begins the end: the flow is `finished()` after some Tick.
  Result<const Flow*> Stop(uint32_t slot, uint32_t generation);
  Status Release(uint32_t slot, uint32_t generation);
  const FlowTable& flows() const { return flows_; }

  // Ends all flows, e.g. when the control lease expires or a port is gone (null: any port).
  void StopAll(v1::EndReason reason, const Port* port = nullptr);
  // No flow sends later than this. Renewed by the controller's requests.
  void set_control_lease(uint64_t until_ns) { control_lease_ns_ = until_ns; }

  // A punted frame that was not the slow path's. Does not take the frame.
  void HandleFrame(const Port& port, const rte_mbuf* frame, uint64_t now_ns);

  // All that is due.
  void Tick(uint64_t now_ns);
  // When Tick is to be called again unless a command, a frame or a worker comes first.
  uint64_t next_tick_ns() const { return next_tick_ns_; }
  bool busy() const { return live_flows_ != 0 || AnyDirty(); }

  const Signals::Counters& signal_counters() const { return signals_.counters(); }

 private:
  // Port, local UDP port, remote address, remote UDP port: of every flow in the table but the
  // finished ones. No two share one: an address proof reflected by its target into another flow
  // of the same 5-tuple could otherwise be taken for the target's own.
  using FiveTuple = std::tuple<uint16_t, uint16_t, IpAddress, uint16_t>;
  static FiveTuple TupleOf(const FlowSpec& spec);

  Result<Flow*> Find(uint32_t slot, uint32_t generation);
  Port* FindPort(const std::string& name) const;
  Status AttachReceivers(Flow& flow);
  // Those that have the flow: a sender's own, all of a receiver's port.
  std::span<Worker* const> WorkersOf(const Flow& flow) const;
  bool IsFinal(const Flow& flow) const;
  bool HasLeft(const Flow& flow) const;
  uint32_t LeastLoadedWorker(const Port& port) const;
  void SetState(Flow& flow, v1::FlowState state);
  void End(Flow& flow, v1::EndReason reason);
  void TryFinish(Flow& flow, uint64_t now_ns);
  void HandleBenchSignal(const Port& port, const SignalFrame& signal, uint64_t now_ns);
  bool EndAnnounced(Flow& flow, uint64_t now_ns);
  uint64_t PacketsSent(const Flow& flow) const;
  void TickFlow(Flow& flow, uint64_t now_ns);
  void TickTx(Flow& flow, uint64_t now_ns);
  void TickRx(Flow& flow, uint64_t now_ns);
  static uint64_t NextTick(const Flow& flow, uint64_t now_ns);
  void MarkDirty(const Flow& flow);
  bool AnyDirty() const;
  void PublishConfigs();
  void PublishStatus(const Flow& flow);

  Environment env_;
  Signals signals_;
  OnChange on_change_;
  FlowTable flows_;
  std::set<FiveTuple> tuples_;
  uint32_t live_flows_ = 0;  // Not finished.
  std::vector<int32_t> free_histograms_;
  std::vector<bool> dirty_workers_;  // Their configuration is out of date.
  std::vector<Worker*> workers_;     // By number.
  std::vector<std::vector<Worker*>> workers_of_port_;
  uint64_t control_lease_ns_ = 0;
  uint64_t next_tick_ns_ = 0;
};

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_FLOW_FLOW_MANAGER_H_

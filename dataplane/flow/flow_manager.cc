#include "dataplane/flow/flow_manager.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>

#include "dataplane/slowpath/destination.h"

namespace weir::dataplane {
namespace {

constexpr uint64_t kNeverNs = UINT64_MAX;
constexpr uint64_t kHelloRepeatNs = 500'000'000;  // In PROVEN, until a beacon says it arrived.

std::string SlotName(uint32_t slot, uint32_t generation) {
  return "slot " + std::to_string(slot) + " generation " + std::to_string(generation);
}

bool SameSpec(const FlowSpec& a, const FlowSpec& b) {
  return a.generation == b.generation && a.role == b.role && a.session_id == b.session_id &&
         a.port == b.port && a.local == b.local && a.remote == b.remote && a.cookie == b.cookie &&
         a.peer_slot == b.peer_slot && a.peer_generation == b.peer_generation &&
         a.session_key == b.session_key && a.rate_bps == b.rate_bps &&
         a.duration_ns == b.duration_ns && a.pacing == b.pacing &&
         a.burst_packets == b.burst_packets && a.ramp_start_bps == b.ramp_start_bps &&
         a.bench == b.bench && a.next_hop_mac == b.next_hop_mac;
}

}  // namespace

FlowManager::FlowManager(Environment environment)
    : env_(environment),
      signals_(env_.slow_path, env_.boot_secret, env_.ports.size()),
      dirty_workers_(env_.workers.size(), false) {
  const auto histograms = static_cast<int32_t>(env_.segment.header().histograms);
  for (int32_t i = histograms - 1; i >= 0; --i) free_histograms_.push_back(i);
  workers_of_port_.resize(env_.ports.size());
  for (const auto& worker : env_.workers) {
    workers_.push_back(worker.get());
    workers_of_port_[worker->settings().port_index].push_back(worker.get());
  }

  auto end_those_behind = [this](const Port& port, const IpAddress& ip, v1::EndReason reason) {
    for (auto& [slot, flow] : flows_) {
      if (flow.port == &port && flow.spec.remote.ip == ip) {
        End(flow, reason);
      }
    }
  };
  env_.slow_path.neighbours().set_events({
      .on_change =
          [=](const Port& port, const IpAddress& ip) {
            end_those_behind(port, ip, v1::END_NEIGHBOUR_CHANGED);
          },
      .on_unreachable =
          [=](const Port& port, const IpAddress& ip) {
            end_those_behind(port, ip, v1::END_NEIGHBOUR_UNREACHABLE);
          },
  });
}

FlowManager::FiveTuple FlowManager::TupleOf(const FlowSpec& spec) {
  return {spec.port, spec.local.port, spec.remote.ip, spec.remote.port};
}

Port* FlowManager::FindPort(const std::string& name) const {
  const auto found = std::find_if(env_.ports.begin(), env_.ports.end(),
                                  [&](const auto& port) { return port->spec().name == name; });
  return found == env_.ports.end() ? nullptr : found->get();
}

Result<Flow*> FlowManager::Find(uint32_t slot, uint32_t generation) {
  const auto found = flows_.find(slot);
  if (found == flows_.end() || found->second.spec.generation != generation) {
    return Error{v1::NOT_FOUND, "slot", "no flow in " + SlotName(slot, generation)};
  }
  return &found->second;
}

Result<const Flow*> FlowManager::Program(const v1::FlowSpec& message) {
  Port* port = FindPort(message.port());
  if (port == nullptr) {
    return Error{v1::NOT_FOUND, "spec.port", "no port is called '" + message.port() + "'"};
  }
  if (!port->alive()) {
    return Error{v1::FAILED_PRECONDITION, "spec.port", "port '" + message.port() + "' is gone"};
  }
  const PortLimits limits{.name = port->spec().name,
                          .index = port->index(),
                          .mtu = port->mtu(),
                          .link_bps = port->link_bps(),
                          .ip4 = port->address4(),
                          .ip6 = port->address6(),
                          .bench = port->spec().bench,
                          .isolated = port->spec().is_isolated()};
  Result<FlowSpec> spec = MakeFlowSpec(message, env_.segment.header().slots, limits);
  if (!spec.ok()) return spec.error();

  if (const auto found = flows_.find(spec->slot); found != flows_.end()) {
    if (SameSpec(found->second.spec, *spec)) return &found->second;
    return Error{v1::ALREADY_EXISTS, "spec.slot",
                 SlotName(spec->slot, found->second.spec.generation) +
                     " is in use; stop and release it, or choose another slot"};
  }
  if (tuples_.contains(TupleOf(*spec))) {
    return Error{v1::ALREADY_EXISTS, "spec.local.udp_port",
                 "another flow has the same addresses and ports; choose another local port"};
  }
  // A bench's sink sends nothing, and its sender may know the way already.
  const bool routed = !spec->bench || (spec->is_tx() && !spec->next_hop_mac.has_value());
  if (Result<IpAddress> hop = port->NextHop(spec->remote.ip); routed && !hop.ok()) {
    return Error{hop.error().code, "spec.remote.ip", hop.error().message};
  }

  Flow flow;
  flow.spec = std::move(spec.value());
  flow.port = port;
  flow.programmed_ns = SteadyNs();
  if (!flow.spec.is_tx()) {
    if (Status attached = AttachReceivers(flow); !attached.ok()) return attached.error();
    flow.steering = port->Steer(flow.spec);
  }
  // Asks for the neighbour at once, so that it is known when it is needed.
  if (routed) (void)env_.slow_path.neighbours().Resolve(*port, flow.spec.remote.ip);
  tuples_.insert(TupleOf(flow.spec));
  ++live_flows_;
  const uint32_t slot = flow.spec.slot;
  Flow& stored = flows_.emplace(slot, std::move(flow)).first->second;
  MarkDirty(stored);
  PublishStatus(stored);
  return &stored;
}

Status FlowManager::AttachReceivers(Flow& flow) {
  if (flow.spec.histogram) {
    if (free_histograms_.empty()) {
      return Error{v1::RESOURCE_EXHAUSTED, "spec.histogram",
                   "all delay histograms are in use; raise --histograms or ask for none"};
    }
    flow.histogram = free_histograms_.back();
    free_histograms_.pop_back();
  }
  for (Worker* worker : WorkersOf(flow)) {
    shm::LogHistogram* histogram = nullptr;
    if (flow.histogram >= 0) {
      histogram =
          &env_.segment.histogram(worker->settings().index, static_cast<uint32_t>(flow.histogram));
      for (auto& count : histogram->counts) count.store(0, std::memory_order_relaxed);
    }
    flow.rx.push_back(
        &worker->flows.OpenRx(flow.spec.slot, flow.spec, flow.port->spec().vlan, histogram));
  }
  return Ok{};
}

std::span<Worker* const> FlowManager::WorkersOf(const Flow& flow) const {
  if (!flow.spec.is_tx()) return workers_of_port_[flow.port->index()];
  return {&workers_[flow.worker], flow.tx == nullptr ? size_t{0} : size_t{1}};
}

// Every worker that has the flow has published its last counters.
bool FlowManager::IsFinal(const Flow& flow) const {
  const auto workers = WorkersOf(flow);
  return std::all_of(workers.begin(), workers.end(), [&flow](const Worker* worker) {
    return worker->flows.IsFinal(flow.spec.slot);
  });
}

// None of them has it in its configuration any more.
bool FlowManager::HasLeft(const Flow& flow) const {
  const auto workers = WorkersOf(flow);
  return flow.left && std::all_of(workers.begin(), workers.end(), [this](const Worker* worker) {
           return !dirty_workers_[worker->settings().index] && worker->configs.adopted();
         });
}

uint32_t FlowManager::LeastLoadedWorker(const Port& port) const {
  std::vector<uint32_t> load(env_.workers.size(), 0);
  for (const auto& [slot, flow] : flows_) {
    if (flow.tx != nullptr && !flow.finished()) ++load[flow.worker];
  }
  uint32_t best = 0;
  uint32_t best_load = std::numeric_limits<uint32_t>::max();
  for (const Worker* worker : workers_of_port_[port.index()]) {
    const uint32_t index = worker->settings().index;
    if (load[index] < best_load) {
      best = index;
      best_load = load[index];
    }
  }
  return best;
}

Result<const Flow*> FlowManager::Arm(uint32_t slot, uint32_t generation) {
  Result<Flow*> found = Find(slot, generation);
  if (!found.ok()) return found.error();
  Flow& flow = **found;
  if (!flow.spec.is_tx()) {
    return Error{v1::FAILED_PRECONDITION, "slot", "an RX flow cannot be armed"};
  }
  if (flow.armed_ns != 0) return &flow;
  if (flow.state != v1::PROVEN) {
    return Error{v1::FAILED_PRECONDITION, "slot",
                 SlotName(slot, generation) + " is in state " + v1::FlowState_Name(flow.state) +
                     "; only a flow whose target has proven its address (PROVEN) can be armed, or "
                     "a bench flow on a port that was started with bench=on"};
  }
  Result<std::optional<rte_ether_addr>> mac = Destination(env_.slow_path.neighbours(), flow);
  if (!mac.ok()) return mac.error();
  if (!mac->has_value()) {
    return Error{v1::FAILED_PRECONDITION, "slot", "the neighbour's address is not known yet"};
  }

  std::vector<PacketTemplate> templates;
  for (const FrameSize& size : flow.spec.sizes) {
    templates.emplace_back(flow.spec, size.udp_payload, flow.port->mac(), **mac,
                           flow.port->spec().vlan);
  }
  flow.worker = LeastLoadedWorker(*flow.port);
  flow.tx = &workers_[flow.worker]->flows.OpenTx(slot, flow.spec, std::move(templates),
                                                 env_.clock.tsc_hz());
  flow.armed_ns = SteadyNs();
  flow.lease.Arm(flow.armed_ns);
  TickTx(flow, flow.armed_ns);  // Sends the first beacon: its feedback opens the gate.
  flow.state = v1::RUNNING;
  MarkDirty(flow);
  PublishStatus(flow);
  PublishConfigs();
  return &flow;
}

Result<const Flow*> FlowManager::Stop(uint32_t slot, uint32_t generation) {
  Result<Flow*> found = Find(slot, generation);
  if (!found.ok()) return found.error();
  End(**found, v1::END_STOPPED);
  return *found;
}

Status FlowManager::Release(uint32_t slot, uint32_t generation) {
  Result<Flow*> found = Find(slot, generation);
  if (!found.ok()) return found.error();
  Flow& flow = **found;
  if (!flow.finished()) {
    return Error{v1::FAILED_PRECONDITION, "slot",
                 SlotName(slot, generation) + " has not finished; stop it first"};
  }
  if (flow.histogram >= 0) free_histograms_.push_back(flow.histogram);
  for (Worker* worker : WorkersOf(flow)) worker->flows.Free(slot);
  flows_.erase(slot);
  env_.segment.status(slot).cell.Store(shm::FlowStatus{});
  return Ok{};
}

void FlowManager::StopAll(v1::EndReason reason, const Port* port) {
  for (auto& [slot, flow] : flows_) {
    if (port == nullptr || flow.port == port) End(flow, reason);
  }
}

// The first reason given is the one that stays. A later Tick finishes the flow.
void FlowManager::End(Flow& flow, v1::EndReason reason) {
  if (flow.finished() || flow.ending) return;
  flow.ending = true;
  flow.reason = reason;
  if (flow.tx != nullptr) {
    flow.tx->gate.stop.store(true, std::memory_order_relaxed);
  }
  if (!flow.spec.is_tx()) {
    for (Worker* worker : WorkersOf(flow)) worker->flows.Close(flow.spec.slot);
  }
}

// Finished once every worker that had the flow has published its last counters and gone on without
// it: what then is in the slot is nobody's but the main lcore's.
void FlowManager::TryFinish(Flow& flow, uint64_t now_ns) {
  if (!IsFinal(flow)) return;
  if (flow.spec.bench && flow.tx != nullptr && !EndAnnounced(flow, now_ns)) return;
  if (!flow.left) {
    flow.left = true;
    MarkDirty(flow);
  }
  if (!HasLeft(flow)) return;
  if (flow.reason == v1::END_NONE || flow.reason == v1::END_STOPPED) {
    if (flow.tx != nullptr) flow.reason = flow.tx->reason();
  }
  flow.ending = false;
  flow.steering = {};
  flow.ended_ns = now_ns;
  if (flow.pinned) {
    env_.slow_path.neighbours().Unpin(*flow.port, flow.spec.remote.ip);
    flow.pinned = false;
  }
  tuples_.erase(TupleOf(flow.spec));
  --live_flows_;
  SetState(flow, v1::FINISHED);
}

void FlowManager::SetState(Flow& flow, v1::FlowState state) {
  flow.state = state;
  PublishStatus(flow);
  if (on_change_) on_change_(flow);
}

void FlowManager::HandleFrame(const Port& port, const rte_mbuf* frame, uint64_t now_ns) {
  const std::optional<SignalFrame> signal = ParseSignal(frame, port.spec().vlan);
  if (!signal.has_value()) return;
  if (signal->generation == wire::kBenchGeneration) {
    HandleBenchSignal(port, *signal, now_ns);
    return;
  }
  Result<Flow*> found = Find(signal->slot, signal->generation);
  if (!found.ok()) return;
  Flow& flow = **found;
  if (flow.port != &port || flow.finished() || flow.ending || flow.spec.bench) return;

  switch (signal->type) {
    case wire::SignalType::kHello:
      if (flow.spec.is_tx()) signals_.AnswerHello(flow, *signal, now_ns);
      break;
    case wire::SignalType::kProof:
      if (flow.spec.is_tx() && signals_.AcceptProof(flow, *signal, now_ns)) {
        flow.proof_accepted = true;
        flow.proven_ns = now_ns;
        TickFlow(flow, now_ns);
      }
      break;
    case wire::SignalType::kFeedback:
      if (flow.spec.is_tx() && signals_.AcceptFeedback(flow, *signal, now_ns)) {
        PublishStatus(flow);  // Whoever watches the flow sees that its peer is there.
        TickFlow(flow, now_ns);
      }
      break;
    case wire::SignalType::kChallenge:
      if (!flow.spec.is_tx() && signals_.AnswerChallenge(flow, *signal) &&
          flow.state == v1::PROGRAMMED) {
        flow.proven_ns = now_ns;
        flow.next_hello_ns = now_ns + kHelloRepeatNs;
        SetState(flow, v1::PROVEN);
      }
      break;
    case wire::SignalType::kBeacon:
      if (!flow.spec.is_tx() && signals_.AcceptBeacon(flow, *signal, env_.clock.NowNs()) &&
          flow.state != v1::RUNNING) {
        SetState(flow, v1::RUNNING);
      }
      break;
    case wire::SignalType::kEnd:
      break;
  }
}

// Its sender knows a sink's slot, not its generation.
void FlowManager::HandleBenchSignal(const Port& port, const SignalFrame& signal, uint64_t now_ns) {
  const auto found = flows_.find(signal.slot);
  if (found == flows_.end()) return;
  Flow& flow = found->second;
  if (!flow.spec.bench || flow.spec.is_tx() || flow.port != &port) return;
  if (flow.finished() || flow.ending) return;
  const bool accepted =
      signal.type == wire::SignalType::kBeacon
          ? signals_.AcceptBeacon(flow, signal, env_.clock.NowNs())
          : signal.type == wire::SignalType::kEnd && signals_.AcceptEnd(flow, signal, now_ns);
  if (!accepted) return;
  if (flow.state != v1::RUNNING) {
    SetState(flow, v1::RUNNING);
  } else if (signal.type == wire::SignalType::kEnd) {
    PublishStatus(flow);
  }
}

uint64_t FlowManager::PacketsSent(const Flow& flow) const {
  shm::TxCounters sent{};
  (void)env_.segment.tx(flow.spec.slot).cell.Load(&sent);
  return sent.generation == flow.spec.generation ? sent.packets : 0;
}

// True once the sink was told so often that it will have heard, or cannot be reached.
bool FlowManager::EndAnnounced(Flow& flow, uint64_t now_ns) {
  if (now_ns < flow.next_end_ns) return false;
  if (flow.ends_sent == wire::kEndRepeats) return true;
  flow.next_end_ns = now_ns + wire::kEndIntervalNs;
  ++flow.ends_sent;
  (void)signals_.SendEnd(flow, PacketsSent(flow));
  return false;
}

void FlowManager::Tick(uint64_t now_ns) {
  next_tick_ns_ = kNeverNs;
  if (live_flows_ != 0) {
    for (auto& [slot, flow] : flows_) {
      if (flow.finished()) continue;
      TickFlow(flow, now_ns);
      next_tick_ns_ = std::min(next_tick_ns_, NextTick(flow, now_ns));
    }
  }
  PublishConfigs();
  if (AnyDirty()) next_tick_ns_ = now_ns;
}

// What is set up or ends waits for others, and is looked at as often as may be; what runs has its
// times.
uint64_t FlowManager::NextTick(const Flow& flow, uint64_t now_ns) {
  if (flow.finished()) return kNeverNs;
  if (flow.ending) return now_ns;
  if (flow.spec.is_tx()) {
    if (flow.tx == nullptr) return now_ns;
    return flow.spec.bench ? flow.lease.next_beacon_ns() : flow.lease.next_tick_ns();
  }
  if (flow.state != v1::RUNNING) return now_ns;
  return flow.spec.bench ? kNeverNs : flow.next_feedback_ns;
}

void FlowManager::TickFlow(Flow& flow, uint64_t now_ns) {
  if (flow.ending) {
    TryFinish(flow, now_ns);
    return;
  }
  const bool set_up = flow.spec.is_tx() ? flow.armed_ns != 0 : flow.state == v1::RUNNING;
  if (!set_up && now_ns > flow.programmed_ns + flow.spec.setup_timeout_ns) {
    v1::EndReason reason = flow.state == v1::PROVEN ? v1::END_SETUP_TIMEOUT : v1::END_PROOF_TIMEOUT;
    if (flow.spec.bench && flow.state == v1::PROGRAMMED) {
      reason = flow.spec.is_tx() ? v1::END_NEIGHBOUR_UNREACHABLE : v1::END_SETUP_TIMEOUT;
    }
    End(flow, reason);
    return;
  }
  if (flow.spec.is_tx()) {
    TickTx(flow, now_ns);
  } else {
    TickRx(flow, now_ns);
  }
}

void FlowManager::TickTx(Flow& flow, uint64_t now_ns) {
  if (flow.tx == nullptr) {
    if (flow.state != v1::PROGRAMMED) return;
    // Proven takes both: the proof, and a neighbour to send to. It is asked for until then.
    Result<std::optional<rte_ether_addr>> mac = Destination(env_.slow_path.neighbours(), flow);
    if ((flow.proof_accepted || flow.spec.bench) && mac.ok() && mac->has_value()) {
      if (!flow.spec.next_hop_mac.has_value()) {
        env_.slow_path.neighbours().Pin(*flow.port, flow.spec.remote.ip);
        flow.pinned = true;
      }
      SetState(flow, v1::PROVEN);
    }
    return;
  }

  if (IsFinal(flow)) {  // It ended by itself.
    flow.ending = true;
    TryFinish(flow, now_ns);
    return;
  }
  // Nobody gives feedback on a bench: the control lease, the caps and the duration hold there.
  const PeerLease::Phase phase =
      flow.spec.bench ? PeerLease::Phase::kHeld : flow.lease.Tick(now_ns);
  TxGate& gate = flow.tx->gate;
  gate.rate_shift.store(flow.lease.rate_shift(), std::memory_order_relaxed);
  const uint64_t until =
      flow.spec.bench ? control_lease_ns_ : std::min(flow.lease.load_until_ns(), control_lease_ns_);
  gate.allow_until_tsc.store(until > now_ns ? ReadTsc() + env_.clock.CyclesOf(until - now_ns) : 0,
                             std::memory_order_relaxed);

  if (phase == PeerLease::Phase::kLost) {
    End(flow, v1::END_FEEDBACK_LOST);
    return;
  }
  const bool paused = phase == PeerLease::Phase::kPaused;
  if (paused != (flow.state == v1::PAUSED) && flow.state != v1::PROVEN) {
    SetState(flow, paused ? v1::PAUSED : v1::RUNNING);
  }
  if (flow.lease.BeaconDue(now_ns)) {
    (void)signals_.SendBeacon(flow, PacketsSent(flow), now_ns, env_.clock.NowNs());
  }
}

void FlowManager::TickRx(Flow& flow, uint64_t now_ns) {
  if (flow.spec.bench) return;  // It asks for nothing and promises nothing.
  if (flow.state == v1::RUNNING) {
    if (now_ns < flow.next_feedback_ns) return;
    flow.next_feedback_ns = now_ns + wire::kFeedbackIntervalNs;
    uint64_t received = 0;
    uint64_t highest = 0;
    for (const Worker* worker : WorkersOf(flow)) {
      shm::RxCounters counters;
      if (env_.segment.rx(worker->settings().index, flow.spec.slot).cell.Load(&counters) &&
          counters.generation == flow.spec.generation) {
        received += counters.packets;
        highest = std::max(highest, counters.highest_sequence);
      }
    }
    (void)signals_.SendFeedback(flow, received, highest);
    return;
  }
  if (now_ns < flow.next_hello_ns) return;
  const bool proven = flow.state == v1::PROVEN;
  flow.next_hello_ns = now_ns + (proven ? kHelloRepeatNs : wire::kHelloIntervalNs);
  if (!proven && flow.hellos >= flow.spec.hello_attempts) {
    End(flow, v1::END_PROOF_TIMEOUT);
    return;
  }
  if (signals_.SendHello(flow)) ++flow.hellos;
}

void FlowManager::MarkDirty(const Flow& flow) {
  for (const Worker* worker : WorkersOf(flow)) dirty_workers_[worker->settings().index] = true;
}

bool FlowManager::AnyDirty() const {
  return std::find(dirty_workers_.begin(), dirty_workers_.end(), true) != dirty_workers_.end();
}

void FlowManager::PublishConfigs() {
  for (size_t i = 0; i < workers_.size(); ++i) {
    Worker& worker = *workers_[i];
    if (!dirty_workers_[i] || !worker.configs.adopted()) continue;
    WorkerConfig config;
    for (auto& [slot, flow] : flows_) {
      if (flow.left) continue;
      if (flow.tx != nullptr && flow.worker == i) config.tx.push_back(flow.tx);
      if (flow.spec.is_tx() || flow.port->index() != worker.settings().port_index) continue;
      config.rx.push_back(slot);
    }
    worker.configs.Publish(config);
    worker.Wake();
    dirty_workers_[i] = false;
  }
}

void FlowManager::PublishStatus(const Flow& flow) {
  shm::FlowStatus status{};
  status.generation = flow.spec.generation;
  status.role = static_cast<uint8_t>(flow.spec.role);
  status.state = static_cast<uint8_t>(flow.state);
  status.reason = static_cast<uint8_t>(flow.reason);
  status.histogram_index = flow.histogram;
  // The flow's own times are steady; readers want the wall clock.
  const uint64_t wall_offset = env_.clock.NowNs() - SteadyNs();
  auto wall = [wall_offset](uint64_t steady) { return steady == 0 ? 0 : steady + wall_offset; };
  status.armed_ns = wall(flow.armed_ns);
  status.ended_ns = wall(flow.ended_ns);
  status.feedback_ns = wall(flow.feedback_ns);
  status.feedback_received = flow.feedback_received;
  status.peer_highest = flow.peer_highest;
  status.pauses = static_cast<uint32_t>(flow.lease.pauses());
  env_.segment.status(flow.spec.slot).cell.Store(status);
}

}  // namespace weir::dataplane

#include "dataplane/main_loop.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "dataplane/log.h"

namespace weir::dataplane {
namespace {

constexpr int kLeastWaitMs = 1;  // After frames were punted too: others come, and may wait so long.
constexpr int kMostWaitMs = 100;
constexpr uint64_t kMsNs = 1'000'000;
constexpr uint64_t kPortsNs = 100'000'000;
constexpr uint64_t kClockNs = 1'000'000'000;
constexpr uint64_t kEndFlowsNs = 1'000'000'000;
constexpr unsigned kPuntedPerRound = 256;

}  // namespace

MainLoop::MainLoop(const Parts& parts, ipc::UniqueFd epoll)
    : parts_(parts), epoll_(std::move(epoll)) {}

Result<std::unique_ptr<MainLoop>> MainLoop::Create(const Parts& parts) {
  ipc::UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  for (const int fd : {parts.server.poll_fd(), parts.wakeup.fd(), parts.signal_fd}) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (!epoll || epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
      return Error{v1::INTERNAL, "", std::string("cannot set up epoll: ") + std::strerror(errno)};
    }
  }
  return std::unique_ptr<MainLoop>(new MainLoop(parts, std::move(epoll)));
}

LoopEnd MainLoop::Run() {
  for (const auto& port : parts_.ports) PublishPort(*port);
  for (;;) {
    epoll_event events[4];
    epoll_wait(epoll_.get(), events, 4, WaitMs());
    parts_.wakeup.Disarm();
    if (SignalReceived()) {
      EndFlows();
      return LoopEnd::kSignal;
    }
    Round(SteadyNs());
    for (const auto& port : parts_.ports) {
      if (port->alive()) continue;
      WEIR_LOG(ERR, "port '%s' (%s) is gone: its flows end, the dataplane stops",
               port->spec().name.c_str(), port->spec().device.c_str());
      parts_.flows.StopAll(v1::END_PORT_DOWN, port.get());
      EndFlows();
      return LoopEnd::kPortGone;
    }
  }
}

int MainLoop::WaitMs() const {
  if (rests_) return kLeastWaitMs;
  const uint64_t now_ns = SteadyNs();
  const uint64_t due_ns = std::clamp(parts_.flows.next_tick_ns(), now_ns + kLeastWaitMs * kMsNs,
                                     now_ns + kMostWaitMs * kMsNs);
  return static_cast<int>((due_ns - now_ns + kMsNs - 1) / kMsNs);
}

void MainLoop::Round(uint64_t now_ns) {
  parts_.wakeup.Arm();
  parts_.slow_path.Tick(now_ns);
  rests_ = DrainPunted(now_ns);
  if (rests_) parts_.wakeup.Disarm();
  parts_.server.Poll(now_ns);
  parts_.flows.Tick(now_ns);
  if (now_ns >= next_ports_ns_) {
    next_ports_ns_ = now_ns + kPortsNs;
    for (const auto& port : parts_.ports) PublishPort(*port);
    PublishNode();
  }
  if (now_ns >= next_clock_ns_) {
    next_clock_ns_ = now_ns + kClockNs;
    parts_.clock.Update();
  }
}

bool MainLoop::DrainPunted(uint64_t now_ns) {
  bool any = false;
  for (const auto& worker : parts_.workers) {
    Port& port = *parts_.ports[worker->settings().port_index];
    void* frames[kPuntedPerRound];
    const unsigned count =
        rte_ring_dequeue_burst(worker->punt_ring(), frames, kPuntedPerRound, nullptr);
    any = any || count != 0;
    for (unsigned i = 0; i < count; ++i) {
      auto* frame = static_cast<rte_mbuf*>(frames[i]);
      if (parts_.slow_path.Handle(port, frame)) continue;
      parts_.flows.HandleFrame(port, frame, now_ns);
      rte_pktmbuf_free(frame);
    }
  }
  return any;
}

void MainLoop::PublishPort(Port& port) {
  const PortStats stats = port.ReadStats();
  parts_.segment.port(port.index())
      .cell.Store({.at_ns = parts_.clock.NowNs(),
                   .rx_packets = stats.rx_packets,
                   .tx_packets = stats.tx_packets,
                   .rx_bytes = stats.rx_bytes,
                   .tx_bytes = stats.tx_bytes,
                   .rx_missed = stats.rx_missed,
                   .rx_errors = stats.rx_errors,
                   .tx_errors = stats.tx_errors,
                   .link_bps = stats.link_bps,
                   .link_up = stats.link_up ? 1u : 0u});
}

void MainLoop::PublishNode() {
  const Signals::Counters& signals = parts_.flows.signal_counters();
  const SlowPath::Counters& slow_path = parts_.slow_path.counters();
  parts_.segment.node().cell.Store({.heartbeat_ns = parts_.clock.NowNs(),
                                    .clock_offset_error_ns = parts_.clock.last_correction_ns(),
                                    .tsc_hz = parts_.clock.tsc_hz(),
                                    .hellos = signals.hellos,
                                    .challenges = signals.challenges,
                                    .proofs_accepted = signals.proofs_accepted,
                                    .proofs_refused = signals.proofs_refused,
                                    .feedback_refused = signals.feedback_refused,
                                    .slowpath_replies = slow_path.replies,
                                    .slowpath_limited = slow_path.limited});
}

bool MainLoop::SignalReceived() const {
  signalfd_siginfo info;
  return read(parts_.signal_fd, &info, sizeof(info)) == sizeof(info);
}

// Every flow ends, and is given time to publish its last counters and to be told.
void MainLoop::EndFlows() {
  parts_.flows.StopAll(v1::END_STOPPED);
  const uint64_t deadline = SteadyNs() + kEndFlowsNs;
  while (parts_.flows.busy() && SteadyNs() < deadline) {
    parts_.flows.Tick(SteadyNs());
    usleep(1000);
  }
  for (const auto& port : parts_.ports) PublishPort(*port);
}

}  // namespace weir::dataplane

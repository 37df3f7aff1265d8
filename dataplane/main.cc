// weir-dataplane: generates and sinks test traffic on the queues it owns, told what to do by
// weir-control over a Unix socket. Exit codes: 0 stopped on request, 2 usage, 3 cannot start,
// 4 a port is gone.
#include <grp.h>
#include <rte_eal.h>
#include <rte_launch.h>
#include <signal.h>
#include <sodium.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/clock/clock.h"
#include "dataplane/counters/segment.h"
#include "dataplane/eal/eal.h"
#include "dataplane/flow/flow_manager.h"
#include "dataplane/ipc/command_server.h"
#include "dataplane/ipc/commands.h"
#include "dataplane/lcore_map/lcore_map.h"
#include "dataplane/log.h"
#include "dataplane/main_loop.h"
#include "dataplane/options.h"
#include "dataplane/port/port.h"
#include "dataplane/privileges/privileges.h"
#include "dataplane/slowpath/slow_path.h"
#include "dataplane/worker/main_wakeup.h"
#include "dataplane/worker/worker.h"
#include "ipc/seqpacket.h"

namespace weir::dataplane {
namespace {

constexpr int kExitUsage = 2;
constexpr int kExitCannotStart = 3;

// SIGTERM and SIGINT become readable on a descriptor; blocked in all threads made later.
ipc::UniqueFd BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return ipc::UniqueFd(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
}

// A worker that waits for a core is a hole in the traffic it sends, and packets missed of what it
// receives: on a host where cores are shared the dataplane goes first. Inherited by all threads;
// unprivileged it stays as it is.
void RaisePriority() {
  constexpr int kNice = -10;
  setpriority(PRIO_PROCESS, 0, kNice);
}

// Removes the socket's file, as far as the process still may.
struct SocketFile {
  std::string path;
  ~SocketFile() { unlink(path.c_str()); }
};

struct Listener {
  ipc::UniqueFd fd;
  gid_t group = static_cast<gid_t>(-1);
};

// Bound while the process may still write where sockets live.
Result<Listener> ListenForController(const Options& options) {
  Listener listener;
  if (!options.socket_group.empty()) {
    const group* found = getgrnam(options.socket_group.c_str());
    if (found == nullptr) {
      return Error{v1::INVALID_ARGUMENT, "--socket-group",
                   "there is no group '" + options.socket_group + "'"};
    }
    listener.group = found->gr_gid;
  }
  std::string error;
  listener.fd = ipc::Listen(options.socket, &error);
  if (!listener.fd) return Error{v1::INTERNAL, "--socket", error};
  if (listener.group != static_cast<gid_t>(-1) &&
      chown(options.socket.c_str(), static_cast<uid_t>(-1), listener.group) != 0) {
    return Error{v1::INTERNAL, "--socket-group",
                 "cannot give '" + options.socket + "' to the group: " + std::strerror(errno)};
  }
  return listener;
}

Result<std::vector<std::unique_ptr<Port>>> OpenPorts(const Options& options) {
  std::vector<std::unique_ptr<Port>> ports;
  for (const PortSpec& spec : options.ports) {
    Result<std::unique_ptr<Port>> port =
        OpenPort(spec, static_cast<uint16_t>(ports.size()), options.workers_per_port);
    if (!port.ok()) return port.error();
    ports.push_back(std::move(port.value()));
  }
  return ports;
}

Result<std::vector<std::unique_ptr<Worker>>> MakeWorkers(
    const Options& options, const std::vector<std::unique_ptr<Port>>& ports,
    const std::vector<WorkerPlacement>& placements, const Clock& clock, shm::SegmentWriter segment,
    MainWakeup& wakeup) {
  std::vector<std::unique_ptr<Worker>> workers;
  for (const WorkerPlacement& placement : placements) {
    WEIR_LOG(INFO, "%s", placement.reason.c_str());
    Port& port = *ports[placement.port];
    Result<std::unique_ptr<Worker>> worker =
        Worker::Create({.index = placement.worker,
                        .lcore = placement.lcore,
                        .socket = placement.socket,
                        .port_index = placement.port,
                        .ethdev = port.ethdev(),
                        .rx_queues = placement.rx_queues,
                        .tx_queue = placement.tx_queue,
                        .vlan = port.spec().vlan,
                        .mtu = port.mtu(),
                        .slots = options.slots,
                        .carries_main_frames = placement.tx_queue == 0 && !port.has_main_queue(),
                        .connects = port.connects()},
                       clock, segment, wakeup);
    if (!worker.ok()) return worker.error();
    if (rte_ring* const frames = (*worker)->main_frames(); frames != nullptr) {
      port.CarryMainFrames(frames, [&worker = **worker] { worker.Wake(); });
    }
    workers.push_back(std::move(worker.value()));
  }
  return workers;
}

int RunWorker(void* worker) {
  static_cast<Worker*>(worker)->Run();
  return 0;
}

// Everything between the command line and the loop. The order matters: devices, memory and
// sockets while privileged, then drop, then run.
Result<LoopEnd> Serve(const Options& options, int signal_fd) {
  Result<Listener> listener = ListenForController(options);
  if (!listener.ok()) return listener.error();
  const SocketFile socket_file{options.socket};
  if (Result<EalPlan> eal = InitEal(options.eal, options.ports, options.workers_per_port);
      !eal.ok()) {
    return eal.error();
  }
  Clock clock;
  clock.Calibrate();

  Result<std::vector<std::unique_ptr<Port>>> ports = OpenPorts(options);
  if (!ports.ok()) return ports.error();
  Result<std::vector<WorkerPlacement>> placements = PlaceWorkers(*ports, WorkerLcores());
  if (!placements.ok()) return placements.error();

  std::array<uint8_t, 16> boot_id;
  randombytes_buf(boot_id.data(), boot_id.size());
  const auto worker_count = static_cast<uint32_t>(placements->size());
  Result<Segment> segment =
      Segment::Create(options.slots, worker_count, static_cast<uint32_t>(ports->size()),
                      options.histograms, boot_id);
  if (!segment.ok()) return segment.error();

  MainWakeup wakeup;
  Result<std::vector<std::unique_ptr<Worker>>> workers =
      MakeWorkers(options, *ports, *placements, clock, segment->writer(), wakeup);
  if (!workers.ok()) return workers.error();
  Result<std::unique_ptr<SlowPath>> slow_path = SlowPath::Create(*ports);
  if (!slow_path.ok()) return slow_path.error();

  SecretKey boot_secret;
  randombytes_buf(boot_secret.data(), boot_secret.size());
  FlowManager flows({.clock = clock,
                     .slow_path = **slow_path,
                     .ports = *ports,
                     .workers = *workers,
                     .segment = segment->writer(),
                     .boot_secret = boot_secret});
  CommandServer server(std::move(listener->fd),
                       {.boot_id = boot_id,
                        .slots = options.slots,
                        .workers = worker_count,
                        .segment_fd = segment->fd(),
                        .socket_group = listener->group},
                       flows, Commands(flows, *ports));
  flows.set_on_change([&server](const Flow& flow) { server.NotifyChange(flow); });
  Result<std::unique_ptr<MainLoop>> loop = MainLoop::Create({.clock = clock,
                                                             .slow_path = **slow_path,
                                                             .flows = flows,
                                                             .server = server,
                                                             .ports = *ports,
                                                             .workers = *workers,
                                                             .segment = segment->writer(),
                                                             .wakeup = wakeup,
                                                             .signal_fd = signal_fd});
  if (!loop.ok()) return loop.error();

  for (const auto& port : *ports) {
    if (Status started = port->Start(); !started.ok()) return started.error();
  }
  if (Status dropped = DropPrivileges(options.user); !dropped.ok()) return dropped.error();

  for (const auto& worker : *workers) {
    rte_eal_remote_launch(RunWorker, worker.get(), worker->settings().lcore);
  }
  WEIR_LOG(INFO, "ready on %s", options.socket.c_str());
  const LoopEnd end = (*loop)->Run();
  for (const auto& worker : *workers) worker->Stop();
  rte_eal_mp_wait_lcore();
  // What a device still holds goes back to the pools, which are freed before it is.
  for (const auto& port : *ports) port->Stop();
  return end;
}

int Main(int argc, char** argv) {
  Result<std::variant<Options, HelpText>> parsed = ParseOptions(argc, argv);
  if (!parsed.ok()) {
    std::fprintf(stderr, "weir-dataplane: %s: %s\n", parsed.error().field.c_str(),
                 parsed.error().message.c_str());
    return kExitUsage;
  }
  if (const auto* help = std::get_if<HelpText>(&parsed.value())) {
    std::fputs(help->text.c_str(), stdout);
    return 0;
  }
  const Options& options = std::get<Options>(parsed.value());
  if (sodium_init() < 0) {
    std::fprintf(stderr, "weir-dataplane: the random number generator cannot be used\n");
    return kExitCannotStart;
  }
  const ipc::UniqueFd signals = BlockSignals();
  RaisePriority();
  Result<LoopEnd> end = Serve(options, signals.get());
  rte_eal_cleanup();
  if (!end.ok()) {
    std::fprintf(stderr, "weir-dataplane: %s%s%s\n", end.error().field.c_str(),
                 end.error().field.empty() ? "" : ": ", end.error().message.c_str());
    return kExitCannotStart;
  }
  return static_cast<int>(end.value());
}

}  // namespace
}  // namespace weir::dataplane

int main(int argc, char** argv) {
  try {
    return weir::dataplane::Main(argc, argv);
  } catch (const std::exception& error) {  // Out of memory, or a library's.
    std::fprintf(stderr, "weir-dataplane: %s\n", error.what());
    return weir::dataplane::kExitCannotStart;
  }
}

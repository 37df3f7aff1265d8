// The main lcore's loop: commands, slow path, signals, counters of ports and node.
#ifndef WEIR_DATAPLANE_MAIN_LOOP_H_
#define WEIR_DATAPLANE_MAIN_LOOP_H_

#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/clock/clock.h"
#include "dataplane/flow/flow_manager.h"
#include "dataplane/ipc/command_server.h"
#include "dataplane/port/port.h"
#include "dataplane/result.h"
#include "dataplane/slowpath/slow_path.h"
#include "dataplane/worker/main_wakeup.h"
#include "dataplane/worker/worker.h"
#include "ipc/seqpacket.h"
#include "shm/segment.h"

namespace weir::dataplane {

// What the loop was ended by; the exit code of the process.
enum class LoopEnd : int { kSignal = 0, kPortGone = 4 };

class MainLoop {
 public:
  struct Parts {
    Clock& clock;
    SlowPath& slow_path;
    FlowManager& flows;
    CommandServer& server;
    std::span<const std::unique_ptr<Port>> ports;
    std::span<const std::unique_ptr<Worker>> workers;
    shm::SegmentWriter segment;
    MainWakeup& wakeup;
    int signal_fd;  // SIGTERM, SIGINT.
  };

  static Result<std::unique_ptr<MainLoop>> Create(const Parts& parts);

  // Until a signal or the loss of a port; flows have then ended, their counters are final.
  LoopEnd Run();

 private:
  MainLoop(const Parts& parts, ipc::UniqueFd epoll);

  // How long to sleep until the next round, ms, unless something comes first.
  int WaitMs() const;
  void Round(uint64_t now_ns);
  bool DrainPunted(uint64_t now_ns);  // True: there was something.
  void PublishPort(Port& port);
  void PublishNode();
  bool SignalReceived() const;
  void EndFlows();

  Parts parts_;
  ipc::UniqueFd epoll_;
  bool rests_ = false;  // Frames were punted in the last round: no worker wakes it for the next.
  uint64_t next_ports_ns_ = 0;
  uint64_t next_clock_ns_ = 0;
};

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_MAIN_LOOP_H_

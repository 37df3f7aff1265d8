// A weir-dataplane and a weir-control of one test's own.
#ifndef WEIR_CONTROL_CLI_PRIVATE_PAIR_H_
#define WEIR_CONTROL_CLI_PRIVATE_PAIR_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <variant>

#include "control/cli/exit_code.h"
#include "control/cli/interrupt.h"

namespace weir::cli {

// Lives in a temporary directory, asks but is not asked: no public API, no metrics, a policy that
// admits nobody. A guard process (pair_guard.h) starts the two and takes them down, with their
// directory, when this object goes or this process dies, however it dies.
class PrivatePair {
 public:
  struct Options {
    bool bench = false;            // Admits bench runs at any rate.
    std::string calibration_file;  // Of the host; empty: none.
  };

  // `device` as in weir-dataplane's --port behind "NAME=": "af_packet:eth1,ip4=192.0.2.1/24".
  // Returns when the control answers and has its dataplane. Failures carry what the daemon said.
  static std::variant<std::unique_ptr<PrivatePair>, Failure> Start(const std::string& device,
                                                                   const Interrupt& interrupt,
                                                                   const Options& options);
  ~PrivatePair();
  PrivatePair(const PrivatePair&) = delete;
  PrivatePair& operator=(const PrivatePair&) = delete;

  std::string admin_socket() const { return directory_ + "/admin.sock"; }

 private:
  PrivatePair() = default;

  bool WriteFiles(const Options& options) const;
  bool SpawnGuard(const std::string& device);
  std::string ReadReport() const;
  // The guard's next line; empty if none came in time or the person interrupted.
  std::string AwaitReport(const Interrupt& interrupt, int timeout_ms) const;
  // Empty once the control has its dataplane; else the guard's report or "timeout".
  std::string AwaitDataplane(const Interrupt& interrupt) const;
  Failure Explain(const std::string& device, const std::string& report) const;
  std::string LogTail(const std::string& daemon) const;

  std::string directory_;
  pid_t guard_ = -1;
  int life_fd_ = -1;    // The guard takes everything down when this closes.
  int report_fd_ = -1;  // Lines: "ready", "failed DAEMON EXIT-CODE".
};

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_PRIVATE_PAIR_H_

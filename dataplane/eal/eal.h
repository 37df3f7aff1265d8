// Starts DPDK's Environment Abstraction Layer with nothing but the devices that were named.
#ifndef WEIR_DATAPLANE_EAL_EAL_H_
#define WEIR_DATAPLANE_EAL_EAL_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dataplane/port/port_spec.h"
#include "dataplane/result.h"

namespace weir::dataplane {

struct EalOptions {
  // CPUs the main lcore floats over; empty: those no worker lcore has, or all.
  std::vector<int> main_cpus = {};
  // One worker lcore for each; empty: the CPUs this process may use, the first one left to main.
  std::vector<int> worker_cpus = {};
  bool no_huge = false;
  uint32_t memory_mb = 0;          // 0: with hugepages as needed, without 512.
  std::string log_level = "info";  // debug, info, notice, warning or error.
};

// The command line EAL is started with, and what it means.
struct EalPlan {
  std::vector<std::string> arguments;  // arguments[0] is the program's name.
  std::vector<int> main_cpus = {};
  std::vector<int> worker_cpus;  // worker_cpus[i] is lcore i + 1.
};

// The plan alone; touches nothing. Every port is a named virtual device or an allowed PCI address.
// Errors: too few CPUs for the workers, a CPU this process may not use, missing hugepages (and how
// to reserve them), a device option that does not fit the number of workers.
Result<EalPlan> PlanEal(const EalOptions& options, std::span<const PortSpec> ports,
                        uint32_t workers_per_port);

// Plans and starts EAL; once a process. The calling thread becomes the main lcore. A device that
// could not be created is named in the error.
Result<EalPlan> InitEal(const EalOptions& options, std::span<const PortSpec> ports,
                        uint32_t workers_per_port);

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_EAL_EAL_H_

#include "dataplane/eal/eal.h"

#include <rte_config.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <unistd.h>

#include <algorithm>

#include "dataplane/eal/cpu_list.h"
#include "dataplane/eal/hugepages.h"
#include "dataplane/port/device.h"

namespace weir::dataplane {
namespace {

// What a port with a worker or two takes, and the workers' own packets.
constexpr uint32_t kDefaultMemoryMb = 512;

bool Contains(std::span<const int> cpus, int cpu) {
  return std::find(cpus.begin(), cpus.end(), cpu) != cpus.end();
}

Status CheckAllowed(const char* flag, std::span<const int> cpus, std::span<const int> allowed) {
  for (const int cpu : cpus) {
    if (!Contains(allowed, cpu)) {
      return Error{v1::INVALID_ARGUMENT, flag,
                   "this process may not run on CPU " + std::to_string(cpu) + ", only on " +
                       FormatCpuList(allowed)};
    }
  }
  return Ok{};
}

Status ChooseCpus(const EalOptions& options, size_t workers, EalPlan* plan) {
  const std::vector<int> allowed = AllowedCpus();
  Status status = CheckAllowed("--lcores", options.worker_cpus, allowed);
  if (!status.ok()) return status;
  status = CheckAllowed("--main-cpus", options.main_cpus, allowed);
  if (!status.ok()) return status;

  plan->worker_cpus = options.worker_cpus;
  if (plan->worker_cpus.empty()) {
    // The first CPU is left to the main lcore and the rest of the system, if there are enough.
    plan->worker_cpus = allowed;
    if (allowed.size() > workers) plan->worker_cpus.erase(plan->worker_cpus.begin());
    if (plan->worker_cpus.size() >= RTE_MAX_LCORE) plan->worker_cpus.resize(RTE_MAX_LCORE - 1);
  }
  if (plan->worker_cpus.size() < workers || plan->worker_cpus.size() >= RTE_MAX_LCORE) {
    return Error{v1::RESOURCE_EXHAUSTED, "--lcores",
                 std::to_string(workers) + " workers need as many CPUs, there are " +
                     std::to_string(plan->worker_cpus.size()) + " (" +
                     FormatCpuList(plan->worker_cpus) +
                     "); name more, or lower --workers or the number of ports"};
  }

  plan->main_cpus = options.main_cpus;
  if (plan->main_cpus.empty()) {
    for (const int cpu : allowed) {
      if (!Contains(plan->worker_cpus, cpu)) plan->main_cpus.push_back(cpu);
    }
  }
  if (plan->main_cpus.empty()) plan->main_cpus = allowed;
  return Ok{};
}

// The main lcore is 0 and floats; worker lcores are 1 and up, each pinned.
std::string Lcores(const EalPlan& plan) {
  std::string out = "0@(" + FormatCpuList(plan.main_cpus) + ")";
  for (size_t i = 0; i < plan.worker_cpus.size(); ++i) {
    out += "," + std::to_string(i + 1) + "@" + std::to_string(plan.worker_cpus[i]);
  }
  return out;
}

}  // namespace

Result<EalPlan> PlanEal(const EalOptions& options, std::span<const PortSpec> ports,
                        uint32_t workers_per_port) {
  EalPlan plan;
  Status status = ChooseCpus(options, ports.size() * workers_per_port, &plan);
  if (!status.ok()) return status.error();

  auto& arguments = plan.arguments;
  arguments = {"weir-dataplane", "--lcores", Lcores(plan), "--main-lcore", "0", "--no-telemetry"};
  arguments.insert(arguments.end(), {"--file-prefix", "weir-" + std::to_string(getpid())});
  if (options.no_huge) {
    const uint32_t memory_mb = options.memory_mb != 0 ? options.memory_mb : kDefaultMemoryMb;
    arguments.insert(arguments.end(),
                     {"--no-huge", "-m", std::to_string(memory_mb), "--no-shconf"});
  } else {
    const uint32_t need_mb = options.memory_mb != 0 ? options.memory_mb : kDefaultMemoryMb / 2;
    status = CheckHugepages(FreeHugepageMb(), need_mb);
    if (!status.ok()) return status.error();
    arguments.emplace_back("--in-memory");
    if (options.memory_mb != 0) {
      arguments.insert(arguments.end(), {"-m", std::to_string(options.memory_mb)});
    }
  }
  // Without an explicit list EAL would take every PCI device that is bound to it.
  bool pci = false;
  for (const PortSpec& port : ports) {
    if (port.kind != "pci") continue;
    pci = true;
    arguments.insert(arguments.end(), {"-a", port.argument});
  }
  if (!pci) {
    arguments.emplace_back("--no-pci");
    // AF_XDP needs a pool that is one piece; no virtual device wants physical addresses.
    if (!options.no_huge) arguments.emplace_back("--iova-mode=va");
  }
  // DPDK's own messages start at "notice"; Weir's at the level asked for. The first pattern that
  // matches counts for what is registered later, the last for what there is.
  const bool quiet = options.log_level == "error" || options.log_level == "warning";
  arguments.emplace_back("--log-level=weir*:" + options.log_level);
  // It warns of processes that share a device, which Weir's never do.
  arguments.emplace_back("--log-level=pmd.net.memif:error");
  arguments.emplace_back("--log-level=*:" + (quiet ? options.log_level : "notice"));
  return plan;
}

Result<EalPlan> InitEal(const EalOptions& options, std::span<const PortSpec> ports,
                        uint32_t workers_per_port) {
  auto plan = PlanEal(options, ports, workers_per_port);
  if (!plan.ok()) return plan;
  // EAL permutes its argv and keeps argv[0].
  static std::vector<std::string> arguments;
  arguments = plan->arguments;
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  if (rte_eal_init(static_cast<int>(arguments.size()), argv.data()) < 0) {
    return Error{v1::UNAVAILABLE, "",
                 std::string("DPDK's environment layer does not start: ") +
                     rte_strerror(rte_errno) + "; its messages above say why"};
  }
  for (size_t i = 0; i < ports.size(); ++i) {
    const Status status = CreateDevice(ports[i], static_cast<uint16_t>(i), workers_per_port);
    if (!status.ok()) return status.error();
  }
  return plan;
}

}  // namespace weir::dataplane

#include "dataplane/lcore_map/lcore_map.h"

#include <rte_lcore.h>
#include <unistd.h>

#include <algorithm>

namespace weir::dataplane {

namespace {

// EAL's own answers (rte_lcore_to_cpu_id, rte_lcore_to_socket_id) are about the CPU that has the
// lcore's number, not the one --lcores gave it.
int CpuOf(unsigned lcore) {
  const rte_cpuset_t cpus = rte_lcore_cpuset(lcore);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &cpus)) return cpu;
  }
  return -1;
}

int NodeOf(int cpu) {
  const std::string directory = "/sys/devices/system/cpu/cpu" + std::to_string(cpu);
  for (int node = 0; node < RTE_MAX_NUMA_NODES; ++node) {
    if (access((directory + "/node" + std::to_string(node)).c_str(), F_OK) == 0) return node;
  }
  return 0;  // A kernel without NUMA.
}

}  // namespace

std::vector<Lcore> WorkerLcores() {
  std::vector<Lcore> lcores;
  unsigned id = 0;
  RTE_LCORE_FOREACH_WORKER(id) {
    const int cpu = CpuOf(id);
    lcores.push_back({id, cpu, NodeOf(cpu)});
  }
  return lcores;
}

Result<std::vector<WorkerPlacement>> PlaceWorkers(std::span<const std::unique_ptr<Port>> ports,
                                                  std::span<const Lcore> lcores) {
  std::vector<PortQueues> queues;
  for (const auto& port : ports) {
    queues.push_back({port->index(), port->spec().name, port->socket_id(), port->workers()});
  }
  return PlaceWorkers(queues, lcores);
}

Result<std::vector<WorkerPlacement>> PlaceWorkers(std::span<const PortQueues> ports,
                                                  std::span<const Lcore> lcores) {
  std::vector<WorkerPlacement> placements;
  std::vector<Lcore> unused(lcores.begin(), lcores.end());
  // Ports that lie on a node choose first; those without one take what is left.
  for (const bool on_a_node : {true, false}) {
    uint32_t worker = 0;
    for (const PortQueues& port : ports) {
      for (const Port::WorkerQueues& own : port.workers) {
        const uint32_t number = worker++;
        if ((port.socket >= 0) != on_a_node) continue;
        if (unused.empty()) {
          size_t total = 0;
          for (const PortQueues& each : ports) total += each.workers.size();
          return Error{v1::RESOURCE_EXHAUSTED, "--workers",
                       std::to_string(total) + " workers, but only " +
                           std::to_string(lcores.size()) +
                           " lcores; name more CPUs with --lcores, or lower --workers"};
        }
        const auto near = std::find_if(unused.begin(), unused.end(), [&](const Lcore& lcore) {
          return lcore.socket == port.socket;
        });
        const auto chosen = near != unused.end() ? near : unused.begin();
        const char* why = !on_a_node             ? "the port is on no NUMA node"
                          : near != unused.end() ? "the port's NUMA node"
                                                 : "no lcore left on the port's NUMA node";
        std::string reason = "worker " + std::to_string(number) + ": port " + port.name +
                             ", lcore " + std::to_string(chosen->id) + " (CPU " +
                             std::to_string(chosen->cpu) + ", node " +
                             std::to_string(chosen->socket) + "): " + why;
        if (on_a_node && near == unused.end()) reason += " " + std::to_string(port.socket);
        placements.push_back({number, chosen->id, port.index, own.rx_queues, own.tx_queue,
                              chosen->socket, std::move(reason)});
        unused.erase(chosen);
      }
    }
  }
  std::sort(placements.begin(), placements.end(),
            [](const auto& a, const auto& b) { return a.worker < b.worker; });
  return placements;
}

}  // namespace weir::dataplane

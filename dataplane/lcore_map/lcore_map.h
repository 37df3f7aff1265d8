// Which worker runs on which lcore and owns which queues.
#ifndef WEIR_DATAPLANE_LCORE_MAP_LCORE_MAP_H_
#define WEIR_DATAPLANE_LCORE_MAP_LCORE_MAP_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dataplane/port/port.h"
#include "dataplane/result.h"

namespace weir::dataplane {

struct WorkerPlacement {
  uint32_t worker;  // 0-based over all ports, in --port order.
  unsigned lcore;
  uint16_t port;  // Port::index().
  std::vector<uint16_t> rx_queues;
  uint16_t tx_queue;
  int socket;          // NUMA node of the lcore.
  std::string reason;  // For the log: "worker 0: port p0, lcore 1 (CPU 3, node 0): same node ...".
};

// A worker lcore as EAL has it.
struct Lcore {
  unsigned id;
  int cpu;
  int socket;
};

// The worker lcores of the running EAL.
std::vector<Lcore> WorkerLcores();

// What placing needs to know of a port.
struct PortQueues {
  uint16_t index;
  std::string name;
  int socket;  // SOCKET_ID_ANY (-1): on no node.
  std::vector<Port::WorkerQueues> workers;
};

// An lcore for each worker of each port: on the port's NUMA node as long as there is one. Error:
// more workers than lcores.
Result<std::vector<WorkerPlacement>> PlaceWorkers(std::span<const PortQueues> ports,
                                                  std::span<const Lcore> lcores);
Result<std::vector<WorkerPlacement>> PlaceWorkers(std::span<const std::unique_ptr<Port>> ports,
                                                  std::span<const Lcore> lcores);

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_LCORE_MAP_LCORE_MAP_H_

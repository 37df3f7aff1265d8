#include "control/session/activity.h"

#include <optional>
#include <string>

namespace weir::control {
namespace {

namespace ms = measurement::v1;

void AddPort(const dataplane::v1::PortInfo& info, const shm::PortCounters& counters,
             ms::NodeActivity* activity) {
  ms::PortActivity& port = *activity->add_ports();
  port.set_name(info.name());
  port.set_device(info.device());
  port.set_link_up(counters.link_up != 0);
  port.set_link_bps(counters.link_bps);
  port.set_rx_packets(counters.rx_packets);
  port.set_rx_bytes(counters.rx_bytes);
  port.set_rx_missed(counters.rx_missed);
  port.set_rx_errors(counters.rx_errors);
  port.set_tx_packets(counters.tx_packets);
  port.set_tx_bytes(counters.tx_bytes);
  port.set_tx_errors(counters.tx_errors);
  ms::NodeDrops& drops = *activity->mutable_drops();
  drops.set_port_missed(drops.port_missed() + counters.rx_missed);
  drops.set_port_errors(drops.port_errors() + counters.rx_errors);
}

void AddWorker(uint32_t index, const std::string& port, const shm::WorkerCounters& counters,
               ms::NodeActivity* activity) {
  ms::WorkerActivity& worker = *activity->add_workers();
  worker.set_index(index);
  worker.set_lcore(counters.lcore);
  worker.set_port(port);
  worker.set_busy_cycles(counters.busy_cycles);
  worker.set_idle_cycles(counters.idle_cycles);
  worker.set_rx_packets(counters.rx_packets);
  worker.set_tx_packets(counters.tx_packets);
  worker.set_tx_rejected(counters.tx_rejected);
  worker.set_sleeps(counters.sleeps);
  worker.set_starved_ns(counters.rx_cpu_starved_ns);
  ms::NodeDrops& drops = *activity->mutable_drops();
  drops.set_unknown(drops.unknown() + counters.drop_unknown);
  drops.set_malformed(drops.malformed() + counters.drop_malformed);
  drops.set_punt_queue(drops.punt_queue() + counters.punt_dropped);
}

}  // namespace

void ReadActivity(const PortTable& ports, ms::NodeActivity* activity) {
  const Segment& segment = *ports.connection->segment;
  activity->set_dataplane_connected(true);
  activity->set_dataplane_boot_id(ports.connection->hello.boot_id());
  for (const dataplane::v1::PortInfo& info : ports.ports) {
    if (const std::optional<shm::PortCounters> counters = segment.Port(info.index())) {
      AddPort(info, *counters, activity);
    }
  }
  for (uint32_t index = 0; index < segment.header().workers; ++index) {
    const std::optional<shm::WorkerCounters> counters = segment.Worker(index);
    if (!counters.has_value()) continue;
    std::string name;
    for (const dataplane::v1::PortInfo& info : ports.ports) {
      if (info.index() == counters->port) name = info.name();
    }
    AddWorker(index, name, *counters, activity);
  }
  if (const std::optional<shm::NodeCounters> node = segment.Node()) {
    activity->set_tsc_hz(node->tsc_hz);
    activity->mutable_drops()->set_reply_limit(node->slowpath_limited);
    activity->mutable_drops()->set_proofs_refused(node->proofs_refused);
    activity->mutable_drops()->set_feedback_refused(node->feedback_refused);
  }
}

}  // namespace weir::control

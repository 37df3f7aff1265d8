#include "control/cli/activity_rates.h"

namespace weir::cli {
namespace {

using measurement::v1::NodeActivity;
using measurement::v1::PortActivity;
using measurement::v1::WorkerActivity;

double Difference(uint64_t before, uint64_t now) {
  return now > before ? static_cast<double>(now - before) : 0;
}

void TakePort(const PortActivity& before, double seconds, PortActivity* now) {
  now->set_rx_pps(Difference(before.rx_packets(), now->rx_packets()) / seconds);
  now->set_rx_bps(Difference(before.rx_bytes(), now->rx_bytes()) * 8 / seconds);
  now->set_rx_missed_pps(Difference(before.rx_missed(), now->rx_missed()) / seconds);
  now->set_tx_pps(Difference(before.tx_packets(), now->tx_packets()) / seconds);
  now->set_tx_bps(Difference(before.tx_bytes(), now->tx_bytes()) * 8 / seconds);
}

void TakeWorker(const WorkerActivity& before, double seconds, WorkerActivity* now) {
  const double busy = Difference(before.busy_cycles(), now->busy_cycles());
  const double all = busy + Difference(before.idle_cycles(), now->idle_cycles());
  const double rx = Difference(before.rx_packets(), now->rx_packets());
  const double tx = Difference(before.tx_packets(), now->tx_packets());
  now->set_busy(all > 0 ? busy / all : 0);
  now->set_cycles_per_packet(rx + tx > 0 ? busy / (rx + tx) : 0);
  now->set_rx_pps(rx / seconds);
  now->set_tx_pps(tx / seconds);
  now->set_tx_rejected_pps(Difference(before.tx_rejected(), now->tx_rejected()) / seconds);
  now->set_sleeps_per_second(Difference(before.sleeps(), now->sleeps()) / seconds);
}

}  // namespace

void TakeRates(const NodeActivity& before, NodeActivity* now) {
  if (before.dataplane_boot_id() != now->dataplane_boot_id() ||
      now->at_unix_ns() <= before.at_unix_ns()) {
    return;
  }
  const double seconds = static_cast<double>(now->at_unix_ns() - before.at_unix_ns()) / 1e9;
  now->set_interval_s(seconds);
  for (PortActivity& port : *now->mutable_ports()) {
    for (const PortActivity& old : before.ports()) {
      if (old.name() == port.name()) TakePort(old, seconds, &port);
    }
  }
  for (WorkerActivity& worker : *now->mutable_workers()) {
    for (const WorkerActivity& old : before.workers()) {
      if (old.index() == worker.index()) TakeWorker(old, seconds, &worker);
    }
  }
}

}  // namespace weir::cli

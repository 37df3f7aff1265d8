// A port: an ethdev with its addresses, its queues and the memory its packets arrive in.
#ifndef WEIR_DATAPLANE_PORT_PORT_H_
#define WEIR_DATAPLANE_PORT_PORT_H_

#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/port/kernel_interface.h"
#include "dataplane/port/port_spec.h"
#include "dataplane/port/steering.h"
#include "dataplane/result.h"

namespace weir::dataplane {

class KernelDrops;

// Since the port was opened.
struct PortStats {
  uint64_t rx_packets = 0;
  uint64_t tx_packets = 0;
  uint64_t rx_bytes = 0;
  uint64_t tx_bytes = 0;
  // The port had the packet and no room: imissed + rx_nombuf + what the kernel's socket dropped.
  uint64_t rx_missed = 0;
  uint64_t rx_errors = 0;
  uint64_t tx_errors = 0;
  uint64_t link_bps = 0;  // 0: the driver does not know, or down.
  bool link_up = false;
};

// Main lcore only, except for the values fixed by OpenPort, which any thread may read.
class Port {
 public:
  // The queues one worker owns. Each RX queue of the port belongs to exactly one worker.
  struct WorkerQueues {
    std::vector<uint16_t> rx_queues;
    uint16_t tx_queue;
  };

  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;
  ~Port();  // Stops and closes the device.

  // Fixed by OpenPort.
  uint16_t index() const { return index_; }  // In --port order.
  uint16_t ethdev() const { return ethdev_; }
  const PortSpec& spec() const { return spec_; }
  const rte_ether_addr& mac() const { return mac_; }
  uint16_t mtu() const { return mtu_; }  // IP packet bytes.
  const std::string& driver() const { return driver_; }
  int socket_id() const { return socket_id_; }  // NUMA node; SOCKET_ID_ANY for virtual devices.
  uint16_t rx_queue_count() const { return rx_queue_count_; }
  uint16_t tx_queue_count() const { return tx_queue_count_; }
  const std::vector<WorkerQueues>& workers() const { return workers_; }  // One for each worker.
  uint64_t tx_offloads() const { return tx_offloads_; }  // RTE_ETH_TX_OFFLOAD_* that are on.
  bool mbuf_fast_free() const { return tx_offloads_ & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE; }
  uint16_t tx_descriptors() const { return tx_descriptors_; }  // For each TX queue.
  // Bytes in front of the IP header: 14, or 18 with a VLAN tag.
  uint16_t l2_bytes() const { return spec_.vlan == 0 ? 14 : 18; }
  // The port's own address of that family; no address if it has none.
  IpAddress address4() const;
  IpAddress address6() const;
  bool Owns(const IpAddress& ip) const;
  // 255.255.255.255, or the directed broadcast address of the port's IPv4 link.
  bool IsBroadcast(const IpAddress& ip) const;
  // Where a packet to `remote` is to be sent at layer 2: `remote` itself on the link, else the
  // gateway. Errors: no address of that family, not unicast, off-link without a gateway.
  Result<IpAddress> NextHop(const IpAddress& remote) const;

  // Takes a frame of the main lcore's own: slow path and signals. False if the port refused it (it
  // is then freed).
  bool SendFromMain(rte_mbuf* frame) const;
  // An AF_XDP port has one TX queue for each RX queue, and many interfaces only one: the main lcore
  // has none of its own there, and a worker carries its frames. Nor could they go around it through
  // the kernel: on a virtual interface the core that sends also does the receiver's work, until
  // nothing is left to do, which beside a worker that sends without end is never.
  bool has_main_queue() const { return tx_queue_count_ > workers_.size(); }
  // `frames` takes them, `wake` tells who carries them; both outlive the last SendFromMain.
  void CarryMainFrames(rte_ring* frames, std::function<void()> wake);

  // A rule that sends the flow's packets to one worker's queue: of flows in consecutive slots the
  // next worker's each time. Empty where there is one worker, or the device takes no such rule.
  SteeringRule Steer(const FlowSpec& spec);
  // How the device spreads what it receives over the queues, for people.
  const std::string& receive_spread() const { return receive_spread_; }

  Status Start();
  // Before the pools of packets that were sent are freed, and after the workers stopped: what the
  // device still holds goes back to them.
  void Stop();

  // May be called after privileges were dropped.
  PortStats ReadStats();
  bool link_up() const;
  // It has a link only while a peer is connected to it, and its driver (memif) is not to be called
  // before: it looks at the rings first, and then whether they are there.
  bool connects() const { return spec_.kind == "memif"; }
  uint64_t link_bps() const;  // 0: unknown.
  // False once the device is gone: removed (RTE_ETH_EVENT_INTR_RMV) or its interface deleted. A
  // link that is merely down is alive, but for a memif client's: it never comes up again.
  bool alive() const;

 private:
  friend class PortOpener;

  Port() = default;
  bool ConnectAsMemifClient();
  void OnControlThread(const std::function<void()>& work) const;
  static int OnRemoved(uint16_t ethdev, rte_eth_event_type event, void* port, void* unused);

  uint16_t index_ = 0;
  uint16_t ethdev_ = 0;
  PortSpec spec_;
  rte_ether_addr mac_{};
  uint16_t mtu_ = 0;
  std::string driver_;
  int socket_id_ = -1;
  uint16_t rx_queue_count_ = 0;
  uint16_t tx_queue_count_ = 0;
  uint64_t tx_offloads_ = 0;
  std::vector<WorkerQueues> workers_;
  std::vector<rte_mempool*> pools_;  // One for each RX queue.
  std::string receive_spread_;
  bool steering_refused_ = false;  // And said so.
  bool started_ = false;
  std::atomic<bool> removed_{false};
  std::optional<KernelInterface> interface_;  // Behind af_packet, af_xdp and tap.
  rte_ring* main_frames_ = nullptr;           // Instead of the last TX queue: af_xdp.
  std::function<void()> wake_carrier_;
  uint16_t rx_descriptors_ = 0;
  uint16_t tx_descriptors_ = 0;
  std::unique_ptr<KernelDrops> kernel_drops_;
};

// Opens the device of `spec`, which EAL has created (InitEal), with a TX queue for each worker, one
// more for the main lcore (not of an AF_XDP port, see has_main_queue), and RX queues shared out
// among the workers. Needs the privileges the device needs. Errors name the port, the rule and what
// to do.
Result<std::unique_ptr<Port>> OpenPort(const PortSpec& spec, uint16_t index, uint32_t workers);

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_PORT_PORT_H_

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "dataplane/log.h"
#include "dataplane/port/device.h"
#include "dataplane/port/kernel_drops.h"
#include "dataplane/port/port.h"

namespace weir::dataplane {
namespace {

constexpr uint16_t kL2Overhead = 18;  // Ethernet header and VLAN tag.
constexpr uint16_t kDefaultMtu = 1500;
constexpr uint16_t kRxDescriptors = 4096;  // As many of them as the driver allows.
constexpr uint16_t kTxDescriptors = 1024;
// Packets of one queue outside its ring: the worker's bursts, its cache, what was punted.
constexpr uint32_t kPacketsInFlight = 2048;
constexpr unsigned kPoolCache = 256;
// AF_XDP: the kernel's fill and completion rings, and the copies that wait to be sent.
constexpr uint32_t kXdpPacketsInFlight = 3 * 4096;

}  // namespace

// The steps of OpenPort.
class PortOpener {
 public:
  PortOpener(const PortSpec& spec, uint16_t index, uint32_t workers)
      : port_(new Port()), spec_(spec), workers_(workers) {
    port_->spec_ = spec;
    port_->index_ = index;
  }

  Result<std::unique_ptr<Port>> Open() {
    for (auto step : {&PortOpener::FindDevice, &PortOpener::ChooseMtu, &PortOpener::CountQueues,
                      &PortOpener::Configure, &PortOpener::SetUpQueues, &PortOpener::ChooseMac,
                      &PortOpener::ReceiveMulticast}) {
      const Status status = (this->*step)();
      if (!status.ok()) return status.error();
    }
    return std::move(port_);
  }

 private:
  Error Refused(v1::Code code, std::string message) const {
    return {code, "--port " + spec_.name, spec_.device + ": " + std::move(message)};
  }
  Error DriverRefused(const std::string& what, int result) const {
    return Refused(v1::INTERNAL, "the driver " + port_->driver_ + " refuses " + what + ": " +
                                     rte_strerror(-result));
  }

  Status FindDevice();
  Status ChooseMtu();
  Status CountQueues();
  Status Configure();
  Status SetUpQueues();
  Status ChooseMac();
  Status ReceiveMulticast();
  rte_mempool* NewPool(uint16_t queue);
  rte_mempool* NewContiguousPool(const std::string& name, uint32_t packets, uint16_t room);

  std::unique_ptr<Port> port_;
  const PortSpec& spec_;
  const uint32_t workers_;
  rte_eth_dev_info info_{};
  uint16_t ethdev_mtu_ = 0;  // What the driver is told.
};

Status PortOpener::FindDevice() {
  const std::string name = DeviceName(spec_, port_->index_);
  if (rte_eth_dev_get_port_by_name(name.c_str(), &port_->ethdev_) != 0) {
    return Refused(v1::NOT_FOUND, "DPDK has no device " + name);
  }
  const int result = rte_eth_dev_info_get(port_->ethdev_, &info_);
  port_->driver_ = info_.driver_name != nullptr ? info_.driver_name : "(unnamed)";
  if (result != 0) return DriverRefused("to describe the device", result);
  port_->socket_id_ = rte_eth_dev_socket_id(port_->ethdev_);
  if (spec_.is_kernel_interface() || spec_.kind == "tap") {
    auto interface = KernelInterface::Open(spec_.argument);
    if (!interface.ok()) return Refused(interface.error().code, interface.error().message);
    port_->interface_.emplace(std::move(*interface));
  }
  rte_eth_dev_callback_register(port_->ethdev_, RTE_ETH_EVENT_INTR_RMV, &Port::OnRemoved,
                                port_.get());
  return Ok{};
}

Status PortOpener::ChooseMtu() {
  uint16_t mtu = spec_.mtu;
  if (mtu == 0) mtu = spec_.is_kernel_interface() ? port_->interface_->Mtu() : kDefaultMtu;
  if (spec_.ip6 && mtu < 1280) {
    return Refused(v1::INVALID_ARGUMENT, "mtu " + std::to_string(mtu) +
                                             " is too small for ip6, which needs 1280 (RFC 8200)");
  }
  port_->mtu_ = mtu;
  ethdev_mtu_ = mtu;
  // af_packet and memif claim 1,518-byte frames and carry what their buffers hold, which
  // CreateDevice has sized.
  if (spec_.kind == "af_packet" || spec_.kind == "memif") {
    ethdev_mtu_ = std::min(mtu, kDefaultMtu);
    return Ok{};
  }
  const uint32_t overhead = info_.max_mtu != UINT16_MAX && info_.max_rx_pktlen > info_.max_mtu
                                ? info_.max_rx_pktlen - info_.max_mtu
                                : RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;
  const uint32_t limit = std::min<uint32_t>(
      info_.max_mtu, info_.max_rx_pktlen - std::min(overhead, info_.max_rx_pktlen));
  if (mtu > limit || mtu < info_.min_mtu) {
    return Refused(v1::INVALID_ARGUMENT,
                   "mtu " + std::to_string(mtu) + " is outside what the driver " + port_->driver_ +
                       " takes, " + std::to_string(info_.min_mtu) + " to " + std::to_string(limit) +
                       (spec_.is_kernel_interface() && spec_.mtu == 0
                            ? "; set the interface's with \"ip link set " + spec_.argument +
                                  " mtu " + std::to_string(limit) + "\""
                            : ""));
  }
  return Ok{};
}

Status PortOpener::CountQueues() {
  const auto [rx, tx] = WantedQueues(spec_, workers_);
  if (info_.max_tx_queues < tx) {
    return Refused(v1::FAILED_PRECONDITION,
                   "the driver " + port_->driver_ + " offers " +
                       std::to_string(info_.max_tx_queues) + " TX queue(s), Weir needs " +
                       std::to_string(tx) + ": one for each of " + std::to_string(workers_) +
                       " worker(s)" + (tx > workers_ ? " and one for the main lcore" : ""));
  }
  port_->tx_queue_count_ = static_cast<uint16_t>(tx);
  port_->rx_queue_count_ = static_cast<uint16_t>(std::min<uint32_t>(rx, info_.max_rx_queues));
  port_->workers_.resize(workers_);
  for (uint32_t worker = 0; worker < workers_; ++worker) {
    port_->workers_[worker].tx_queue = static_cast<uint16_t>(worker);
  }
  for (uint16_t queue = 0; queue < port_->rx_queue_count_; ++queue) {
    port_->workers_[queue % workers_].rx_queues.push_back(queue);
  }
  return Ok{};
}

Status PortOpener::Configure() {
  rte_eth_conf conf{};
  conf.rxmode.mtu = ethdev_mtu_;
  const uint64_t hash = (RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP) & info_.flow_type_rss_offloads;
  const bool rss = info_.reta_size > 0 && hash != 0;
  if (port_->rx_queue_count_ > 1 && rss) {
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf.rss_hf = hash;
  }
  port_->receive_spread_ =
      rss ? (hash & RTE_ETH_RSS_UDP) != 0
                ? "RSS over addresses and ports"
                : "RSS over addresses: all flows between two hosts on one queue"
          : "the device's own choice: it has no RSS";
  if (workers_ > 1) {
    WEIR_LOG(INFO, "port %s: %u RX queue(s) for %u workers, shared out by %s", spec_.name.c_str(),
             port_->rx_queue_count_, workers_, port_->receive_spread_.c_str());
  }
  if (workers_ > 1 && spec_.kind == "pci" && (!rss || port_->rx_queue_count_ < workers_)) {
    WEIR_LOG(WARNING,
             "port %s: the driver %s cannot share received packets out among %u workers: one may "
             "get them all; their counts are right, but --workers 1 does as much",
             spec_.name.c_str(), port_->driver_.c_str(), workers_);
  }
  port_->tx_offloads_ = info_.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
  conf.txmode.offloads = port_->tx_offloads_;
  const int result =
      rte_eth_dev_configure(port_->ethdev_, port_->rx_queue_count_, port_->tx_queue_count_, &conf);
  if (result != 0) {
    return DriverRefused(std::to_string(port_->rx_queue_count_) + " RX and " +
                             std::to_string(port_->tx_queue_count_) + " TX queues with mtu " +
                             std::to_string(port_->mtu_),
                         result);
  }
  return Ok{};
}

rte_mempool* PortOpener::NewPool(uint16_t queue) {
  uint32_t data = uint32_t{port_->mtu_} + kL2Overhead + RTE_ETHER_CRC_LEN;
  uint32_t packets = kPacketsInFlight;
  if (spec_.kind == "af_packet") {
    data = PacketRingFrame(port_->mtu_);  // The driver asks for room for a whole ring frame.
  } else if (spec_.kind == "af_xdp") {
    packets = kXdpPacketsInFlight;
  } else {
    packets += port_->rx_descriptors_;
  }
  // Not larger than AF_XDP's chunks, which are at most a page, allow.
  const uint32_t room = std::max<uint32_t>(data, 2048) + RTE_PKTMBUF_HEADROOM;
  const auto mbuf_room = static_cast<uint16_t>(std::min<uint32_t>(room, UINT16_MAX));
  const std::string name = "rx" + std::to_string(port_->index_) + "." + std::to_string(queue);
  if (spec_.kind == "af_xdp") return NewContiguousPool(name, packets - 1, mbuf_room);
  return rte_pktmbuf_pool_create(name.c_str(), packets - 1, kPoolCache, 0, mbuf_room,
                                 port_->socket_id_);
}

// The AF_XDP driver registers a pool's memory with the kernel as so many objects in a row from the
// first one on. A pool that leaves gaps at page boundaries, or lies in several pieces, has objects
// beyond that, and what is sent from one the kernel drops without a word. So: one piece, no gaps.
rte_mempool* PortOpener::NewContiguousPool(const std::string& name, uint32_t packets,
                                           uint16_t room) {
  rte_mempool* pool = rte_mempool_create_empty(name.c_str(), packets, sizeof(rte_mbuf) + room,
                                               kPoolCache, sizeof(rte_pktmbuf_pool_private),
                                               port_->socket_id_, RTE_MEMPOOL_F_NO_IOVA_CONTIG);
  if (pool == nullptr) return nullptr;
  rte_pktmbuf_pool_private about{};
  about.mbuf_data_room_size = room;
  rte_errno = 0;
  if (rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), nullptr) != 0) {
    rte_mempool_free(pool);
    return nullptr;
  }
  rte_pktmbuf_pool_init(pool, &about);
  const bool whole =
      rte_mempool_populate_default(pool) == static_cast<int>(packets) && pool->nb_mem_chunks == 1;
  if (!whole) {
    rte_mempool_free(pool);
    rte_errno = ENOMEM;
    return nullptr;
  }
  rte_mempool_obj_iter(pool, rte_pktmbuf_init, nullptr);
  return pool;
}

Status PortOpener::SetUpQueues() {
  uint16_t rx = kRxDescriptors;
  uint16_t tx = kTxDescriptors;
  int result = rte_eth_dev_adjust_nb_rx_tx_desc(port_->ethdev_, &rx, &tx);
  if (result != 0) return DriverRefused("any number of descriptors", result);
  port_->rx_descriptors_ = rx;
  port_->tx_descriptors_ = tx;

  // An AF_XDP socket is opened with its queue: those of another port are there already.
  std::vector<int> others;
  if (spec_.kind == "af_xdp") {
    others = KernelDrops::Sockets(KernelDrops::Family::kXdp, port_->interface_->index());
  }
  const auto socket = static_cast<unsigned>(port_->socket_id_);
  for (uint16_t queue = 0; queue < port_->rx_queue_count_; ++queue) {
    rte_mempool* pool = NewPool(queue);
    if (pool == nullptr) {
      return Refused(v1::RESOURCE_EXHAUSTED,
                     std::string("no memory for received packets (") + rte_strerror(rte_errno) +
                         "); reserve more hugepages, raise --memory or lower --workers");
    }
    port_->pools_.push_back(pool);
    result = rte_eth_rx_queue_setup(port_->ethdev_, queue, rx, socket, nullptr, pool);
    if (result != 0) return DriverRefused("RX queue " + std::to_string(queue), result);
  }
  for (uint16_t queue = 0; queue < port_->tx_queue_count_; ++queue) {
    result = rte_eth_tx_queue_setup(port_->ethdev_, queue, tx, socket, nullptr);
    if (result != 0) return DriverRefused("TX queue " + std::to_string(queue), result);
  }
  if (spec_.is_kernel_interface()) {
    const auto family =
        spec_.kind == "af_packet" ? KernelDrops::Family::kPacket : KernelDrops::Family::kXdp;
    std::vector<int> sockets = KernelDrops::Sockets(family, port_->interface_->index());
    std::erase_if(sockets, [&](int fd) {
      return std::find(others.begin(), others.end(), fd) != others.end();
    });
    port_->kernel_drops_ = std::make_unique<KernelDrops>(family, std::move(sockets));
  }
  return Ok{};
}

Status PortOpener::ChooseMac() {
  int result = rte_eth_macaddr_get(port_->ethdev_, &port_->mac_);
  if (result != 0) return DriverRefused("to name its MAC address", result);
  if (spec_.kind == "tap") port_->mac_.addr_bytes[5] ^= 1;  // The kernel's end has the device's.
  if (spec_.mac) {
    std::memcpy(port_->mac_.addr_bytes, spec_.mac->data(), spec_.mac->size());
    // A kernel interface keeps its own address; ReceiveMulticast lets this one in.
    if (spec_.kind == "pci") {
      result = rte_eth_dev_default_mac_addr_set(port_->ethdev_, &port_->mac_);
      if (result != 0) return DriverRefused("this mac", result);
    }
  }
  if (!rte_is_valid_assigned_ether_addr(&port_->mac_)) rte_eth_random_addr(port_->mac_.addr_bytes);
  return Ok{};
}

// Neighbour solicitations go to multicast addresses (RFC 4861); NICs filter those out.
Status PortOpener::ReceiveMulticast() {
  if (spec_.is_kernel_interface()) {
    if (!spec_.mac && spec_.vlan == 0 && !spec_.ip6) return Ok{};
    const bool promiscuous = spec_.mac || spec_.vlan != 0;
    const Status status =
        port_->interface_->Join(promiscuous ? KernelInterface::Membership::kPromiscuous
                                            : KernelInterface::Membership::kAllMulticast);
    if (!status.ok()) return Refused(status.error().code, status.error().message);
    return Ok{};
  }
  if (spec_.kind != "pci" || !spec_.ip6) return Ok{};
  const int result = rte_eth_allmulticast_enable(port_->ethdev_);
  if (result != 0 && rte_eth_promiscuous_enable(port_->ethdev_) != 0) {
    return DriverRefused("to receive multicast, which ip6 needs", result);
  }
  return Ok{};
}

Result<std::unique_ptr<Port>> OpenPort(const PortSpec& spec, uint16_t index, uint32_t workers) {
  return PortOpener(spec, index, workers).Open();
}

}  // namespace weir::dataplane

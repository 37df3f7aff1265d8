// Packets the kernel had for a port's sockets and no room, which DPDK's drivers do not report.
#ifndef WEIR_DATAPLANE_PORT_KERNEL_DROPS_H_
#define WEIR_DATAPLANE_PORT_KERNEL_DROPS_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace weir::dataplane {

// The drivers keep their sockets to themselves, so they are found among the process's
// descriptors, once, while it may still look there. Main lcore only; not after the port was
// stopped, which closes the sockets.
class KernelDrops {
 public:
  enum class Family { kPacket, kXdp };

  // This process's sockets of `family` that receive; AF_PACKET: from that interface. An AF_XDP
  // socket cannot be asked for its interface.
  static std::vector<int> Sockets(Family family, unsigned interface_index);

  KernelDrops(Family family, std::vector<int> sockets)
      : family_(family), sockets_(std::move(sockets)) {}

  // Since the sockets were opened. AF_PACKET: PACKET_STATISTICS, which the kernel resets as it is
  // read. AF_XDP: rx_ring_full; the driver itself counts rx_dropped.
  uint64_t Read();

  size_t sockets() const { return sockets_.size(); }

 private:
  Family family_;
  std::vector<int> sockets_;
  uint64_t total_ = 0;
};

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_PORT_KERNEL_DROPS_H_

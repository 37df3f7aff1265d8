#include "dataplane/port/kernel_drops.h"

#include <dirent.h>
#include <linux/if_packet.h>
#include <linux/if_xdp.h>
#include <sys/socket.h>

#include <cstdlib>
#include <memory>

namespace weir::dataplane {
namespace {

bool Receives(int fd, int domain, unsigned interface_index) {
  int actual = 0;
  socklen_t length = sizeof(actual);
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &actual, &length) != 0 || actual != domain) {
    return false;
  }
  if (domain != AF_PACKET) return true;
  // A socket of protocol 0 only holds a membership (KernelInterface::Join).
  sockaddr_ll address{};
  length = sizeof(address);
  return getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0 &&
         address.sll_protocol != 0 && static_cast<unsigned>(address.sll_ifindex) == interface_index;
}

}  // namespace

std::vector<int> KernelDrops::Sockets(Family family, unsigned interface_index) {
  std::vector<int> sockets;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir("/proc/self/fd"), closedir);
  if (directory == nullptr) return sockets;
  const int domain = family == Family::kPacket ? AF_PACKET : AF_XDP;
  while (const dirent* entry = readdir(directory.get())) {
    if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
    const int fd = std::atoi(entry->d_name);
    if (Receives(fd, domain, interface_index)) sockets.push_back(fd);
  }
  return sockets;
}

uint64_t KernelDrops::Read() {
  uint64_t ring_full = 0;
  for (const int fd : sockets_) {
    if (family_ == Family::kPacket) {
      tpacket_stats stats{};
      socklen_t length = sizeof(stats);
      if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &length) == 0) {
        total_ += stats.tp_drops;
      }
    } else {
      xdp_statistics stats{};
      socklen_t length = sizeof(stats);
      if (getsockopt(fd, SOL_XDP, XDP_STATISTICS, &stats, &length) == 0) {
        ring_full += stats.rx_ring_full;
      }
    }
  }
  return family_ == Family::kPacket ? total_ : ring_full;
}

}  // namespace weir::dataplane

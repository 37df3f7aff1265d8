// A packet socket that only sends.
#ifndef WEIR_DATAPLANE_PORT_PACKET_SENDER_H_
#define WEIR_DATAPLANE_PORT_PACKET_SENDER_H_

#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/port/kernel_interface.h"
#include "dataplane/result.h"

namespace weir::dataplane {

// How the main lcore sends on an AF_XDP port, whose driver has one TX queue for each RX queue and
// on many interfaces only one: rather than share a worker's queue, or take one from the NIC's
// receive side, its few frames go through the kernel. Main lcore only.
class PacketSender {
 public:
  // Needs CAP_NET_RAW; sending does not.
  static Result<std::unique_ptr<PacketSender>> Open(const KernelInterface& interface);
  PacketSender(const PacketSender&) = delete;
  PacketSender& operator=(const PacketSender&) = delete;
  ~PacketSender();

  // A whole Ethernet frame without FCS. False: the kernel had no room for it.
  bool Send(std::span<const uint8_t> frame);

  uint64_t packets() const { return packets_; }
  uint64_t bytes() const { return bytes_; }

 private:
  explicit PacketSender(int fd) : fd_(fd) {}
  int fd_;
  uint64_t packets_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_PORT_PACKET_SENDER_H_

#include "dataplane/port/packet_sender.h"

#include <linux/if_packet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace weir::dataplane {

Result<std::unique_ptr<PacketSender>> PacketSender::Open(const KernelInterface& interface) {
  // Protocol 0: it receives nothing.
  std::unique_ptr<PacketSender> sender(
      new PacketSender(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)));
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = static_cast<int>(interface.index());
  if (sender->fd_ < 0 ||
      bind(sender->fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return Error{v1::INTERNAL, "",
                 "packet socket on " + interface.name() + ": " + std::strerror(errno)};
  }
  return sender;
}

PacketSender::~PacketSender() {
  if (fd_ >= 0) close(fd_);
}

bool PacketSender::Send(std::span<const uint8_t> frame) {
  if (send(fd_, frame.data(), frame.size(), 0) != static_cast<ssize_t>(frame.size())) return false;
  ++packets_;
  bytes_ += frame.size();
  return true;
}

}  // namespace weir::dataplane

#include "dataplane/port/kernel_interface.h"

#include <arpa/inet.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

namespace weir::dataplane {
namespace {

ifreq Request(const std::string& name) {
  ifreq request{};
  std::strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
  return request;
}

}  // namespace

Result<KernelInterface> KernelInterface::Open(const std::string& name) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return Error{v1::INTERNAL, "", std::string("socket: ") + std::strerror(errno)};
  ifreq request = Request(name);
  if (ioctl(fd, SIOCGIFINDEX, &request) != 0) {
    close(fd);
    return Error{v1::NOT_FOUND, "",
                 "there is no interface " + name +
                     " in this network namespace; \"ip link\" lists those there are"};
  }
  return KernelInterface(name, static_cast<unsigned>(request.ifr_ifindex), fd);
}

KernelInterface::KernelInterface(KernelInterface&& other) noexcept
    : name_(std::move(other.name_)),
      index_(other.index_),
      fd_(std::exchange(other.fd_, -1)),
      membership_fd_(std::exchange(other.membership_fd_, -1)) {}

KernelInterface::~KernelInterface() {
  if (membership_fd_ >= 0) close(membership_fd_);
  if (fd_ >= 0) close(fd_);
}

bool KernelInterface::Exists() const {
  ifreq request = Request(name_);
  return ioctl(fd_, SIOCGIFINDEX, &request) == 0 &&
         static_cast<unsigned>(request.ifr_ifindex) == index_;
}

uint32_t KernelInterface::Flags() const {
  ifreq request = Request(name_);
  if (ioctl(fd_, SIOCGIFFLAGS, &request) != 0) return 0;
  return static_cast<uint16_t>(request.ifr_flags);
}

bool KernelInterface::Up() const { return (Flags() & IFF_UP) != 0; }

bool KernelInterface::Running() const {
  const uint16_t flags = Flags();
  if ((flags & IFF_UP) == 0) return false;
  // The carrier itself: the kernel tells IFF_RUNNING of it up to a second later.
  ethtool_value link{ETHTOOL_GLINK, 0};
  ifreq request = Request(name_);
  request.ifr_data = reinterpret_cast<char*>(&link);
  if (ioctl(fd_, SIOCETHTOOL, &request) == 0) return link.data != 0;
  return (flags & IFF_RUNNING) != 0;
}

uint16_t KernelInterface::Mtu() const {
  ifreq request = Request(name_);
  if (ioctl(fd_, SIOCGIFMTU, &request) != 0) return 0;
  return static_cast<uint16_t>(std::min(request.ifr_mtu, 65535));
}

std::optional<MacBytes> KernelInterface::Mac() const {
  ifreq request = Request(name_);
  if (ioctl(fd_, SIOCGIFHWADDR, &request) != 0) return std::nullopt;
  MacBytes mac;
  std::memcpy(mac.data(), request.ifr_hwaddr.sa_data, mac.size());
  return mac;
}

uint64_t KernelInterface::SpeedBps() const {
  // The kernel first answers with the (negated) number of words of link modes that follow.
  constexpr size_t kMaskWords = 3 * SCHAR_MAX;
  alignas(ethtool_link_settings)
      std::array<char, sizeof(ethtool_link_settings) + kMaskWords * sizeof(uint32_t)>
          buffer{};
  auto& settings = *reinterpret_cast<ethtool_link_settings*>(buffer.data());
  ifreq request = Request(name_);
  request.ifr_data = buffer.data();
  settings.cmd = ETHTOOL_GLINKSETTINGS;
  if (ioctl(fd_, SIOCETHTOOL, &request) != 0 || settings.link_mode_masks_nwords >= 0) return 0;
  settings.link_mode_masks_nwords = static_cast<int8_t>(-settings.link_mode_masks_nwords);
  settings.cmd = ETHTOOL_GLINKSETTINGS;
  if (ioctl(fd_, SIOCETHTOOL, &request) != 0) return 0;
  const uint32_t mbps = settings.speed;
  return mbps == static_cast<uint32_t>(SPEED_UNKNOWN) ? 0 : uint64_t{mbps} * 1'000'000;
}

Channels KernelInterface::QueueChannels() const {
  ethtool_channels channels{};
  channels.cmd = ETHTOOL_GCHANNELS;
  ifreq request = Request(name_);
  request.ifr_data = reinterpret_cast<char*>(&channels);
  if (ioctl(fd_, SIOCETHTOOL, &request) != 0) return {0, 1, 1};
  return {channels.combined_count, channels.rx_count, channels.tx_count};
}

bool KernelInterface::IsPhysical() const {
  return access(("/sys/class/net/" + name_ + "/device").c_str(), F_OK) == 0;
}

Status KernelInterface::Join(Membership membership) {
  // Protocol 0: the socket itself receives nothing.
  const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  packet_mreq request{};
  request.mr_ifindex = static_cast<int>(index_);
  request.mr_type = membership == Membership::kPromiscuous ? PACKET_MR_PROMISC : PACKET_MR_ALLMULTI;
  if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof(request)) != 0) {
    const Error error{v1::INTERNAL, "",
                      "cannot receive multicast on " + name_ + ": " + std::strerror(errno)};
    if (fd >= 0) close(fd);
    return error;
  }
  if (membership_fd_ >= 0) close(membership_fd_);
  membership_fd_ = fd;
  return Ok{};
}

}  // namespace weir::dataplane

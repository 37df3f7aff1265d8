#include "dataplane/port/device.h"

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "dataplane/port/kernel_interface.h"

namespace weir::dataplane {
namespace {

// Of each AF_PACKET ring: at 1500 bytes 8,192 frames, or 98 ms at 1 Gbit/s.
constexpr uint32_t kPacketRingBytes = 16u << 20;
constexpr uint32_t kPacketBlockBytes = 64u << 10;
// Slots of a memif ring, log2: 49 ms of 1500-byte packets at 1 Gbit/s.
constexpr uint32_t kMemifLog2Ring = 12;
constexpr uint32_t kMemifMinBuffer = 2048;

Error Refused(const PortSpec& spec, v1::Code code, std::string message) {
  return {code, "--port " + spec.name, spec.device + ": " + std::move(message)};
}

uint16_t EffectiveMtu(const PortSpec& spec, uint16_t device_mtu) {
  return spec.mtu != 0 ? spec.mtu : device_mtu;
}

Status CheckInterface(const PortSpec& spec, const KernelInterface& interface) {
  if (!interface.Up()) {
    return Refused(spec, v1::FAILED_PRECONDITION,
                   "the interface is down; \"ip link set " + spec.argument +
                       " up\" or \"weir-nic up " + spec.device + "\"");
  }
  if (spec.mtu > interface.Mtu()) {
    return Refused(spec, v1::INVALID_ARGUMENT,
                   "mtu=" + std::to_string(spec.mtu) + " is above the interface's " +
                       std::to_string(interface.Mtu()) + "; \"ip link set " + spec.argument +
                       " mtu " + std::to_string(spec.mtu) + "\" first");
  }
  return Ok{};
}

Result<std::string> PacketArguments(const PortSpec& spec, uint32_t queues) {
  auto interface = KernelInterface::Open(spec.argument);
  if (!interface.ok()) return Refused(spec, interface.error().code, interface.error().message);
  const Status status = CheckInterface(spec, *interface);
  if (!status.ok()) return status.error();
  const uint32_t frame = PacketRingFrame(EffectiveMtu(spec, interface->Mtu()));
  const uint32_t block = std::max(kPacketBlockBytes, frame);
  // Past a physical NIC's queueing discipline the kernel drops what the NIC has no room for and
  // the driver counts it as sent; through it the socket's buffer pushes back. A virtual interface
  // never pushes back.
  const bool bypass = !interface->IsPhysical();
  return "iface=" + spec.argument + ",qpairs=" + std::to_string(queues) +
         ",framesz=" + std::to_string(frame) + ",blocksz=" + std::to_string(block) +
         ",framecnt=" + std::to_string(kPacketRingBytes / frame) +
         ",qdisc_bypass=" + (bypass ? "1" : "0");
}

Result<std::string> XdpArguments(const PortSpec& spec, uint32_t queues) {
  auto interface = KernelInterface::Open(spec.argument);
  if (!interface.ok()) return Refused(spec, interface.error().code, interface.error().message);
  const Status status = CheckInterface(spec, *interface);
  if (!status.ok()) return status.error();
  const Channels channels = interface->QueueChannels();
  // DPDK 22.11 takes an interface that does not combine RX and TX channels for one of one queue.
  const uint32_t available = channels.combined != 0 ? channels.combined : 1;
  const std::string need = std::to_string(queues) + " queue(s), one for each worker";
  const PortSpec::QueueRange range =
      spec.queues.value_or(PortSpec::QueueRange{0, static_cast<uint16_t>(queues)});
  if (range.count != queues) {
    return Refused(spec, v1::INVALID_ARGUMENT,
                   "queues=" + spec.options.at("queues") + " are " + std::to_string(range.count) +
                       ", but Weir needs " + need + "; name as many, or change --workers");
  }
  if (channels.combined == 0 && channels.rx > 1) {
    return Refused(spec, v1::FAILED_PRECONDITION,
                   "the interface has " + std::to_string(channels.rx) +
                       " RX queues that DPDK cannot use together; \"ethtool -L " + spec.argument +
                       " rx 1 tx 1\" (of a veth, the other end's first)");
  }
  if (uint32_t{range.first} + range.count > available) {
    return Refused(spec, v1::FAILED_PRECONDITION,
                   "Weir needs " + need + ", and the interface has " + std::to_string(available) +
                       " in use; " +
                       (channels.combined == 0 ? std::string("use --workers 1, or af_packet")
                                               : "\"ethtool -L " + spec.argument + " combined " +
                                                     std::to_string(range.first + range.count) +
                                                     "\", or lower --workers"));
  }
  if (!spec.queues && available > queues) {
    return Refused(spec, v1::FAILED_PRECONDITION,
                   "Weir needs " + need + ", and the interface has " + std::to_string(available) +
                       " in use: packets on the others would go to the kernel; \"ethtool -L " +
                       spec.argument + " combined " + std::to_string(queues) +
                       "\", or steer test packets to some queues and name those with queues=0-" +
                       std::to_string(queues - 1));
  }
  // Busy polling defers a NIC's interrupts, by a timer that fires every 200 us. A virtual interface
  // has none to defer: there the timer only delays the packets that are due.
  const std::string busy_polling = interface->IsPhysical() ? "" : ",busy_budget=0";
  return "iface=" + spec.argument + ",start_queue=" + std::to_string(range.first) +
         ",queue_count=" + std::to_string(range.count) + busy_polling;
}

// Takes away the socket a server that was killed left behind.
Status FreeMemifSocket(const PortSpec& spec) {
  struct stat info {};
  if (stat(spec.argument.c_str(), &info) != 0) return Ok{};
  if (!S_ISSOCK(info.st_mode)) {
    return Refused(spec, v1::FAILED_PRECONDITION, "exists and is not a socket; name another path");
  }
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, spec.argument.c_str(), sizeof(address.sun_path) - 1);
  const bool in_use =
      connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 ||
      errno != ECONNREFUSED;
  close(fd);
  if (in_use) {
    return Refused(spec, v1::ALREADY_EXISTS,
                   "another process serves this socket; stop it, or be its role=client");
  }
  unlink(spec.argument.c_str());
  return Ok{};
}

Result<std::string> MemifArguments(const PortSpec& spec) {
  const auto option = [&](const char* key, const char* otherwise) {
    const auto found = spec.options.find(key);
    return found == spec.options.end() ? std::string(otherwise) : found->second;
  };
  const std::string role = option("role", "server");
  const std::string directory = spec.argument.substr(0, spec.argument.rfind('/') + 1);
  if (access(directory.c_str(), W_OK) != 0) {
    return Refused(spec, v1::FAILED_PRECONDITION,
                   "the directory " + directory + ": " + std::strerror(errno));
  }
  if (role == "server") {
    const Status status = FreeMemifSocket(spec);
    if (!status.ok()) return status.error();
  }
  const uint32_t frame = EffectiveMtu(spec, 1500) + 18u;
  const uint32_t buffer = std::max(kMemifMinBuffer, (frame + 63) / 64 * 64);
  std::string arguments = "role=" + role + ",id=" + option("id", "0") + ",socket=" + spec.argument +
                          ",socket-abstract=no,rsize=" + std::to_string(kMemifLog2Ring) +
                          ",bsize=" + std::to_string(buffer);
  if (spec.mac) {
    char text[18];
    const MacBytes& m = *spec.mac;
    std::snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4],
                  m[5]);
    arguments += std::string(",mac=") + text;
  }
  return arguments;
}

// One file for each TX queue: PATH for the first, PATH.1 and so on for the others.
std::string PcapArguments(const PortSpec& spec, uint32_t queues) {
  std::string arguments;
  const auto rx = spec.options.find("rx");
  if (rx != spec.options.end()) arguments = "rx_pcap=" + rx->second + ",";
  for (uint32_t queue = 0; queue < queues; ++queue) {
    if (queue != 0) arguments += ",";
    arguments += "tx_pcap=" + spec.argument + (queue == 0 ? "" : "." + std::to_string(queue));
  }
  return arguments;
}

Result<std::string> Arguments(const PortSpec& spec, uint32_t queues) {
  if (spec.kind == "af_packet") return PacketArguments(spec, queues);
  if (spec.kind == "af_xdp") return XdpArguments(spec, queues);
  if (spec.kind == "memif") return MemifArguments(spec);
  if (spec.kind == "tap") return "iface=" + spec.argument;
  if (spec.kind == "null") return std::string("no-rx=1");  // A sink: it would invent packets.
  if (spec.kind == "pcap") return PcapArguments(spec, queues);
  return std::string();
}

}  // namespace

QueueCounts WantedQueues(const PortSpec& spec, uint32_t workers) {
  if (spec.kind == "af_xdp") return {workers, workers};
  if (spec.kind == "pci" || spec.kind == "null") return {workers, workers + 1};
  return {workers + 1, workers + 1};
}

uint32_t PacketRingFrame(uint16_t mtu) {
  // Before the packet the kernel keeps its header, an address and alignment: 82 bytes at most.
  return std::max(2048u, std::bit_ceil(uint32_t{mtu} + 18 + 82));
}

std::string DeviceName(const PortSpec& spec, uint16_t index) {
  return spec.kind == "pci" ? spec.argument : "net_" + spec.kind + std::to_string(index);
}

Status CreateDevice(const PortSpec& spec, uint16_t index, uint32_t workers) {
  const std::string name = DeviceName(spec, index);
  uint16_t ethdev = 0;
  // A PCI device that EAL was allowed has been probed with its bus.
  if (spec.kind == "pci" && rte_eth_dev_get_port_by_name(name.c_str(), &ethdev) == 0) return Ok{};
  const auto arguments = Arguments(spec, WantedQueues(spec, workers).tx);
  if (!arguments.ok()) return arguments.error();
  const std::string device = arguments.value().empty() ? name : name + "," + arguments.value();
  const int result = rte_dev_probe(device.c_str());
  if (result == 0) return Ok{};
  std::string reason = rte_strerror(result < 0 ? -result : result);
  if (geteuid() != 0 && (spec.is_kernel_interface() || spec.kind == "tap" || spec.kind == "pci")) {
    reason += "; needs root until it is open";
  } else if (spec.kind == "pci") {
    reason += "; is it bound to vfio-pci? See \"weir-nic up " + spec.device + "\"";
  }
  return Refused(spec, v1::UNAVAILABLE, "DPDK cannot open the device (" + device + "): " + reason);
}

bool LinkIsUp(uint16_t ethdev) {
  rte_eth_link link{};
  return rte_eth_link_get_nowait(ethdev, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

}  // namespace weir::dataplane

#include "dataplane/slowpath/transmitter.h"

#include <rte_errno.h>

#include <atomic>
#include <cstring>
#include <string>

#include "dataplane/slowpath/headers.h"
#include "dataplane/slowpath/udp_headers.h"

namespace weir::dataplane {
namespace {

// Enough for a TX ring of replies and signals on each of a few ports.
constexpr unsigned kFrames = 4095;
constexpr uint16_t kRoom = 2048;
constexpr unsigned kCache = 128;
constexpr uint16_t kMinFrame = 60;  // Without FCS.

}  // namespace

Result<std::unique_ptr<Transmitter>> Transmitter::Create() {
  static std::atomic<unsigned> serial{0};
  const std::string name = "slowpath." + std::to_string(serial.fetch_add(1));
  rte_mempool* pool = rte_pktmbuf_pool_create(name.c_str(), kFrames, kCache, 0,
                                              kRoom + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
  if (pool == nullptr) {
    return Error{v1::RESOURCE_EXHAUSTED, "--memory",
                 std::string("no memory for the slow path's packets: ") + rte_strerror(rte_errno)};
  }
  return std::unique_ptr<Transmitter>(new Transmitter(pool));
}

Transmitter::~Transmitter() { rte_mempool_free(pool_); }

rte_mbuf* Transmitter::NewFrame(const Port& port, const rte_ether_addr& destination,
                                uint16_t ether_type, uint16_t l3_bytes, uint8_t** l3) {
  const uint16_t l2_bytes = port.l2_bytes();
  rte_mbuf* frame = rte_pktmbuf_alloc(pool_);
  if (frame == nullptr) return nullptr;
  auto* start = reinterpret_cast<uint8_t*>(
      rte_pktmbuf_append(frame, static_cast<uint16_t>(l2_bytes + l3_bytes)));
  if (start == nullptr) {
    rte_pktmbuf_free(frame);
    return nullptr;
  }
  *l3 = WriteEthernet(start, port.mac(), destination, port.spec().vlan, ether_type);
  std::memset(*l3, 0, l3_bytes);
  return frame;
}

rte_mbuf* Transmitter::BuildUdp(const Port& port, const UdpMessage& message) {
  const bool v4 = message.remote_ip.is_v4();
  const size_t udp_bytes = sizeof(UdpHeader) + message.payload.size();
  const size_t l3_bytes = (v4 ? sizeof(Ip4Header) : sizeof(Ip6Header)) + udp_bytes;
  if (l3_bytes > port.mtu() || message.local_ip.is_v4() != v4) return nullptr;

  uint8_t* l3 = nullptr;
  rte_mbuf* frame = NewFrame(port, message.destination, v4 ? kEtherTypeIp4 : kEtherTypeIp6,
                             static_cast<uint16_t>(l3_bytes), &l3);
  if (frame == nullptr) return nullptr;
  uint8_t* const udp = WriteIp(l3, message.local_ip, message.remote_ip, message.dscp,
                               static_cast<uint16_t>(udp_bytes));
  uint8_t* const payload =
      WriteUdp(udp, message.local_port, message.remote_port, static_cast<uint16_t>(udp_bytes));
  std::memcpy(payload, message.payload.data(), message.payload.size());
  reinterpret_cast<UdpHeader*>(udp)->checksum =
      UdpChecksum(message.local_ip, message.remote_ip, static_cast<uint32_t>(udp_bytes),
                  {std::span<const uint8_t>(udp, udp_bytes)});
  return frame;
}

bool Transmitter::Send(const Port& port, rte_mbuf* frame) {
  if (frame->pkt_len < kMinFrame) {
    const auto missing = static_cast<uint16_t>(kMinFrame - frame->pkt_len);
    std::memset(rte_pktmbuf_append(frame, missing), 0, missing);
  }
  return port.SendFromMain(frame);
}

}  // namespace weir::dataplane

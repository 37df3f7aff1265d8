#include "dataplane/slowpath/transmitter.h"

#include <rte_errno.h>

#include <atomic>
#include <cstring>
#include <string>

#include "dataplane/slowpath/checksum.h"
#include "dataplane/slowpath/headers.h"

namespace weir::dataplane {
namespace {

// Enough for a TX ring of replies and signals on each of a few ports.
constexpr unsigned kFrames = 4095;
constexpr uint16_t kRoom = 2048;
constexpr unsigned kCache = 128;
constexpr uint16_t kMinFrame = 60;  // Without FCS.
constexpr uint8_t kHopLimit = 64;
constexpr uint16_t kDontFragment = 0x4000;

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
  auto* ethernet = reinterpret_cast<EthernetHeader*>(start);
  std::memcpy(ethernet->destination, destination.addr_bytes, RTE_ETHER_ADDR_LEN);
  std::memcpy(ethernet->source, port.mac().addr_bytes, RTE_ETHER_ADDR_LEN);
  ethernet->type = ether_type;
  if (port.spec().vlan != 0) {
    ethernet->type = kEtherTypeVlan;
    auto* tag = reinterpret_cast<VlanTag*>(ethernet + 1);
    tag->tci = port.spec().vlan;
    tag->type = ether_type;
  }
  *l3 = start + l2_bytes;
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
  UdpHeader* udp = nullptr;
  if (v4) {
    auto* ip = reinterpret_cast<Ip4Header*>(l3);
    ip->version_ihl = 0x45;
    ip->tos = static_cast<uint8_t>(message.dscp << 2);
    ip->total_length = static_cast<uint16_t>(l3_bytes);
    ip->fragment = kDontFragment;
    ip->ttl = kHopLimit;
    ip->protocol = kProtocolUdp;
    std::memcpy(ip->source, message.local_ip.bytes().data(), sizeof(ip->source));
    std::memcpy(ip->destination, message.remote_ip.bytes().data(), sizeof(ip->destination));
    Checksum header;
    header.Add({l3, sizeof(*ip)});
    ip->checksum = header.Value();
    udp = reinterpret_cast<UdpHeader*>(ip + 1);
  } else {
    auto* ip = reinterpret_cast<Ip6Header*>(l3);
    ip->version_class_flow = 6u << 28 | uint32_t{message.dscp} << 22;
    ip->payload_length = static_cast<uint16_t>(udp_bytes);
    ip->next_header = kProtocolUdp;
    ip->hop_limit = kHopLimit;
    std::memcpy(ip->source, message.local_ip.bytes().data(), sizeof(ip->source));
    std::memcpy(ip->destination, message.remote_ip.bytes().data(), sizeof(ip->destination));
    udp = reinterpret_cast<UdpHeader*>(ip + 1);
  }
  udp->source_port = message.local_port;
  udp->destination_port = message.remote_port;
  udp->length = static_cast<uint16_t>(udp_bytes);
  std::memcpy(udp + 1, message.payload.data(), message.payload.size());
  Checksum checksum;
  checksum.AddPseudoHeader(message.local_ip, message.remote_ip, kProtocolUdp,
                           static_cast<uint32_t>(udp_bytes));
  checksum.Add({reinterpret_cast<const uint8_t*>(udp), udp_bytes});
  // 0 would say "no checksum" (RFC 768).
  udp->checksum = checksum.Value() != 0 ? checksum.Value() : uint16_t{0xFFFF};
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

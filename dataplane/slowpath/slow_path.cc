#include "dataplane/slowpath/slow_path.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "dataplane/slowpath/checksum.h"
#include "dataplane/slowpath/headers.h"

namespace weir::dataplane {
namespace {

// A link-layer address option of that type in `options`; null if there is none or they are
// malformed (RFC 4861 section 4.6: a length of 0 must not be accepted).
const uint8_t* FindLinkLayer(std::span<const uint8_t> options, uint8_t type, bool* malformed) {
  const uint8_t* found = nullptr;
  *malformed = false;
  while (options.size() >= 2) {
    const size_t bytes = size_t{options[1]} * 8;
    if (bytes == 0 || bytes > options.size()) {
      *malformed = true;
      return nullptr;
    }
    if (options[0] == type && bytes == sizeof(LinkLayerOption)) found = options.data() + 2;
    options = options.subspan(bytes);
  }
  return found;
}

rte_ether_addr MacAt(const uint8_t* bytes) {
  rte_ether_addr mac;
  std::memcpy(mac.addr_bytes, bytes, sizeof(mac.addr_bytes));
  return mac;
}

}  // namespace

Result<std::unique_ptr<SlowPath>> SlowPath::Create(std::span<const std::unique_ptr<Port>> ports) {
  auto transmitter = Transmitter::Create();
  if (!transmitter.ok()) return transmitter.error();
  return std::unique_ptr<SlowPath>(new SlowPath(ports, std::move(*transmitter)));
}

SlowPath::SlowPath(std::span<const std::unique_ptr<Port>> ports,
                   std::unique_ptr<Transmitter> transmitter)
    : transmitter_(std::move(transmitter)), neighbours_(ports, *transmitter_) {
  size_t count = 0;
  for (const auto& port : ports) count = std::max<size_t>(count, port->index() + size_t{1});
  limiters_.resize(count);
}

void SlowPath::Tick(uint64_t now_ns) {
  now_ns_ = now_ns;
  neighbours_.Tick(now_ns);
}

bool SlowPath::Handle(const Port& port, rte_mbuf* packet) {
  const auto* start = rte_pktmbuf_mtod(packet, const uint8_t*);
  const uint32_t length = packet->data_len;
  if (length < port.l2_bytes()) return false;
  const auto* ethernet = reinterpret_cast<const EthernetHeader*>(start);
  uint16_t type = ethernet->type;
  if (port.spec().vlan != 0) {
    if (type != kEtherTypeVlan) return false;
    const auto* tag = reinterpret_cast<const VlanTag*>(ethernet + 1);
    if ((tag->tci & 0xFFF) != port.spec().vlan) return false;
    type = tag->type;
  }
  Punted punted{*ethernet, {start + port.l2_bytes(), length - port.l2_bytes()}, packet->pkt_len};

  if (type == kEtherTypeArp) {
    HandleArp(port, punted);
  } else if (type == kEtherTypeIp4) {
    const auto* ip = reinterpret_cast<const Ip4Header*>(punted.l3.data());
    if (punted.l3.size() < sizeof(*ip) || ip->protocol != kProtocolIcmp) return false;
    HandleIcmp4(port, punted);
  } else if (type == kEtherTypeIp6) {
    const auto* ip = reinterpret_cast<const Ip6Header*>(punted.l3.data());
    if (punted.l3.size() < sizeof(*ip) || ip->next_header != kProtocolIcmp6) return false;
    HandleIcmp6(port, punted);
  } else {
    return false;
  }
  rte_pktmbuf_free(packet);
  return true;
}

void SlowPath::Reply(const Port& port, rte_mbuf* reply, const Punted& asked) {
  if (reply == nullptr) return;
  const auto* ethernet = rte_pktmbuf_mtod(reply, const EthernetHeader*);
  // Padding to Ethernet's minimum is no amplification: what asked was padded too, though a
  // virtual link may have delivered it without.
  const uint32_t asked_bytes = std::max<uint32_t>(asked.frame_bytes, kMinFrame);
  const bool individual = (ethernet->destination[0] & 1) == 0;
  if (!individual || reply->pkt_len > asked_bytes ||
      !limiters_[port.index()].Allow(now_ns_, std::max<uint32_t>(reply->pkt_len, kMinFrame))) {
    ++counters_.limited;
    rte_pktmbuf_free(reply);
    return;
  }
  if (transmitter_->Send(port, reply)) ++counters_.replies;
}

void SlowPath::HandleArp(const Port& port, const Punted& punted) {
  const auto* arp = reinterpret_cast<const ArpPacket*>(punted.l3.data());
  if (punted.l3.size() < sizeof(*arp) || arp->hardware_type != 1 ||
      arp->protocol_type != kEtherTypeIp4 || arp->hardware_length != 6 ||
      arp->protocol_length != 4) {
    return;
  }
  const IpAddress sender = IpAddress::FromBytes(arp->sender_ip);
  const IpAddress target = IpAddress::FromBytes(arp->target_ip);
  if (!port.spec().ip4 || target != port.address4()) return;
  const rte_ether_addr sender_mac = MacAt(arp->sender_mac);
  if (arp->operation == 2) {
    // A reply is addressed to us; a gratuitous one is nobody's answer.
    if (std::memcmp(punted.ethernet.destination, port.mac().addr_bytes, 6) == 0) {
      neighbours_.Learn(port, sender, sender_mac);
    }
    return;
  }
  // The sender 0.0.0.0 probes for a duplicate address (RFC 5227) and is told, too.
  if (arp->operation != 1 || sender == target || !rte_is_valid_assigned_ether_addr(&sender_mac) ||
      (!sender.IsUnicast() && sender != IpAddress(Ip4Bytes{}))) {
    return;
  }
  uint8_t* l3 = nullptr;
  rte_mbuf* reply = transmitter_->NewFrame(port, sender_mac, kEtherTypeArp, sizeof(ArpPacket), &l3);
  if (reply == nullptr) return;
  auto* answer = reinterpret_cast<ArpPacket*>(l3);
  *answer = *arp;
  answer->operation = 2;
  std::memcpy(answer->sender_mac, port.mac().addr_bytes, 6);
  std::memcpy(answer->sender_ip, arp->target_ip, 4);
  std::memcpy(answer->target_mac, arp->sender_mac, 6);
  std::memcpy(answer->target_ip, arp->sender_ip, 4);
  Reply(port, reply, punted);
}

void SlowPath::HandleIcmp4(const Port& port, const Punted& punted) {
  const auto* ip = reinterpret_cast<const Ip4Header*>(punted.l3.data());
  const uint16_t total = ip->total_length;
  const bool whole = ip->version_ihl == 0x45 && total <= punted.l3.size() &&
                     total >= sizeof(*ip) + sizeof(IcmpHeader) + 4 && (ip->fragment & 0x3FFF) == 0;
  if (!whole) return;
  Checksum header;
  header.Add(punted.l3.first(sizeof(*ip)));
  const auto message = punted.l3.subspan(sizeof(*ip), total - sizeof(*ip));
  Checksum body;
  body.Add(message);
  if (header.Value() != 0 || body.Value() != 0) return;
  const auto* icmp = reinterpret_cast<const IcmpHeader*>(message.data());
  if (icmp->type != kIcmpEchoRequest || icmp->code != 0) return;
  const IpAddress source = IpAddress::FromBytes(ip->source);
  if (IpAddress::FromBytes(ip->destination) != port.address4()) return;
  if (!MayAnswer(port, punted, source)) return;

  uint8_t* l3 = nullptr;
  rte_mbuf* reply =
      transmitter_->NewFrame(port, MacAt(punted.ethernet.source), kEtherTypeIp4, total, &l3);
  if (reply == nullptr) return;
  std::memcpy(l3, punted.l3.data(), total);
  auto* answer = reinterpret_cast<Ip4Header*>(l3);
  std::memcpy(answer->source, ip->destination, 4);
  std::memcpy(answer->destination, ip->source, 4);
  answer->ttl = kHopLimit;
  answer->checksum = 0;
  Checksum ip_sum;
  ip_sum.Add({l3, sizeof(*answer)});
  answer->checksum = ip_sum.Value();
  auto* echo = reinterpret_cast<IcmpHeader*>(answer + 1);
  echo->type = kIcmpEchoReply;
  echo->checksum = 0;
  Checksum echo_sum;
  echo_sum.Add({l3 + sizeof(*answer), message.size()});
  echo->checksum = echo_sum.Value();
  Reply(port, reply, punted);
}

void SlowPath::HandleIcmp6(const Port& port, const Punted& punted) {
  const auto* ip = reinterpret_cast<const Ip6Header*>(punted.l3.data());
  const uint16_t payload = ip->payload_length;
  if (ip->version_class_flow >> 28 != 6 || payload < sizeof(IcmpHeader) + 4 ||
      payload > punted.l3.size() - sizeof(*ip)) {
    return;
  }
  const IpAddress source = IpAddress::FromBytes(ip->source);
  const IpAddress destination = IpAddress::FromBytes(ip->destination);
  const auto message = punted.l3.subspan(sizeof(*ip), payload);
  Checksum checksum;
  checksum.AddPseudoHeader(source, destination, kProtocolIcmp6, payload);
  checksum.Add(message);
  const auto* icmp = reinterpret_cast<const IcmpHeader*>(message.data());
  if (checksum.Value() != 0 || icmp->code != 0) return;
  switch (icmp->type) {
    case kIcmp6EchoRequest:
      if (destination == port.address6() && MayAnswer(port, punted, source)) {
        Reply(port, EchoReply6(port, punted, message), punted);
      }
      return;
    case kIcmp6NeighbourSolicitation:
      if (ip->hop_limit == 255) AnswerSolicitation(port, punted, source, message);
      return;
    case kIcmp6NeighbourAdvertisement:
      if (ip->hop_limit == 255 && destination == port.address6()) LearnAdvertised(port, message);
      return;
    default:
      return;
  }
}

bool SlowPath::MayAnswer(const Port& port, const Punted& punted, const IpAddress& source) {
  // An echo request that came as a broadcast, from one, or from ourselves gets no answer.
  const bool ours = std::memcmp(punted.ethernet.destination, port.mac().addr_bytes, 6) == 0;
  if (ours && source.IsUnicast() && !port.IsBroadcast(source) && !port.Owns(source)) return true;
  ++counters_.limited;
  return false;
}

rte_mbuf* SlowPath::EchoReply6(const Port& port, const Punted& punted,
                               std::span<const uint8_t> message) {
  const auto bytes = static_cast<uint16_t>(sizeof(Ip6Header) + message.size());
  uint8_t* l3 = nullptr;
  rte_mbuf* reply =
      transmitter_->NewFrame(port, MacAt(punted.ethernet.source), kEtherTypeIp6, bytes, &l3);
  if (reply == nullptr) return nullptr;
  std::memcpy(l3, punted.l3.data(), bytes);
  const auto* ip = reinterpret_cast<const Ip6Header*>(punted.l3.data());
  auto* answer = reinterpret_cast<Ip6Header*>(l3);
  answer->hop_limit = kHopLimit;
  std::memcpy(answer->source, ip->destination, 16);
  std::memcpy(answer->destination, ip->source, 16);
  auto* echo = reinterpret_cast<IcmpHeader*>(answer + 1);
  echo->type = kIcmp6EchoReply;
  SetChecksum6(answer, echo, message.size());
  return reply;
}

void SlowPath::SetChecksum6(const Ip6Header* ip, IcmpHeader* icmp, size_t bytes) {
  icmp->checksum = 0;
  Checksum checksum;
  checksum.AddPseudoHeader(IpAddress::FromBytes(ip->source), IpAddress::FromBytes(ip->destination),
                           kProtocolIcmp6, static_cast<uint32_t>(bytes));
  checksum.Add({reinterpret_cast<const uint8_t*>(icmp), bytes});
  icmp->checksum = checksum.Value();
}

// RFC 4861 section 7.2.4.
void SlowPath::AnswerSolicitation(const Port& port, const Punted& punted, const IpAddress& source,
                                  std::span<const uint8_t> message) {
  if (message.size() < sizeof(NeighbourMessage)) return;
  const auto* solicitation = reinterpret_cast<const NeighbourMessage*>(message.data());
  const IpAddress target = IpAddress::FromBytes(solicitation->target);
  if (!port.spec().ip6 || target != port.address6() || source == target) return;
  bool malformed = false;
  const uint8_t* option =
      FindLinkLayer(message.subspan(sizeof(NeighbourMessage)), kOptionSourceLinkLayer, &malformed);
  // Duplicate address detection (source ::) could only be answered to a multicast address.
  if (malformed || !source.IsUnicast()) return;
  // A unicast solicitation may leave the option out: then the frame's source stands for it, and
  // ours is left out as well, so that the answer is no longer than the question.
  const rte_ether_addr mac = MacAt(option != nullptr ? option : punted.ethernet.source);
  if (!rte_is_valid_assigned_ether_addr(&mac)) return;
  const auto bytes = static_cast<uint16_t>(sizeof(NeighbourMessage) +
                                           (option != nullptr ? sizeof(LinkLayerOption) : 0));
  uint8_t* l3 = nullptr;
  rte_mbuf* reply = transmitter_->NewFrame(port, mac, kEtherTypeIp6,
                                           static_cast<uint16_t>(sizeof(Ip6Header) + bytes), &l3);
  if (reply == nullptr) return;
  auto* ip = reinterpret_cast<Ip6Header*>(l3);
  ip->version_class_flow = 6u << 28;
  ip->payload_length = bytes;
  ip->next_header = kProtocolIcmp6;
  ip->hop_limit = 255;
  std::memcpy(ip->source, target.bytes().data(), 16);
  std::memcpy(ip->destination, source.bytes().data(), 16);
  auto* advertisement = reinterpret_cast<NeighbourMessage*>(ip + 1);
  advertisement->icmp.type = kIcmp6NeighbourAdvertisement;
  advertisement->flags = kNaSolicited | kNaOverride;
  std::memcpy(advertisement->target, target.bytes().data(), 16);
  if (option != nullptr) {
    auto* own = reinterpret_cast<LinkLayerOption*>(advertisement + 1);
    own->type = kOptionTargetLinkLayer;
    own->length = 1;
    std::memcpy(own->mac, port.mac().addr_bytes, 6);
  }
  SetChecksum6(ip, &advertisement->icmp, bytes);
  Reply(port, reply, punted);
}

void SlowPath::LearnAdvertised(const Port& port, std::span<const uint8_t> message) {
  if (message.size() < sizeof(NeighbourMessage)) return;
  const auto* advertisement = reinterpret_cast<const NeighbourMessage*>(message.data());
  if ((advertisement->flags & kNaSolicited) == 0) return;
  bool malformed = false;
  const uint8_t* option =
      FindLinkLayer(message.subspan(sizeof(NeighbourMessage)), kOptionTargetLinkLayer, &malformed);
  // Our solicitations are multicast, so that the answer must carry the address.
  if (malformed || option == nullptr) return;
  neighbours_.Learn(port, IpAddress::FromBytes(advertisement->target), MacAt(option));
}

}  // namespace weir::dataplane

#include "dataplane/slowpath/neighbours.h"

#include <cstring>

#include "dataplane/slowpath/checksum.h"
#include "dataplane/slowpath/headers.h"

namespace weir::dataplane {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kRetryNs = kSecond;           // RFC 4861 RETRANS_TIMER.
constexpr uint32_t kAttempts = 3;                // MAX_MULTICAST_SOLICIT.
constexpr uint64_t kFailedNs = 3 * kSecond;      // Before asking again for one that is silent.
constexpr uint64_t kReachableNs = 30 * kSecond;  // REACHABLE_TIME.
constexpr uint64_t kForgetNs = 60 * kSecond;     // Unused and unpinned.
constexpr size_t kMaxEntries = 4096;             // A port; destinations come from sessions alone.

}  // namespace

Neighbours::Neighbours(std::span<const std::unique_ptr<Port>> ports, Transmitter& transmitter)
    : ports_(ports), transmitter_(transmitter) {}

Result<std::optional<rte_ether_addr>> Neighbours::Resolve(const Port& port, const IpAddress& ip) {
  const auto next_hop = port.NextHop(ip);
  if (!next_hop.ok()) return next_hop.error();
  Table& table = tables_[port.index()];
  if (table.size() >= kMaxEntries && table.count(next_hop.value()) == 0) {
    return Error{v1::RESOURCE_EXHAUSTED, "", "too many neighbours on port " + port.spec().name};
  }
  const auto [at, added] = table.try_emplace(next_hop.value());
  Entry& entry = at->second;
  entry.used_ns = now_ns_;
  if (entry.state == State::kReachable) return std::optional(entry.mac);
  if (entry.state == State::kFailed) {
    return Error{v1::UNAVAILABLE, "",
                 next_hop.value().ToString() + " does not answer on port " + port.spec().name +
                     (next_hop.value() == ip ? "" : " (the gateway to " + ip.ToString() + ")")};
  }
  if (added) Ask(port, at->first, entry);
  return std::optional<rte_ether_addr>();
}

void Neighbours::Pin(const Port& port, const IpAddress& ip) {
  const auto next_hop = port.NextHop(ip);
  if (!next_hop.ok()) return;
  Entry& entry = tables_[port.index()][next_hop.value()];
  entry.used_ns = now_ns_;
  ++entry.pins[ip];
}

void Neighbours::Unpin(const Port& port, const IpAddress& ip) {
  const auto next_hop = port.NextHop(ip);
  if (!next_hop.ok()) return;
  Table& table = tables_[port.index()];
  const auto entry = table.find(next_hop.value());
  if (entry == table.end()) return;
  const auto pin = entry->second.pins.find(ip);
  if (pin == entry->second.pins.end()) return;
  if (--pin->second == 0) entry->second.pins.erase(pin);
}

void Neighbours::Learn(const Port& port, const IpAddress& ip, const rte_ether_addr& mac) {
  Table& table = tables_[port.index()];
  const auto found = table.find(ip);
  if (found == table.end() || !found->second.outstanding) return;
  if (!rte_is_valid_assigned_ether_addr(&mac)) return;
  Entry& entry = found->second;
  entry.outstanding = false;
  entry.unanswered = 0;
  entry.learned_ns = now_ns_;
  const bool changed =
      entry.state == State::kReachable && !rte_is_same_ether_addr(&entry.mac, &mac);
  if (changed && !entry.pins.empty()) {
    // The callback may unpin.
    const auto pins = entry.pins;
    for (const auto& [pinned, count] : pins) {
      if (events_.on_change) events_.on_change(port, pinned);
    }
    return;
  }
  entry.mac = mac;
  entry.state = State::kReachable;
}

void Neighbours::Tick(uint64_t now_ns) {
  now_ns_ = now_ns;
  if (now_ns_ < next_scan_ns_) return;
  next_scan_ns_ = now_ns_ + kScanIntervalNs;
  for (const auto& port : ports_) {
    Table& table = tables_[port->index()];
    for (auto entry = table.begin(); entry != table.end();) {
      const bool keep = TickEntry(*port, entry->first, entry->second);
      entry = keep ? std::next(entry) : table.erase(entry);
    }
  }
}

// False if the entry is to be forgotten.
bool Neighbours::TickEntry(const Port& port, const IpAddress& next_hop, Entry& entry) {
  const bool pinned = !entry.pins.empty();
  if (!pinned && now_ns_ - entry.used_ns > kForgetNs) return false;
  const uint64_t since_asked = now_ns_ - entry.asked_ns;
  if (entry.state == State::kFailed) {
    // Forgotten, so that the next Resolve asks afresh.
    return pinned || since_asked < kFailedNs;
  }
  if (entry.outstanding) {
    if (since_asked < kRetryNs) return true;
    if (entry.unanswered < kAttempts) {
      Ask(port, next_hop, entry);
      return true;
    }
    entry.outstanding = false;
    entry.state = State::kFailed;
    const auto pins = entry.pins;
    for (const auto& [ip, count] : pins) {
      if (events_.on_unreachable) events_.on_unreachable(port, ip);
    }
    return true;
  }
  const bool stale = entry.state == State::kIncomplete || now_ns_ - entry.learned_ns > kReachableNs;
  if (stale && (pinned || now_ns_ - entry.used_ns < kReachableNs)) Ask(port, next_hop, entry);
  return true;
}

void Neighbours::Ask(const Port& port, const IpAddress& next_hop, Entry& entry) {
  entry.outstanding = true;
  entry.asked_ns = now_ns_;
  ++entry.unanswered;
  // A failure to send is a request without an answer: it is repeated.
  if (next_hop.is_v4()) {
    AskArp(port, next_hop);
  } else {
    AskNeighbourDiscovery(port, next_hop);
  }
}

void Neighbours::AskArp(const Port& port, const IpAddress& target) {
  const rte_ether_addr broadcast{{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}};
  uint8_t* l3 = nullptr;
  rte_mbuf* frame = transmitter_.NewFrame(port, broadcast, kEtherTypeArp, sizeof(ArpPacket), &l3);
  if (frame == nullptr) return;
  auto* arp = reinterpret_cast<ArpPacket*>(l3);
  arp->hardware_type = 1;
  arp->protocol_type = kEtherTypeIp4;
  arp->hardware_length = 6;
  arp->protocol_length = 4;
  arp->operation = 1;
  std::memcpy(arp->sender_mac, port.mac().addr_bytes, 6);
  std::memcpy(arp->sender_ip, port.address4().bytes().data(), 4);
  std::memcpy(arp->target_ip, target.bytes().data(), 4);
  transmitter_.Send(port, frame);
}

void Neighbours::AskNeighbourDiscovery(const Port& port, const IpAddress& target) {
  // The solicited-node address ff02::1:ffXX:XXXX and its Ethernet address 33:33:ff:XX:XX:XX.
  const Ip6Bytes& t = target.v6();
  const IpAddress group(
      Ip6Bytes{0xFF, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xFF, t[13], t[14], t[15]});
  const rte_ether_addr destination{{0x33, 0x33, 0xFF, t[13], t[14], t[15]}};
  constexpr uint16_t kBytes = sizeof(NeighbourMessage) + sizeof(LinkLayerOption);
  uint8_t* l3 = nullptr;
  rte_mbuf* frame =
      transmitter_.NewFrame(port, destination, kEtherTypeIp6, sizeof(Ip6Header) + kBytes, &l3);
  if (frame == nullptr) return;
  auto* ip = reinterpret_cast<Ip6Header*>(l3);
  ip->version_class_flow = 6u << 28;
  ip->payload_length = kBytes;
  ip->next_header = kProtocolIcmp6;
  ip->hop_limit = 255;
  const IpAddress source = port.address6();
  std::memcpy(ip->source, source.bytes().data(), 16);
  std::memcpy(ip->destination, group.bytes().data(), 16);
  auto* message = reinterpret_cast<NeighbourMessage*>(ip + 1);
  message->icmp.type = kIcmp6NeighbourSolicitation;
  std::memcpy(message->target, t.data(), 16);
  auto* option = reinterpret_cast<LinkLayerOption*>(message + 1);
  option->type = kOptionSourceLinkLayer;
  option->length = 1;
  std::memcpy(option->mac, port.mac().addr_bytes, 6);
  Checksum checksum;
  checksum.AddPseudoHeader(source, group, kProtocolIcmp6, kBytes);
  checksum.Add({reinterpret_cast<const uint8_t*>(message), kBytes});
  message->icmp.checksum = checksum.Value();
  transmitter_.Send(port, frame);
}

}  // namespace weir::dataplane

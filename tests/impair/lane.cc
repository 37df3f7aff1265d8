#include "tests/impair/lane.h"

#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_udp.h>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <utility>

#include "wire/signal_packet.h"
#include "wire/test_packet.h"

namespace weir::impair {
namespace {

constexpr uint16_t kBurst = 32;
constexpr uint16_t kSpreadBurst = 3;
constexpr uint64_t kFlushAfterNs = 100'000'000;  // Without a test packet: the flow is over.

}  // namespace

std::optional<uint8_t> TestPacketDscp(const rte_mbuf* packet) {
  const auto* bytes = rte_pktmbuf_mtod(packet, const uint8_t*);
  const uint32_t length = rte_pktmbuf_data_len(packet);
  uint32_t at = sizeof(rte_ether_hdr);
  if (length < at + sizeof(rte_ipv6_hdr)) return std::nullopt;
  auto type = rte_be_to_cpu_16(reinterpret_cast<const rte_ether_hdr*>(bytes)->ether_type);
  if (type == RTE_ETHER_TYPE_VLAN) {
    type = rte_be_to_cpu_16(reinterpret_cast<const rte_vlan_hdr*>(bytes + at)->eth_proto);
    at += sizeof(rte_vlan_hdr);
  }
  uint8_t dscp = 0;
  if (type == RTE_ETHER_TYPE_IPV4) {
    const auto* ip = reinterpret_cast<const rte_ipv4_hdr*>(bytes + at);
    if (ip->next_proto_id != IPPROTO_UDP) return std::nullopt;
    dscp = ip->type_of_service >> 2;
    at += rte_ipv4_hdr_len(ip);
  } else if (type == RTE_ETHER_TYPE_IPV6) {
    const auto* ip = reinterpret_cast<const rte_ipv6_hdr*>(bytes + at);
    if (ip->proto != IPPROTO_UDP) return std::nullopt;
    dscp = (rte_be_to_cpu_32(ip->vtc_flow) >> 22) & 0x3F;
    at += sizeof(rte_ipv6_hdr);
  } else {
    return std::nullopt;
  }
  at += sizeof(rte_udp_hdr);
  if (length < at + wire::kMinUdpPayload) return std::nullopt;
  const auto& slot = reinterpret_cast<const wire::SignalHeader*>(bytes + at)->marker;
  if (wire::GetSlot(slot) == wire::kSignalSlot) return std::nullopt;
  return dscp;
}

Lane::Lane(Receiver from, uint16_t to, rte_mempool* pool, Impairment impairment, uint16_t spread)
    : from_(from),
      to_(to),
      spread_(spread),
      pool_(pool),
      impairment_(std::move(impairment)),
      hold_back_(impairment_.swap_distance) {}

bool Lane::Poll(uint64_t now_ns) {
  rte_mbuf* burst[kBurst];
  uint64_t received = 0;
  for (uint16_t queue = 0; queue < from_.queues; ++queue) {
    const uint16_t count = rte_eth_rx_burst(from_.port, queue, burst, kBurst);
    for (uint16_t i = 0; i < count; ++i) Judge(burst[i], now_ns);
    received += count;
  }
  counters_.received += received;

  if (received == 0 && now_ns > last_test_packet_ns_ + kFlushAfterNs) {
    while (const auto held = hold_back_.Flush()) {
      ++(held->overtaken ? counters_.swapped : counters_.flushed);
      Enqueue(held->packet, now_ns, 0);
    }
  }
  const bool sent_others = Send(&others_, now_ns);
  const bool sent_delayed = Send(&delayed_, now_ns);
  return received != 0 || sent_others || sent_delayed;
}

void Lane::Judge(rte_mbuf* packet, uint64_t now_ns) {
  const std::optional<uint8_t> dscp = TestPacketDscp(packet);
  if (!dscp.has_value()) {
    Enqueue(packet, now_ns, 0);
    return;
  }
  last_test_packet_ns_ = now_ns;
  const uint64_t index = counters_.test_packets++;
  if (impairment_.drop.Contains(index)) {
    rte_pktmbuf_free(packet);
    ++counters_.dropped;
    return;
  }
  if (impairment_.swap.Contains(index)) {
    hold_back_.Hold(packet);
    return;
  }
  rte_mbuf* copy = nullptr;
  if (impairment_.duplicate.Contains(index)) {
    copy = rte_pktmbuf_copy(packet, pool_, 0, UINT32_MAX);
  }
  const uint64_t delay_ns = impairment_.DelayOf(*dscp);
  Pass(packet, now_ns, delay_ns);
  if (copy != nullptr) {
    ++counters_.duplicated;
    Enqueue(copy, now_ns, delay_ns);
  }
}

void Lane::Pass(rte_mbuf* packet, uint64_t now_ns, uint64_t delay_ns) {
  Enqueue(packet, now_ns, delay_ns);
  for (bool passed = true;; passed = false) {
    const auto released = hold_back_.Release(passed);
    if (!released) break;
    ++counters_.swapped;
    Enqueue(*released, now_ns, delay_ns);
  }
}

void Lane::Enqueue(rte_mbuf* packet, uint64_t now_ns, uint64_t delay_ns) {
  (delay_ns == 0 ? others_ : delayed_).push_back({now_ns, now_ns + delay_ns, packet});
}

bool Lane::Send(std::deque<Queued>* queue, uint64_t now_ns) {
  rte_mbuf* burst[kBurst];
  uint16_t due = 0;
  const uint16_t room = spread_ == 1 ? kBurst : kSpreadBurst;
  while (due < room && due < queue->size() && (*queue)[due].due_ns <= now_ns) {
    burst[due] = (*queue)[due].packet;
    ++due;
  }
  const uint16_t sent = due == 0 ? 0 : rte_eth_tx_burst(to_, queue_, burst, due);
  if (sent != 0) queue_ = static_cast<uint16_t>((queue_ + 1) % spread_);
  if (queue == &delayed_) {
    for (uint16_t i = 0; i < sent; ++i) held_ns_.push_back(now_ns - (*queue)[i].arrived_ns);
  }
  queue->erase(queue->begin(), queue->begin() + sent);
  counters_.forwarded += sent;
  return sent != 0;
}

uint64_t Lane::NextDue(uint64_t now_ns, uint64_t latest_ns) const {
  for (const auto* queue : {&others_, &delayed_}) {
    if (queue->empty() || queue->front().due_ns <= now_ns) continue;
    latest_ns = std::min(latest_ns, queue->front().due_ns);
  }
  return latest_ns;
}

std::string Lane::Json() const {
  rte_eth_stats port{};
  rte_eth_stats_get(from_.port, &port);
  std::vector<uint64_t> held = held_ns_;
  std::sort(held.begin(), held.end());
  return fmt::format(
      R"({{"received":{},"test_packets":{},"dropped":{},"duplicated":{},"swapped":{},)"
      R"("flushed":{},"forwarded":{},"queued":{},"port_missed":{},"delayed":{},)"
      R"("held_p50_ns":{}}})",
      counters_.received, counters_.test_packets, counters_.dropped, counters_.duplicated,
      counters_.swapped, counters_.flushed, counters_.forwarded, others_.size() + delayed_.size(),
      port.imissed, held.size(), held.empty() ? 0 : held[held.size() / 2]);
}

}  // namespace weir::impair

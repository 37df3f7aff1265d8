#include "dataplane/slowpath/signal_frame.h"

#include "dataplane/rx/classifier.h"

namespace weir::dataplane {

std::optional<SignalFrame> ParseSignal(const rte_mbuf* frame, uint16_t vlan) {
  const TestFrame classified = Classify(frame, vlan);
  if (classified.frame_class != FrameClass::kPunt || classified.packet == nullptr) {
    return std::nullopt;
  }
  const size_t ip_bytes = classified.is_v4 ? 4 : 16;
  const auto* udp = reinterpret_cast<const rte_udp_hdr*>(classified.key + 2 * ip_bytes);
  const auto* begin = reinterpret_cast<const uint8_t*>(classified.packet);
  const uint32_t payload_bytes = wire::ByteSwap(udp->dgram_len) - sizeof(rte_udp_hdr);
  const auto* end = rte_pktmbuf_mtod(frame, const uint8_t*) + frame->data_len;
  if (payload_bytes > static_cast<size_t>(end - begin)) return std::nullopt;

  const auto* header = reinterpret_cast<const wire::SignalHeader*>(begin);
  if (header->version != wire::kSignalVersion ||
      header->type < static_cast<uint8_t>(wire::SignalType::kHello) ||
      header->type > static_cast<uint8_t>(wire::SignalType::kEnd)) {
    return std::nullopt;
  }
  return SignalFrame{
      .type = static_cast<wire::SignalType>(header->type),
      .slot = wire::GetSlot(header->slot),
      .generation = header->generation,
      .source = {IpAddress::FromBytes({classified.key, ip_bytes}), wire::ByteSwap(udp->src_port)},
      .destination = {IpAddress::FromBytes({classified.key + ip_bytes, ip_bytes}),
                      wire::ByteSwap(udp->dst_port)},
      .source_mac = rte_pktmbuf_mtod(frame, const rte_ether_hdr*)->src_addr,
      .payload = {begin, payload_bytes},
  };
}

}  // namespace weir::dataplane

// Where a test packet's bytes lie in an mbuf, and the headers of one flow and size, ready to copy.
#ifndef WEIR_DATAPLANE_FLOW_PACKET_TEMPLATE_H_
#define WEIR_DATAPLANE_FLOW_PACKET_TEMPLATE_H_

#include <rte_ether.h>
#include <rte_mbuf.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "dataplane/flow/flow_spec.h"
#include "wire/test_packet.h"

namespace weir::dataplane {

// The UDP payload of every test packet starts at one offset of the mbuf's buffer, whatever
// headers precede it, so that its filler is written once when the pool is made. With this
// offset the 60 bytes of an untagged IPv4 test packet's headers fill one cache line.
inline constexpr uint32_t kPayloadOffset = 170;
inline constexpr uint32_t kVlanTagBytes = 4;
inline constexpr uint32_t kMaxHeaderBytes = RTE_ETHER_HDR_LEN + kVlanTagBytes + 40 + 8;
inline constexpr uint32_t kMinFrameBytes = RTE_ETHER_MIN_LEN - RTE_ETHER_CRC_LEN;

// Pseudo-random filler, the same in each packet: `length` bytes of it, beginning behind the
// 18 bytes of the test packet.
void WriteFiller(uint8_t* to, size_t length);

class PacketTemplate {
 public:
  PacketTemplate(const FlowSpec& spec, uint32_t udp_payload, const rte_ether_addr& source,
                 const rte_ether_addr& destination, uint16_t vlan);

  // Makes an mbuf of a TxPool a packet of this template, but for what StampPacket writes.
  // Returns its payload. A buffer that last carried this same template still has its headers:
  // with one flow on a queue a packet costs the bytes that differ.
  uint8_t* Prepare(rte_mbuf* mbuf) const {
    uint8_t* payload = static_cast<uint8_t*>(mbuf->buf_addr) + kPayloadOffset;
    if (mbuf->hash.usr != id_) WriteHeaders(payload);
    std::memcpy(&mbuf->rearm_data, mbuf_fields_, sizeof(mbuf_fields_));
    return payload;
  }

  // The same of a buffer that most likely carries another template's.
  uint8_t* PrepareAnew(rte_mbuf* mbuf) const {
    uint8_t* payload = static_cast<uint8_t*>(mbuf->buf_addr) + kPayloadOffset;
    WriteHeaders(payload);
    std::memcpy(&mbuf->rearm_data, mbuf_fields_, sizeof(mbuf_fields_));
    return payload;
  }

  // Writes the headers and the cookie of this flow in front of and into the payload at
  // `payload`. May write some filler behind them, the same that lies there.
  void WriteHeaders(uint8_t* payload) const {
    std::memcpy(payload - header_bytes_, bytes_, kShortCopy);
    if (copy_long_) std::memcpy(payload - header_bytes_ + kShortCopy, bytes_ + kShortCopy, 16);
  }

  uint32_t header_bytes() const { return header_bytes_; }
  uint32_t frame_bytes() const { return frame_bytes_; }  // Without FCS, padded to 60.
  uint32_t ip_bytes() const { return ip_bytes_; }
  uint32_t wire_frame_bytes() const { return frame_bytes_ + RTE_ETHER_CRC_LEN; }

 private:
  static constexpr size_t kShortCopy = 64;
  static constexpr size_t kLongCopy = kShortCopy + 16;
  static_assert(kMaxHeaderBytes + sizeof(wire::TestPacket::cookie) <= kLongCopy);

  // An mbuf from data_off to hash: its place in the buffer, its lengths, no offloads, and in
  // hash.usr, which no driver reads or writes on transmit, the template's id.
  static constexpr size_t kMbufFieldBytes = 32;
  static_assert(offsetof(rte_mbuf, hash.usr) + sizeof(uint32_t) - offsetof(rte_mbuf, rearm_data) ==
                kMbufFieldBytes);

  alignas(64) uint8_t bytes_[kLongCopy];
  alignas(16) uint8_t mbuf_fields_[kMbufFieldBytes];
  uint32_t id_;  // Never 0, which a fresh mbuf has.
  uint32_t frame_bytes_;
  uint32_t ip_bytes_;
  uint16_t header_bytes_;
  bool copy_long_;
};
static_assert(sizeof(PacketTemplate) == 128);

// Writes what differs from packet to packet, with the checksum complement.
inline void StampPacket(uint8_t* payload, uint32_t sequence, uint32_t send_time) {
  auto* packet = reinterpret_cast<wire::TestPacket*>(payload);
  // Sequence and time lie side by side: one store.
  const uint64_t raw = wire::ByteSwap(uint64_t{sequence} << 32 | send_time);
  std::memcpy(payload + offsetof(wire::TestPacket, sequence), &raw, sizeof(raw));
  packet->complement =
      wire::ChecksumComplement(static_cast<uint32_t>(raw), static_cast<uint32_t>(raw >> 32));
}

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_FLOW_PACKET_TEMPLATE_H_

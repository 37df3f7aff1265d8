// Where a test packet's bytes lie in an mbuf, and the headers of one flow and size, ready to copy.
#ifndef WEIR_DATAPLANE_FLOW_PACKET_TEMPLATE_H_
#define WEIR_DATAPLANE_FLOW_PACKET_TEMPLATE_H_

#include <rte_ether.h>
#include <rte_mbuf.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "dataplane/flow/flow_spec.h"
#include "dataplane/flow/vector16.h"
#include "wire/test_packet.h"

namespace weir::dataplane {

// The UDP payload of every test packet starts at one offset of the mbuf's buffer, whatever
// headers precede it, so that its filler is written once when the pool is made. With this
// offset the 60 bytes of an untagged IPv4 test packet's headers fill one cache line.
inline constexpr uint32_t kPayloadOffset = 170;
inline uint8_t* PayloadOf(const rte_mbuf* mbuf) {
  return static_cast<uint8_t*>(mbuf->buf_addr) + kPayloadOffset;
}

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

  // An mbuf from data_off to hash: its place in the buffer, its lengths, no offloads, and in
  // hash.usr, which no driver reads or writes on transmit, the template's id. Each packet of a
  // template has the same. Composed in registers: what lies in memory in smaller parts cannot be
  // loaded at once before it has left the store buffer.
  struct MbufFields {
    Vector16 rearm_data_ol_flags;  // rearm_data: data_off, refcnt, nb_segs, port.
    Vector16 lengths_hash;         // packet_type, pkt_len; data_len, vlan_tci, hash.

    uint32_t id() const { return static_cast<uint32_t>(lengths_hash[1] >> 32); }
    void WriteTo(rte_mbuf* mbuf) const {
      auto* const to = reinterpret_cast<uint8_t*>(&mbuf->rearm_data);
      std::memcpy(to, &rearm_data_ol_flags, sizeof(Vector16));
      std::memcpy(to + sizeof(Vector16), &lengths_hash, sizeof(Vector16));
    }
    // No bit is set: they are in the mbuf.
    Vector16 DifferencesIn(const rte_mbuf* mbuf) const {
      const auto* const at = reinterpret_cast<const uint8_t*>(&mbuf->rearm_data);
      return (LoadVector16(at) ^ rearm_data_ol_flags) |
             (LoadVector16(at + sizeof(Vector16)) ^ lengths_hash);
    }
    bool AreIn(const rte_mbuf* mbuf) const { return IsZero(DifferencesIn(mbuf)); }
  };
  MbufFields mbuf_fields() const { return mbuf_fields(header_bytes()); }

  // Makes an mbuf of a TxPool a packet of this template, but for what a stamp writes.
  // Returns its payload. `fields` are the template's. A buffer that last carried this same template
  // still has its headers, and as a rule the fields too: with one flow on a queue a packet costs
  // the bytes that differ, and the mbuf's own line is only read.
  uint8_t* Prepare(rte_mbuf* mbuf, const MbufFields& fields) const {
    uint8_t* payload = PayloadOf(mbuf);
    if (fields.AreIn(mbuf)) [[likely]]
      return payload;
    if (mbuf->hash.usr != fields.id()) WriteHeaders(payload);
    fields.WriteTo(mbuf);
    return payload;
  }

  uint8_t* Prepare(rte_mbuf* mbuf) const { return Prepare(mbuf, mbuf_fields()); }

  // The same of a buffer that most likely carries another template's.
  uint8_t* PrepareAnew(rte_mbuf* mbuf) const {
    uint8_t* payload = PayloadOf(mbuf);
    if ((id_ & (kV6 | kTagged)) == 0) [[likely]] {
      mbuf_fields(kShortestHeaders).WriteTo(mbuf);
      std::memcpy(payload - kShortestHeaders, bytes_, sizeof(bytes_));
      return payload;
    }
    mbuf_fields().WriteTo(mbuf);
    WriteHeaders(payload);
    return payload;
  }

  // Writes the headers and the cookie of this flow in front of and into the payload at
  // `payload`. May write some of the payload behind them: filler, the same that lies there, and
  // what a stamp writes.
  void WriteHeaders(uint8_t* payload) const {
    std::memcpy(payload - header_bytes(), bytes_, sizeof(bytes_));
    if (is_v6()) std::memcpy(payload - header_bytes() + sizeof(bytes_), tail_, sizeof(tail_));
  }

  uint32_t header_bytes() const {
    if ((id_ & (kV6 | kTagged)) == 0) [[likely]]
      return kShortestHeaders;
    return kShortestHeaders + (is_v6() ? 20 : 0) + (id_ & kTagged ? kVlanTagBytes : 0);
  }
  uint32_t frame_bytes() const { return frame_bytes_; }  // Without FCS.
  uint32_t ip_bytes() const {
    return frame_bytes_ - RTE_ETHER_HDR_LEN - (id_ & kTagged ? kVlanTagBytes : 0);
  }
  uint32_t wire_frame_bytes() const { return frame_bytes_ + RTE_ETHER_CRC_LEN; }

 private:
  static constexpr uint32_t kShortestHeaders = RTE_ETHER_HDR_LEN + 20 + 8;  // IPv4, untagged.

  MbufFields mbuf_fields(uint32_t header_bytes) const {
    MbufFields fields;
    fields.rearm_data_ol_flags = Vector16{kOneSegment | (kPayloadOffset - header_bytes), 0};
    fields.lengths_hash =
        Vector16{uint64_t{frame_bytes_} << 32, uint64_t{id_} << 32 | uint64_t{frame_bytes_}};
    return fields;
  }

  // In rearm_data, behind data_off: refcnt 1, nb_segs 1, no port.
  static constexpr uint64_t kOneSegment =
      uint64_t{1} << 16 | uint64_t{1} << 32 | uint64_t{RTE_MBUF_PORT_INVALID} << 48;
  static_assert(std::endian::native == std::endian::little);
  static_assert(offsetof(rte_mbuf, ol_flags) == offsetof(rte_mbuf, rearm_data) + 8 &&
                offsetof(rte_mbuf, pkt_len) == offsetof(rte_mbuf, rearm_data) + 20 &&
                offsetof(rte_mbuf, data_len) == offsetof(rte_mbuf, rearm_data) + 24 &&
                offsetof(rte_mbuf, hash.usr) == offsetof(rte_mbuf, rearm_data) + 28);

  // In id_: what the headers are.
  static constexpr uint32_t kV6 = 1;
  static constexpr uint32_t kTagged = 2;
  static constexpr uint32_t kIdStep = 4;
  bool is_v6() const { return (id_ & kV6) != 0; }
  static uint32_t NextId();

  // Headers and cookie, and some of the payload where there is room for more.
  uint8_t tail_[10];  // Behind bytes_, of IPv6.
  uint16_t frame_bytes_;
  uint32_t id_;  // Never 0, which a fresh mbuf has.
  uint8_t bytes_[64];

  static_assert(kMaxHeaderBytes + sizeof(wire::TestPacket::cookie) ==
                sizeof(bytes_) + sizeof(tail_));
};
// A TxFlow has the first 16 of them at the end of one cache line and the others in the next.
static_assert(sizeof(PacketTemplate) == 80);
// A test packet is never padded.
static_assert(RTE_ETHER_HDR_LEN + 20 + 8 + wire::kMinUdpPayload == kMinFrameBytes);

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

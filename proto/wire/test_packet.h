// The native test packet: 18 bytes behind UDP (proto/README.md section 5.1).
#ifndef WEIR_PROTO_WIRE_TEST_PACKET_H_
#define WEIR_PROTO_WIRE_TEST_PACKET_H_

#include <bit>
#include <cstdint>

#include "wire/byte_order.h"

namespace weir::wire {

// A cookie says which flow of the receiver a packet belongs to: the receiver's slot in the
// top 24 bits, 40 random bits below.
inline constexpr uint32_t kSlotBits = 24;
inline constexpr uint32_t kCookieRandomBits = 40;
// The slot that never names a flow: the packet is a signal (signal_packet.h).
inline constexpr uint32_t kSignalSlot = 0xFFFFFF;
inline constexpr uint32_t kMaxSlots = kSignalSlot;

constexpr uint64_t MakeCookie(uint32_t slot, uint64_t random) {
  return (uint64_t{slot} << kCookieRandomBits) |
         (random & ((uint64_t{1} << kCookieRandomBits) - 1));
}
constexpr uint32_t CookieSlot(uint64_t cookie) {
  return static_cast<uint32_t>(cookie >> kCookieRandomBits);
}

struct [[gnu::packed]] TestPacket {
  Be64 cookie;
  Be32 sequence;        // Low 32 bits; the first packet of a flow is 0.
  Be32 send_time;       // Low 32 bits of the sender's clock in ns since the Unix epoch.
  uint16_t complement;  // Makes the ones' complement sum of sequence, send_time and itself zero.
};
static_assert(sizeof(TestPacket) == 18);

inline constexpr uint32_t kMinUdpPayload = sizeof(TestPacket);

// The checksum complement for a sequence and send time, both in network byte order as they
// lie in the packet (the idea of RFC 7820): the ten bytes sum to 0xFFFF, that is to zero, so
// the UDP checksum of a flow's packets of one size is one constant.
constexpr uint16_t ChecksumComplement(uint32_t sequence_raw, uint32_t send_time_raw) {
  // 2^16 = 1 mod 65535, so wider words fold. A word plus itself with its halves swapped has in its
  // upper half their sum, the carry brought round.
  const uint64_t words = uint64_t{send_time_raw} << 32 | sequence_raw;
  const auto sum32 = static_cast<uint32_t>((words + std::rotl(words, 32)) >> 32);
  const uint32_t sum = (sum32 + std::rotl(sum32, 16)) >> 16;
  return static_cast<uint16_t>(~sum);
}

}  // namespace weir::wire

#endif  // WEIR_PROTO_WIRE_TEST_PACKET_H_

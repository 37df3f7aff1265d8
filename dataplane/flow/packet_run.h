// A run of packets: of one template, one after the other in sequence, sent at one time.
#ifndef WEIR_DATAPLANE_FLOW_PACKET_RUN_H_
#define WEIR_DATAPLANE_FLOW_PACKET_RUN_H_

#include <rte_mbuf.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "dataplane/flow/packet_template.h"
#include "dataplane/flow/vector16.h"
#include "wire/test_packet.h"

namespace weir::dataplane {

// StampPacket for the packets of a run. From one to the next the sequence is one more, and so the
// complement one less: all that is to be computed is an addition. A test packet's last 16 bytes are
// held with the numbers in the machine's order, and written at once.
class RunningStamp {
 public:
  // `payload` is that of any packet of the flow.
  RunningStamp(const uint8_t* payload, uint32_t sequence, uint32_t send_time) {
    uint64_t cookie;
    std::memcpy(&cookie, payload + offsetof(wire::TestPacket, cookie), sizeof(cookie));
    const uint16_t complement = wire::ByteSwap(
        wire::ChecksumComplement(wire::ByteSwap(sequence), wire::ByteSwap(send_time)));
    // Composed in registers, as MbufFields are. The cookie's third and fourth byte, the complement,
    // the cookie's other four.
    const uint64_t behind_numbers =
        cookie >> 32 << 32 | uint64_t{complement} << 16 | (cookie >> 16 & 0xFFFF);
    held_ = reinterpret_cast<Words>(Vector16{uint64_t{send_time} << 32 | sequence, behind_numbers});
    left_ = std::min(uint64_t{complement} + 1, (uint64_t{1} << 32) - sequence);
  }

  // For how many packets it goes on like this: until sequence or complement come round.
  uint64_t left() const { return left_; }

  void WriteNext(uint8_t* payload) {
    const Bytes tail = InPacketOrder(reinterpret_cast<Bytes>(held_));
    std::memcpy(payload + kTailOffset, &tail, sizeof(tail));
    held_ += Words{1, 0, 0xFFFF0000, 0};
  }

 private:
  using Bytes [[gnu::vector_size(16)]] = uint8_t;
  using Words [[gnu::vector_size(16)]] = uint32_t;
  static constexpr size_t kTailOffset = sizeof(wire::TestPacket) - sizeof(Bytes);
  static_assert(offsetof(wire::TestPacket, cookie) < kTailOffset &&
                offsetof(wire::TestPacket, sequence) == kTailOffset + 6 &&
                offsetof(wire::TestPacket, send_time) == kTailOffset + 10 &&
                offsetof(wire::TestPacket, complement) == kTailOffset + 14);

  static Bytes InPacketOrder(Bytes held) {
    return __builtin_shufflevector(held, held, 8, 9, 12, 13, 14, 15, 3, 2, 1, 0, 7, 6, 5, 4, 11,
                                   10);
  }

  Words held_;
  uint64_t left_;
};

// Makes the mbufs of a TxPool a run of packets of `of`.
inline void MakeRun(const PacketTemplate& of, rte_mbuf* const* mbufs, uint32_t count,
                    uint32_t sequence, uint32_t send_time) {
  // As a rule they carried the same template before: it is looked for in so many at once.
  constexpr uint32_t kAtOnce = 4;
  const PacketTemplate::MbufFields fields = of.mbuf_fields();
  for (uint32_t made = 0; made < count;) {
    RunningStamp stamp(of.Prepare(mbufs[made], fields), sequence + made, send_time);
    const uint32_t end =
        made + static_cast<uint32_t>(std::min<uint64_t>(count - made, stamp.left()));
    for (; end - made >= kAtOnce; made += kAtOnce) {
      rte_mbuf* next[kAtOnce];
      std::copy_n(mbufs + made, kAtOnce, next);
      const Vector16 differences = (fields.DifferencesIn(next[0]) | fields.DifferencesIn(next[1])) |
                                   (fields.DifferencesIn(next[2]) | fields.DifferencesIn(next[3]));
      if (!IsZero(differences)) [[unlikely]] {
        for (uint32_t i = 0; i < kAtOnce; ++i) of.Prepare(next[i], fields);
      }
      for (uint32_t i = 0; i < kAtOnce; ++i) stamp.WriteNext(PayloadOf(next[i]));
    }
    for (; made < end; ++made) stamp.WriteNext(of.Prepare(mbufs[made], fields));
  }
}

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_FLOW_PACKET_RUN_H_

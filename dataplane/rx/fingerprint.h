// Whose packet it is, in eight bytes.
#ifndef WEIR_DATAPLANE_RX_FINGERPRINT_H_
#define WEIR_DATAPLANE_RX_FINGERPRINT_H_

#include <cstdint>

#include "dataplane/clock/clock.h"
#include "dataplane/rx/load.h"

namespace weir::dataplane {

namespace fingerprint {

// Each bit of both decides about each of the result, unless one of them is 0.
inline uint64_t Product(uint64_t a, uint64_t b) {
  const Uint128 product = Uint128{a} * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

}  // namespace fingerprint

// Of a test packet's addresses, ports and cookie, with its IP header, without options, at `ip`.
// Packets that differ in them have the same one with a probability of about 2^-64. It is no secret:
// that a packet is the flow's is known from its cookie, of which 40 bits are random.
template <bool kV6>
uint64_t Fingerprint(const uint8_t* ip) {
  using fingerprint::Product;
  // Digits of pi. The first one's first byte is no source address's, so that what the cookie is
  // multiplied with is not 0.
  constexpr uint64_t kPi[] = {0x243f6a8885a308ff, 0x13198a2e03707345, 0xa4093822299f31d1,
                              0x082efa98ec4e6c89, 0x452821e638d01377, 0xbe5466cf34e90c6d};
  if constexpr (kV6) {
    return Product(Load<uint64_t>(ip + 8) ^ kPi[0], Load<uint64_t>(ip + 48) ^ kPi[1]) +
           Product(Load<uint64_t>(ip + 16) ^ kPi[2], Load<uint64_t>(ip + 24) ^ kPi[3]) +
           Product(Load<uint64_t>(ip + 32) ^ kPi[4], Load<uint32_t>(ip + 40) ^ kPi[5]);
  } else {
    return Product(Load<uint64_t>(ip + 12) ^ kPi[0], Load<uint64_t>(ip + 28) ^ kPi[1]) +
           Load<uint32_t>(ip + 20) * kPi[2];
  }
}

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_RX_FINGERPRINT_H_

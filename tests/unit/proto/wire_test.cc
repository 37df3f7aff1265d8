#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <random>

#include "wire/byte_order.h"
#include "wire/signal_packet.h"
#include "wire/test_packet.h"

namespace weir::wire {
namespace {

TEST(ByteOrder, LiesInNetworkOrder) {
  const Be32 value = 0x01020304;
  uint8_t bytes[4];
  std::memcpy(bytes, &value, sizeof(bytes));
  EXPECT_EQ(bytes[0], 1);
  EXPECT_EQ(bytes[3], 4);
  EXPECT_EQ(uint32_t{value}, 0x01020304u);
}

TEST(Cookie, HoldsSlotAndRandomBits) {
  const uint64_t cookie = MakeCookie(0xABCDEF, ~uint64_t{0});
  EXPECT_EQ(CookieSlot(cookie), 0xABCDEFu);
  EXPECT_EQ(cookie & 0xFFFFFFFFFF, 0xFFFFFFFFFFu);
  Be64 wire = cookie;
  uint8_t first;
  std::memcpy(&first, &wire, 1);
  EXPECT_EQ(first, 0xAB);  // The slot comes first in the packet.
}

uint16_t Sum16(const uint8_t* bytes, size_t length) {
  uint32_t sum = 0;
  for (size_t i = 0; i < length; i += 2) sum += static_cast<uint32_t>(bytes[i] << 8 | bytes[i + 1]);
  while (sum >> 16 != 0) sum = (sum & 0xFFFF) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

TEST(ChecksumComplement, MakesTheVariableBytesSumToZero) {
  std::mt19937 random(1);
  for (int i = 0; i < 100'000; ++i) {
    TestPacket packet{};
    packet.sequence = static_cast<uint32_t>(random());
    packet.send_time = static_cast<uint32_t>(random());
    if (i == 0) packet.sequence = packet.send_time = 0;
    if (i == 1) packet.sequence = packet.send_time = 0xFFFFFFFF;
    packet.complement = ChecksumComplement(packet.sequence.raw(), packet.send_time.raw());
    const auto* bytes = reinterpret_cast<const uint8_t*>(&packet);
    ASSERT_EQ(Sum16(bytes + 8, 10), 0xFFFF) << "sequence " << uint32_t{packet.sequence};
  }
}

TEST(SignalHeader, SlotIsBigEndian24) {
  SignalHeader header{};
  SetSlot(header.slot, 0x010203);
  EXPECT_EQ(header.slot[0], 1);
  EXPECT_EQ(header.slot[2], 3);
  EXPECT_EQ(GetSlot(header.slot), 0x010203u);
}

TEST(SignalPackets, NeverAnswerWithMoreThanWasAsked) {
  EXPECT_LE(sizeof(ChallengePacket), sizeof(HelloPacket));
  EXPECT_LE(20 + 8 + sizeof(BeaconPacket), 64u);  // A probe on a silent path.
}

}  // namespace
}  // namespace weir::wire

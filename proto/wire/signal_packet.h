// Signals between two dataplanes: address proof and peer lease (proto/README.md sections 5.2
// to 5.5). They travel on the load's own 5-tuple and are told from test packets by their
// first three bytes, the slot that never names a flow.
#ifndef WEIR_PROTO_WIRE_SIGNAL_PACKET_H_
#define WEIR_PROTO_WIRE_SIGNAL_PACKET_H_

#include <cstddef>
#include <cstdint>

#include "wire/byte_order.h"
#include "wire/test_packet.h"

namespace weir::wire {

inline constexpr uint8_t kSignalVersion = 1;
inline constexpr size_t kMacBytes = 16;
inline constexpr size_t kSessionKeyBytes = 32;

enum class SignalType : uint8_t {
  kHello = 1,      // Receiver of load -> sender: prove my address.
  kChallenge = 2,  // Sender -> receiver.
  kProof = 3,      // Receiver -> sender.
  kBeacon = 4,     // Sender -> receiver, every 50 ms: a fresh nonce, the full-width time.
  kFeedback = 5,   // Receiver -> sender, every 10 ms: renews the peer lease.
  kEnd = 6,        // Bench, sender -> receiver: how many packets there were.
};

// Common to all signals.
struct [[gnu::packed]] SignalHeader {
  uint8_t marker[3];  // kSignalSlot.
  uint8_t version;
  uint8_t type;     // SignalType.
  uint8_t slot[3];  // Of the flow end this packet is *for*, big-endian.
  Be32 generation;  // Of that flow end.
};
static_assert(sizeof(SignalHeader) == 12);

struct [[gnu::packed]] HelloPacket {
  SignalHeader header;
  uint8_t padding[36];  // Zero; a HELLO is never shorter than its CHALLENGE.
};

struct [[gnu::packed]] ChallengePacket {
  SignalHeader header;
  uint8_t reserved[4];
  Be64 time;               // Sender's clock, ns; echoed in the proof.
  uint8_t mac[kMacBytes];  // ChallengeInput under the sender's boot secret.
};
static_assert(sizeof(ChallengePacket) == 40);
static_assert(sizeof(HelloPacket) >= sizeof(ChallengePacket));

struct [[gnu::packed]] ProofPacket {
  SignalHeader header;
  uint8_t reserved[4];
  Be64 time;               // As in the challenge.
  uint8_t mac[kMacBytes];  // ProofInput under the session key.
};
static_assert(sizeof(ProofPacket) == 40);

// 32 bytes: 60 behind IPv4, so that a probe on a silent path is at most 64 bytes.
struct [[gnu::packed]] BeaconPacket {
  SignalHeader header;
  Be32 sequence_high;  // High 32 bits of the next sequence number.
  Be64 nonce;          // Random; accepted in feedback for 3 s.
  Be64 send_time;      // Full width, ns since the Unix epoch.
};
static_assert(sizeof(BeaconPacket) == 32);

struct [[gnu::packed]] FeedbackPacket {
  SignalHeader header;
  uint8_t reserved[4];
  Be64 counter;            // Rises with each feedback of a flow; an old one is ignored.
  Be64 nonce;              // Of the newest beacon.
  Be64 received;           // Distinct test packets so far.
  Be64 highest_sequence;   // Full width, plus one; 0: none yet.
  uint8_t mac[kMacBytes];  // The bytes before it, under the session key.
};
static_assert(sizeof(FeedbackPacket) == 64);

// Of a bench flow (section 5.5), when it has ended.
struct [[gnu::packed]] EndPacket {
  SignalHeader header;
  uint8_t reserved[4];
  Be64 final_sequence;     // Next unused sequence number: packets sent.
  uint8_t mac[kMacBytes];  // The bytes before it, under the session key.
};
static_assert(sizeof(EndPacket) == 40);

// Stands for the generation of a bench's receiving end, which its sender cannot know.
inline constexpr uint32_t kBenchGeneration = 0xFFFFFFFF;

// What the challenge's MAC is taken over. Addresses are 16 bytes, IPv4 as v4-mapped.
struct [[gnu::packed]] ChallengeInput {
  char label[8] = {'w', 'e', 'i', 'r', '-', 'c', 'h', '1'};
  Be32 slot;
  Be32 generation;
  uint8_t receiver_ip[16];
  uint8_t sender_ip[16];
  Be16 receiver_port;
  Be16 sender_port;
  Be64 time;
};

// What the proof's MAC is taken over: never sent itself, so an echo proves nothing.
struct [[gnu::packed]] ProofInput {
  char label[8] = {'w', 'e', 'i', 'r', '-', 'p', 'r', '1'};
  Be32 slot;
  Be32 generation;
  Be64 time;
  uint8_t challenge[kMacBytes];
};

// Timers of section 5.4, ns.
inline constexpr uint64_t kProofLifetimeNs = 2'000'000'000;
inline constexpr uint64_t kHelloIntervalNs = 100'000'000;
inline constexpr uint64_t kBeaconIntervalNs = 50'000'000;
inline constexpr uint64_t kNonceLifetimeNs = 3'000'000'000;
inline constexpr uint64_t kFeedbackIntervalNs = 10'000'000;
inline constexpr uint64_t kPeerLeaseNs = 250'000'000;
inline constexpr uint64_t kFirstFeedbackNs = 2'000'000'000;
inline constexpr uint64_t kProbeIntervalNs = 100'000'000;
inline constexpr uint64_t kProbeTimeNs = 2'000'000'000;
// Section 5.5: an END is sent so often, so far apart.
inline constexpr uint32_t kEndRepeats = 5;
inline constexpr uint64_t kEndIntervalNs = 20'000'000;

constexpr void SetSlot(uint8_t (&field)[3], uint32_t slot) {
  field[0] = static_cast<uint8_t>(slot >> 16);
  field[1] = static_cast<uint8_t>(slot >> 8);
  field[2] = static_cast<uint8_t>(slot);
}
constexpr uint32_t GetSlot(const uint8_t (&field)[3]) {
  return (uint32_t{field[0]} << 16) | (uint32_t{field[1]} << 8) | field[2];
}

}  // namespace weir::wire

#endif  // WEIR_PROTO_WIRE_SIGNAL_PACKET_H_

#include "dataplane/slowpath/proof.h"

#include <sodium.h>

#include <cstring>

namespace weir::dataplane {

static_assert(crypto_generichash_BYTES_MIN <= wire::kMacBytes);

Mac ComputeMac(const SecretKey& key, std::span<const uint8_t> bytes) {
  Mac mac;
  crypto_generichash(mac.data(), mac.size(), bytes.data(), bytes.size(), key.data(), key.size());
  return mac;
}

bool MacEquals(const Mac& expected, const uint8_t (&actual)[wire::kMacBytes]) {
  return sodium_memcmp(expected.data(), actual, expected.size()) == 0;
}

Mac ChallengeMac(const SecretKey& boot_secret, const FlowSpec& tx, const UdpEndpoint& receiver,
                 uint64_t time_ns) {
  wire::ChallengeInput input;
  input.slot = tx.slot;
  input.generation = tx.generation;
  const Ip6Bytes receiver_ip = receiver.ip.mapped();
  const Ip6Bytes sender_ip = tx.local.ip.mapped();
  std::memcpy(input.receiver_ip, receiver_ip.data(), receiver_ip.size());
  std::memcpy(input.sender_ip, sender_ip.data(), sender_ip.size());
  input.receiver_port = receiver.port;
  input.sender_port = tx.local.port;
  input.time = time_ns;
  return ComputeMac(boot_secret, {reinterpret_cast<const uint8_t*>(&input), sizeof(input)});
}

Mac ProofMac(const SecretKey& session_key, uint32_t slot, uint32_t generation, uint64_t time_ns,
             const uint8_t (&challenge)[wire::kMacBytes]) {
  wire::ProofInput input;
  input.slot = slot;
  input.generation = generation;
  input.time = time_ns;
  std::memcpy(input.challenge, challenge, sizeof(challenge));
  return ComputeMac(session_key, {reinterpret_cast<const uint8_t*>(&input), sizeof(input)});
}

wire::SignalHeader MakeSignalHeader(wire::SignalType type, const FlowSpec& spec) {
  wire::SignalHeader header{};
  wire::SetSlot(header.marker, wire::kSignalSlot);
  header.version = wire::kSignalVersion;
  header.type = static_cast<uint8_t>(type);
  wire::SetSlot(header.slot, spec.peer_slot);
  header.generation = spec.peer_generation;
  return header;
}

}  // namespace weir::dataplane

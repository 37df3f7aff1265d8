// The address proof (proto/README.md section 5.2) and the MACs of all signals.
#ifndef WEIR_DATAPLANE_SLOWPATH_PROOF_H_
#define WEIR_DATAPLANE_SLOWPATH_PROOF_H_

#include <array>
#include <cstdint>
#include <span>

#include "dataplane/flow/flow_spec.h"
#include "wire/signal_packet.h"

namespace weir::dataplane {

using SecretKey = std::array<uint8_t, wire::kSessionKeyBytes>;
using Mac = std::array<uint8_t, wire::kMacBytes>;

// BLAKE2b-128 (RFC 7693), keyed.
Mac ComputeMac(const SecretKey& key, std::span<const uint8_t> bytes);
// In constant time.
bool MacEquals(const Mac& expected, const uint8_t (&actual)[wire::kMacBytes]);

// The challenge a TX end, which keeps no state for it, gives to `receiver`.
Mac ChallengeMac(const SecretKey& boot_secret, const FlowSpec& tx, const UdpEndpoint& receiver,
                 uint64_t time_ns);

// What answers the challenge. slot and generation: the TX end's.
Mac ProofMac(const SecretKey& session_key, uint32_t slot, uint32_t generation, uint64_t time_ns,
             const uint8_t (&challenge)[wire::kMacBytes]);

// The header of a signal for the peer of `spec`.
wire::SignalHeader MakeSignalHeader(wire::SignalType type, const FlowSpec& spec);

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_SLOWPATH_PROOF_H_

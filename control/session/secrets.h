// Session keys and cookies, from libsodium's CSPRNG.
#ifndef WEIR_CONTROL_SESSION_SECRETS_H_
#define WEIR_CONTROL_SESSION_SECRETS_H_

#include <sodium.h>

#include <cstdint>
#include <string>

#include "wire/signal_packet.h"
#include "wire/test_packet.h"

namespace weir::control {

inline std::string NewSessionKey() {
  std::string key(wire::kSessionKeyBytes, '\0');
  randombytes_buf(key.data(), key.size());
  return key;
}

inline uint64_t NewCookie(uint32_t receiver_slot) {
  uint64_t random;
  randombytes_buf(&random, sizeof(random));
  return wire::MakeCookie(receiver_slot, random);
}

}  // namespace weir::control

#endif  // WEIR_CONTROL_SESSION_SECRETS_H_

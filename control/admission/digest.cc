#include "control/admission/digest.h"

#include <sodium.h>

#include <array>

namespace weir::control {

std::string Sha256Digest(std::string_view bytes) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> hash;
  crypto_hash_sha256(hash.data(), reinterpret_cast<const unsigned char*>(bytes.data()),
                     bytes.size());
  std::string result = "sha256:";
  constexpr char kHex[] = "0123456789abcdef";
  for (unsigned char byte : hash) {
    result += kHex[byte >> 4];
    result += kHex[byte & 15];
  }
  return result;
}

}  // namespace weir::control

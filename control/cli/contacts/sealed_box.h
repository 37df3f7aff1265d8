// Keys of contact details, and what is sealed to them: libsodium's crypto_box_seal.
#ifndef WEIR_CONTROL_CLI_CONTACTS_SEALED_BOX_H_
#define WEIR_CONTROL_CLI_CONTACTS_SEALED_BOX_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace weir::cli {

// X25519. The secret half never leaves the researcher's machine.
struct ContactKey {
  std::string public_key;  // 32 bytes each.
  std::string secret_key;

  static ContactKey Generate();
  // A file of one line, as Save writes it. Errors name the file and what is wrong with it.
  static absl::StatusOr<ContactKey> Load(const std::string& path);
  // Mode 0600. AlreadyExists: a key that is there may be the only way to read something.
  absl::Status Save(const std::string& path) const;

  std::string PublicText() const;  // Base64: as a policy names it.
};

std::string KeyDigest(const std::string& public_key);  // "sha256:<hex>".

// nullopt: not a public key.
std::optional<std::string> Seal(const std::string& text, const std::string& public_key);
// nullopt: sealed to another key, or damaged.
std::optional<std::string> Unseal(const std::string& sealed, const ContactKey& key);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_CONTACTS_SEALED_BOX_H_

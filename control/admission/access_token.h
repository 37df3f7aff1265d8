// Access tokens: signed JWTs (RFC 7519) as M-Lab's locate service issues them.
#ifndef WEIR_CONTROL_ADMISSION_ACCESS_TOKEN_H_
#define WEIR_CONTROL_ADMISSION_ACCESS_TOKEN_H_

#include <openssl/evp.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "config/v1/config.pb.h"
#include "control/admission/observed_use.h"

namespace weir::control {

// What a token that verified says.
struct AccessToken {
  std::string issuer;
  std::string subject;  // The experiment it is for.
  std::string id;       // jti: good for one use.
  int64_t expires_unix_s = 0;
};

// Immutable; thread-safe. The algorithm is the key's, never the token's choice.
class TokenVerifier {
 public:
  static constexpr int64_t kMaxLifetimeSeconds = 3600;  // So that replays need not be kept longer.

  // Reads the keys. InvalidArgument names issuer, key and what is wrong.
  static absl::StatusOr<std::unique_ptr<TokenVerifier>> Load(
      const google::protobuf::RepeatedPtrField<config::v1::TokenIssuer>& issuers);

  // Unauthenticated says which part of the token does not hold, and what to do.
  absl::StatusOr<AccessToken> Verify(std::string_view token, int64_t now_unix_s) const;

 private:
  struct FreeKey {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  };
  struct Key {
    std::string algorithm;
    std::string issuer;
    std::string audience;
    std::unique_ptr<EVP_PKEY, FreeKey> key;
  };

  absl::Status Add(const config::v1::TokenIssuer& issuer, const config::v1::TokenKey& key);

  std::map<std::string, Key, std::less<>> keys_;  // By kid.
};

// Tokens that were used and have not expired. Thread-safe.
class UsedTokens {
 public:
  // False: it was used before, or more are remembered than can be.
  bool Use(const UseKey& key, int64_t expires_unix_s, int64_t now_unix_s);

 private:
  static constexpr size_t kMax = 1'000'000;

  std::mutex mutex_;
  std::map<UseKey, int64_t> expiries_;
  int64_t swept_unix_s_ = 0;
};

// What a token is remembered by: a hash of issuer and jti.
UseKey TokenKeyOf(const AccessToken& token);

}  // namespace weir::control

#endif  // WEIR_CONTROL_ADMISSION_ACCESS_TOKEN_H_

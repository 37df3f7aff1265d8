#include "control/admission/access_token.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/pem.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "control/config/text_proto.h"

namespace weir::control {
namespace {

using google::protobuf::Struct;

constexpr size_t kMaxTokenBytes = 8192;
constexpr size_t kMaxClaimBytes = 256;
constexpr int64_t kClockSkewSeconds = 5;
constexpr int64_t kSweepSeconds = 60;
constexpr int kMinRsaBits = 2048;
constexpr size_t kEs256Bytes = 64;

absl::Status Refused(const std::string& what) {
  return absl::UnauthenticatedError(absl::StrCat(what, "; get a new token from its issuer"));
}

// RFC 7515 section 2: the URL-safe alphabet, no padding, nothing else.
absl::StatusOr<std::string> Decode(std::string_view text, const char* part) {
  const bool clean = std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return (std::isalnum(c) && c < 0x80) || c == '-' || c == '_';
  });
  std::string bytes;
  if (text.empty() || !clean ||
      !absl::WebSafeBase64Unescape(absl::string_view(text.data(), text.size()), &bytes)) {
    return Refused(absl::StrCat("its ", part, " is not base64url"));
  }
  return bytes;
}

absl::StatusOr<Struct> DecodeJson(std::string_view text, const char* part) {
  auto bytes = Decode(text, part);
  if (!bytes.ok()) return bytes.status();
  Struct object;
  if (!google::protobuf::util::JsonStringToMessage(*bytes, &object).ok()) {
    return Refused(absl::StrCat("its ", part, " is not a JSON object"));
  }
  return object;
}

const google::protobuf::Value* Find(const Struct& object, const std::string& name) {
  const auto found = object.fields().find(name);
  return found == object.fields().end() ? nullptr : &found->second;
}

std::string Text(const Struct& object, const std::string& name) {
  const google::protobuf::Value* value = Find(object, name);
  return value == nullptr ? "" : value->string_value();
}

// Absent: `otherwise`. Present and no sensible number: an error.
absl::StatusOr<int64_t> Seconds(const Struct& claims, const std::string& name, int64_t otherwise) {
  const google::protobuf::Value* value = Find(claims, name);
  if (value == nullptr) return otherwise;
  constexpr double kMost = 1e12;
  const double number = value->number_value();
  if (value->kind_case() != google::protobuf::Value::kNumberValue || !std::isfinite(number) ||
      number < 0 || number > kMost) {
    return Refused(absl::StrCat(name, ": not a time"));
  }
  return static_cast<int64_t>(number);
}

bool IsFor(const Struct& claims, const std::string& audience) {
  const google::protobuf::Value* value = Find(claims, "aud");
  if (value == nullptr) return false;
  if (value->kind_case() == google::protobuf::Value::kStringValue) {
    return value->string_value() == audience;
  }
  const auto& values = value->list_value().values();
  return std::any_of(values.begin(), values.end(),
                     [&](const auto& one) { return one.string_value() == audience; });
}

// JWS has the two numbers of an ECDSA signature side by side, OpenSSL wants them in DER.
std::string ToDer(const std::string& raw) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(raw.data());
  constexpr int kHalf = static_cast<int>(kEs256Bytes / 2);
  std::unique_ptr<ECDSA_SIG, void (*)(ECDSA_SIG*)> signature(ECDSA_SIG_new(), ECDSA_SIG_free);
  BIGNUM* r = BN_bin2bn(bytes, kHalf, nullptr);
  BIGNUM* s = BN_bin2bn(bytes + kHalf, kHalf, nullptr);
  if (signature == nullptr || r == nullptr || s == nullptr ||
      ECDSA_SIG_set0(signature.get(), r, s) != 1) {
    BN_free(r);
    BN_free(s);
    return "";
  }
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &der);
  std::string result(reinterpret_cast<char*>(der), size > 0 ? static_cast<size_t>(size) : 0);
  OPENSSL_free(der);
  return result;
}

bool SignatureHolds(EVP_PKEY* key, const std::string& algorithm, std::string_view signed_text,
                    std::string signature) {
  if (algorithm == "ES256") {
    if (signature.size() != kEs256Bytes) return false;
    signature = ToDer(signature);
  }
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  const EVP_MD* digest = algorithm == "EdDSA" ? nullptr : EVP_sha256();
  return context != nullptr &&
         EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key) == 1 &&
         EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                          signature.size(),
                          reinterpret_cast<const unsigned char*>(signed_text.data()),
                          signed_text.size()) == 1;
}

// What is wrong with a key for its algorithm; empty if nothing is.
std::string KeyFault(EVP_PKEY* key, const std::string& algorithm) {
  if (algorithm == "EdDSA") {
    return EVP_PKEY_id(key) == EVP_PKEY_ED25519 ? "" : "not an Ed25519 key";
  }
  if (algorithm == "RS256") {
    if (EVP_PKEY_id(key) != EVP_PKEY_RSA) return "not an RSA key";
    return EVP_PKEY_bits(key) >= kMinRsaBits ? "" : "an RSA key of less than 2048 bits";
  }
  if (algorithm == "ES256") {
    std::array<char, 64> curve{};
    const bool p256 = EVP_PKEY_id(key) == EVP_PKEY_EC &&
                      EVP_PKEY_get_group_name(key, curve.data(), curve.size(), nullptr) == 1 &&
                      std::string_view(curve.data()) == "prime256v1";
    return p256 ? "" : "not a P-256 key";
  }
  return "";
}

}  // namespace

absl::StatusOr<std::unique_ptr<TokenVerifier>> TokenVerifier::Load(
    const google::protobuf::RepeatedPtrField<config::v1::TokenIssuer>& issuers) {
  auto verifier = std::make_unique<TokenVerifier>();
  for (const config::v1::TokenIssuer& issuer : issuers) {
    const std::string field = absl::StrCat("token_issuer \"", issuer.issuer(), "\": ");
    if (issuer.issuer().empty()) {
      return absl::InvalidArgumentError(
          "token_issuer.issuer: required: what its tokens have as iss");
    }
    if (issuer.audience().empty()) return absl::InvalidArgumentError(field + "audience: required");
    if (issuer.key().empty()) return absl::InvalidArgumentError(field + "key: at least one");
    for (const config::v1::TokenKey& key : issuer.key()) {
      if (absl::Status status = verifier->Add(issuer, key); !status.ok()) {
        return absl::InvalidArgumentError(
            absl::StrCat(field, "key \"", key.kid(), "\": ", status.message()));
      }
    }
  }
  return verifier;
}

absl::Status TokenVerifier::Add(const config::v1::TokenIssuer& issuer,
                                const config::v1::TokenKey& key) {
  if (key.kid().empty())
    return absl::InvalidArgumentError("kid: required: names the key in tokens");
  if (keys_.contains(key.kid())) return absl::InvalidArgumentError("kid: used by another key");
  if (key.algorithm() != "EdDSA" && key.algorithm() != "ES256" && key.algorithm() != "RS256") {
    return absl::InvalidArgumentError("algorithm: allowed: EdDSA, ES256, RS256");
  }
  const auto text = ReadTextFile(key.public_key());
  if (!text.ok()) return text.status();
  std::unique_ptr<BIO, int (*)(BIO*)> bio(
      BIO_new_mem_buf(text->data(), static_cast<int>(text->size())), BIO_free);
  std::unique_ptr<EVP_PKEY, FreeKey> parsed(
      PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr));
  if (parsed == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("public_key: ", key.public_key(), " holds no public key in PEM"));
  }
  if (std::string fault = KeyFault(parsed.get(), key.algorithm()); !fault.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("public_key: ", fault));
  }
  keys_.emplace(key.kid(), Key{.algorithm = key.algorithm(),
                               .issuer = issuer.issuer(),
                               .audience = issuer.audience(),
                               .key = std::move(parsed)});
  return absl::OkStatus();
}

absl::StatusOr<AccessToken> TokenVerifier::Verify(std::string_view token,
                                                  int64_t now_unix_s) const {
  const size_t first = token.find('.');
  const size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (token.size() > kMaxTokenBytes || second == std::string_view::npos) {
    return Refused("it is not a signed JWT of at most 8 KiB");
  }
  const auto header = DecodeJson(token.substr(0, first), "header");
  if (!header.ok()) return header.status();
  const auto found = keys_.find(Text(*header, "kid"));
  if (found == keys_.end()) return Refused("kid: no key of this name is trusted here");
  const Key& key = found->second;
  if (Text(*header, "alg") != key.algorithm) {
    return Refused(absl::StrCat("alg: this key signs with ", key.algorithm, " only"));
  }
  if (Find(*header, "crit") != nullptr) return Refused("crit: no extension is understood here");
  const auto signature = Decode(token.substr(second + 1), "signature");
  if (!signature.ok()) return signature.status();
  if (!SignatureHolds(key.key.get(), key.algorithm, token.substr(0, second), *signature)) {
    return Refused("its signature does not verify");
  }

  const auto claims = DecodeJson(token.substr(first + 1, second - first - 1), "payload");
  if (!claims.ok()) return claims.status();
  if (Text(*claims, "iss") != key.issuer) {
    return Refused(absl::StrCat("iss: this key is of issuer \"", key.issuer, "\""));
  }
  if (!IsFor(*claims, key.audience)) {
    return Refused(absl::StrCat("aud: it is not for this server (\"", key.audience, "\")"));
  }
  const auto expires = Seconds(*claims, "exp", 0);
  if (!expires.ok()) return expires.status();
  if (*expires + kClockSkewSeconds <= now_unix_s) return Refused("exp: missing, or it has expired");
  if (*expires > now_unix_s + kMaxLifetimeSeconds) {
    return Refused("exp: more than an hour ahead; tokens here live for an hour at most");
  }
  for (const char* name : {"nbf", "iat"}) {
    const auto from = Seconds(*claims, name, 0);
    if (!from.ok()) return from.status();
    if (*from > now_unix_s + kClockSkewSeconds)
      return Refused(absl::StrCat(name, ": in the future"));
  }
  AccessToken result{.issuer = key.issuer,
                     .subject = Text(*claims, "sub"),
                     .id = Text(*claims, "jti"),
                     .expires_unix_s = *expires};
  if (result.subject.empty() || result.subject.size() > kMaxClaimBytes) {
    return Refused("sub: required: the experiment it is for");
  }
  if (result.id.empty() || result.id.size() > kMaxClaimBytes) {
    return Refused("jti: required, so that it can be used once only");
  }
  return result;
}

bool UsedTokens::Use(const UseKey& key, int64_t expires_unix_s, int64_t now_unix_s) {
  const std::lock_guard lock(mutex_);
  if (now_unix_s > swept_unix_s_ + kSweepSeconds) {
    swept_unix_s_ = now_unix_s;
    std::erase_if(expiries_, [&](const auto& entry) {
      return entry.second + kClockSkewSeconds <= now_unix_s;
    });
  }
  return expiries_.size() < kMax && expiries_.emplace(key, expires_unix_s).second;
}

UseKey TokenKeyOf(const AccessToken& token) { return MakeUseKey("token", token.issuer, token.id); }

}  // namespace weir::control

#include "control/admission/access_token.h"

#include <gtest/gtest.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "control/admission/admission.h"
#include "tests/unit/control/config/temp_dir.h"

namespace weir::control {
namespace {

constexpr int64_t kNow = 1'795'000'000;

std::string Encode(const std::string& bytes) {
  std::string text;
  absl::WebSafeBase64Escape(bytes, &text);
  return std::string(text.substr(0, text.find_last_not_of('=') + 1));
}

// A key pair that signs as an issuer would.
class Signer {
 public:
  explicit Signer(std::string algorithm)
      : algorithm_(std::move(algorithm)),
        key_(algorithm_ == "EdDSA"   ? EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")
             : algorithm_ == "ES256" ? EVP_EC_gen("P-256")
                                     : EVP_RSA_gen(2048)) {}
  ~Signer() { EVP_PKEY_free(key_); }
  Signer(const Signer&) = delete;
  Signer& operator=(const Signer&) = delete;

  std::string PublicPem() const {
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(bio, key_);
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    std::string pem(data, static_cast<size_t>(size));
    BIO_free(bio);
    return pem;
  }
  const std::string& algorithm() const { return algorithm_; }

  std::string Sign(const std::string& header, const std::string& payload) const {
    const std::string text = Encode(header) + "." + Encode(payload);
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    EVP_DigestSignInit(context, nullptr, algorithm_ == "EdDSA" ? nullptr : EVP_sha256(), nullptr,
                       key_);
    size_t size = 0;
    EVP_DigestSign(context, nullptr, &size, bytes, text.size());
    std::string signature(size, '\0');
    EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &size, bytes,
                   text.size());
    EVP_MD_CTX_free(context);
    signature.resize(size);
    if (algorithm_ == "ES256") signature = Raw(signature);
    return text + "." + Encode(signature);
  }

 private:
  static std::string Raw(const std::string& der) {
    const auto* at = reinterpret_cast<const unsigned char*>(der.data());
    ECDSA_SIG* signature = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
    std::string raw(64, '\0');
    auto* bytes = reinterpret_cast<unsigned char*>(raw.data());
    BN_bn2binpad(ECDSA_SIG_get0_r(signature), bytes, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(signature), bytes + 32, 32);
    ECDSA_SIG_free(signature);
    return raw;
  }

  const std::string algorithm_;
  EVP_PKEY* const key_;
};

std::string Header(const std::string& algorithm) {
  return absl::StrCat("{\"alg\":\"", algorithm, "\",\"kid\":\"k-", algorithm,
                      "\",\"typ\":\"JWT\"}");
}

constexpr char kClaims[] =
    R"({"iss":"locate","aud":["mlab1.example","other"],"sub":"weir","jti":"j1","exp":1795000060})";

std::string Changed(const char* from, const char* to) {
  const std::string changed = absl::StrReplaceAll(kClaims, {{from, to}});
  EXPECT_NE(changed, kClaims) << from;
  return changed;
}

class AccessTokenTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    for (const char* algorithm : {"EdDSA", "ES256", "RS256"})
      signers_.emplace_back(new Signer(algorithm));
  }
  static void TearDownTestSuite() { signers_.clear(); }

  AccessTokenTest() {
    config::v1::Config config;
    config::v1::TokenIssuer& issuer = *config.add_token_issuer();
    issuer.set_issuer("locate");
    issuer.set_audience("mlab1.example");
    for (const auto& signer : signers_) {
      config::v1::TokenKey& key = *issuer.add_key();
      key.set_kid("k-" + signer->algorithm());
      key.set_algorithm(signer->algorithm());
      key.set_public_key(dir_.Write(signer->algorithm(), signer->PublicPem()));
    }
    auto verifier = TokenVerifier::Load(config.token_issuer());
    EXPECT_TRUE(verifier.ok()) << verifier.status();
    verifier_ = *std::move(verifier);
  }

  const Signer& Eddsa() const { return *signers_[0]; }
  std::string Why(const std::string& token) const {
    const auto verified = verifier_->Verify(token, kNow);
    EXPECT_TRUE(verified.ok() || absl::IsUnauthenticated(verified.status()));
    return verified.ok() ? "valid" : std::string(verified.status().message());
  }
  void ExpectRefused(const std::string& token, const std::string& why) const {
    EXPECT_EQ(Why(token).rfind(why, 0), 0u) << Why(token) << "\nexpected " << why;
  }

  static inline std::vector<std::unique_ptr<Signer>> signers_;
  const TempDir dir_;
  std::unique_ptr<TokenVerifier> verifier_;
};

TEST_F(AccessTokenTest, TakesEachAlgorithm) {
  for (const auto& signer : signers_) {
    const auto token = verifier_->Verify(signer->Sign(Header(signer->algorithm()), kClaims), kNow);
    ASSERT_TRUE(token.ok()) << signer->algorithm() << token.status();
    EXPECT_EQ(token->issuer, "locate");
    EXPECT_EQ(token->subject, "weir");
    EXPECT_EQ(token->id, "j1");
    EXPECT_EQ(token->expires_unix_s, kNow + 60);
  }
  EXPECT_EQ(Why(Eddsa().Sign(Header("EdDSA"),
                             Changed("[\"mlab1.example\",\"other\"]", "\"mlab1.example\""))),
            "valid");
}

TEST_F(AccessTokenTest, TheKeyNamesTheAlgorithmNotTheToken) {
  const std::string payload = kClaims;
  // alg:none, with and without an empty signature.
  for (const char* none : {"none", "None", "NONE", ""}) {
    const std::string header = absl::StrCat("{\"alg\":\"", none, "\",\"kid\":\"k-EdDSA\"}");
    ExpectRefused(Encode(header) + "." + Encode(payload) + ".", "alg: this key signs with EdDSA");
    ExpectRefused(Encode(header) + "." + Encode(payload), "it is not a signed JWT");
  }
  // An HMAC under the public key: the classic confusion.
  ExpectRefused(Eddsa().Sign(R"({"alg":"HS256","kid":"k-RS256"})", payload),
                "alg: this key signs with RS256 only");
  ExpectRefused(Eddsa().Sign(R"({"alg":"EdDSA","kid":"k-ES256"})", payload), "alg: ");
  ExpectRefused(Eddsa().Sign(R"({"alg":"ES256","kid":"k-ES256"})", payload),
                "its signature does not verify");
}

TEST_F(AccessTokenTest, UnknownOrForeignKeys) {
  ExpectRefused(Eddsa().Sign(R"({"alg":"EdDSA","kid":"k-new"})", kClaims), "kid: no key");
  ExpectRefused(Eddsa().Sign(R"({"alg":"EdDSA"})", kClaims), "kid: no key");
  ExpectRefused(Eddsa().Sign(R"({"alg":"EdDSA","kid":"k-EdDSA","crit":["b64"]})", kClaims),
                "crit:");
  const Signer mallory("EdDSA");
  ExpectRefused(mallory.Sign(Header("EdDSA"), kClaims), "its signature does not verify");
}

TEST_F(AccessTokenTest, NothingSignedCanBeChanged) {
  const std::string token = Eddsa().Sign(Header("EdDSA"), kClaims);
  const std::string other = Eddsa().Sign(Header("EdDSA"), Changed("j1", "j2"));
  const size_t signature = token.rfind('.');
  ExpectRefused(other.substr(0, other.rfind('.')) + token.substr(signature),
                "its signature does not verify");
  for (const std::string& bad :
       {std::string(), std::string("."), std::string(".."), std::string("a.b.c"), token + "=",
        token + ".x", token.substr(0, signature + 1), std::string(9000, 'a')}) {
    EXPECT_NE(Why(bad), "valid") << bad;
  }
}

TEST_F(AccessTokenTest, EveryClaimMustHold) {
  const struct {
    const char* from;
    const char* to;
    const char* why;
  } kCases[] = {
      {"\"locate\"", "\"other\"", "iss: "},
      {"mlab1.example", "mlab2.example", "aud: "},
      {"\"aud\"", "\"xud\"", "aud: "},
      {"1795000060", "1794999990", "exp: missing, or it has expired"},
      {"\"exp\"", "\"xxp\"", "exp: missing"},
      {"1795000060", "\"soon\"", "exp: not a time"},
      {"1795000060", "1e300", "exp: not a time"},
      {"1795000060", "1795003700", "exp: more than an hour ahead"},
      {"\"jti\":\"j1\",", "\"nbf\":1795000030,\"jti\":\"j1\",", "nbf: in the future"},
      {"\"jti\":\"j1\",", "\"iat\":1795000030,\"jti\":\"j1\",", "iat: in the future"},
      {"\"jti\":\"j1\",", "", "jti: required"},
      {"\"sub\":\"weir\",", "", "sub: required"},
      {"{", "[", "its payload is not a JSON object"},
  };
  for (const auto& c : kCases) {
    ExpectRefused(Eddsa().Sign(Header("EdDSA"), Changed(c.from, c.to)), c.why);
  }
}

TEST_F(AccessTokenTest, FaultsOfTheConfiguration) {
  const std::string ed = dir_.File("EdDSA");
  const std::string nonsense = dir_.Write("nonsense", "not a key");
  const auto fault = [&](const std::string& kid, const std::string& algorithm,
                         const std::string& file) {
    config::v1::Config config;
    config::v1::TokenIssuer& issuer = *config.add_token_issuer();
    issuer.set_issuer("locate");
    issuer.set_audience("a");
    for (int i = 0; i < (kid == "twice" ? 2 : 1); ++i) {
      issuer.add_key()->set_kid(kid);
      issuer.mutable_key(i)->set_algorithm(algorithm);
      issuer.mutable_key(i)->set_public_key(file);
    }
    return std::string(TokenVerifier::Load(config.token_issuer()).status().message());
  };
  EXPECT_EQ(fault("k", "EdDSA", ed), "");
  EXPECT_NE(fault("", "EdDSA", ed).find("kid: required"), std::string::npos);
  EXPECT_NE(fault("twice", "EdDSA", ed).find("kid: used by another"), std::string::npos);
  EXPECT_NE(fault("k", "none", ed).find("allowed: EdDSA, ES256, RS256"), std::string::npos);
  EXPECT_NE(fault("k", "ES256", ed).find("not a P-256 key"), std::string::npos);
  EXPECT_NE(fault("k", "RS256", ed).find("not an RSA key"), std::string::npos);
  EXPECT_NE(fault("k", "EdDSA", nonsense).find("no public key"), std::string::npos);
  EXPECT_NE(fault("k", "EdDSA", "/nonexistent").find("No such file"), std::string::npos);
}

TEST_F(AccessTokenTest, ATokenIsAnIdentityForOneRequestOfItsExperiment) {
  Admission admission({.operator_name = "o",
                       .contact = "c",
                       .tokens = verifier_.get(),
                       .unix_ns = [] { return kNow * 1'000'000'000; }},
                      *Policy::Parse("p", R"(profile: "lab"
    admission { name: "tokens" effect: ALLOW match { identity: "token:weir" } }
    export { name: "all" effect: ALLOW address: "none" release_class: "public" })"));
  admission.SetPorts({{.name = "p", .budget_bps = 1'000'000'000, .mtu = 1500}});
  AdmissionRequest request;
  request.peer_addresses = {"192.0.2.1"};
  request.experiment = "weir";
  request.port = "p";
  auto& direction = request.directions.emplace_back();
  direction.set_direction(record::v1::DOWN);
  auto* parameters = direction.mutable_parameters();
  parameters->set_rate_bps(1'000'000);
  parameters->set_duration_ns(1'000'000'000);
  parameters->set_streams(1);
  parameters->set_ip_version(4);
  parameters->add_payload()->set_udp_payload_bytes(1000);
  parameters->mutable_payload(0)->set_weight(1);
  const auto refusal = [&] {
    const AdmissionDecision decision = admission.Decide(request);
    const auto* rejection = std::get_if<measurement::v1::Rejection>(&decision);
    return rejection == nullptr
               ? std::string("granted")
               : rejection->stage() + "/" + rejection->rule() + ": " + rejection->message();
  };
  EXPECT_EQ(refusal().rfind("decide/default_deny", 0), 0u) << "anonymous";
  request.identity = "certificate:weir";
  EXPECT_EQ(refusal().rfind("decide/default_deny", 0), 0u);

  request.access_token = Eddsa().Sign(Header("EdDSA"), kClaims);
  request.experiment = "other";
  EXPECT_EQ(refusal().rfind("identify/access_token: sub: ", 0), 0u) << refusal();
  request.experiment = "weir";
  EXPECT_EQ(refusal(), "granted");
  EXPECT_EQ(refusal().rfind("identify/access_token: jti: the token was used before", 0), 0u);
  // The same jti in another token is the same token.
  request.access_token = Eddsa().Sign(Header("EdDSA"), Changed("060", "061"));
  EXPECT_EQ(refusal().rfind("identify/access_token: jti: ", 0), 0u);
  request.access_token = Eddsa().Sign(Header("EdDSA"), Changed("j1", "j2"));
  AdmissionDecision decision = admission.Decide(request);
  ASSERT_TRUE(std::holds_alternative<AdmissionGrant>(decision));
  const auto used = std::get<AdmissionGrant>(decision).token;
  ASSERT_TRUE(used.has_value());

  // Nor after a restart.
  Admission restarted({.operator_name = "o",
                       .contact = "c",
                       .tokens = verifier_.get(),
                       .unix_ns = [] { return kNow * 1'000'000'000; }},
                      admission.policy());
  restarted.RestoreTokens({*used});
  decision = restarted.Decide(request);
  ASSERT_TRUE(std::holds_alternative<measurement::v1::Rejection>(decision));
  EXPECT_EQ(std::get<measurement::v1::Rejection>(decision).rule(), kAccessTokenRule);
}

TEST(UsedTokensTest, ForgetsWhatHasExpired) {
  UsedTokens used;
  EXPECT_TRUE(used.Use({1, 1}, 100, 50));
  EXPECT_FALSE(used.Use({1, 1}, 100, 60));
  EXPECT_TRUE(used.Use({2, 2}, 300, 200));
  EXPECT_TRUE(used.Use({1, 1}, 300, 201)) << "an expired token is refused for that";
}

}  // namespace
}  // namespace weir::control

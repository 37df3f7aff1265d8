#include "control/admission/digest.h"

#include <openssl/evp.h>

#include <cstdlib>
#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace weir::control {
namespace {

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

}  // namespace

// OpenSSL's, which uses the CPU's own instructions for it: two audit rows are hashed for each
// session.
std::string Sha256(std::string_view bytes) {
  static EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);  // For good.
  thread_local const std::unique_ptr<EVP_MD_CTX, FreeContext> context(EVP_MD_CTX_new());
  std::string hash(32, '\0');
  if (EVP_DigestInit_ex2(context.get(), sha256, nullptr) != 1 ||
      EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) != 1 ||
      EVP_DigestFinal_ex(context.get(), reinterpret_cast<unsigned char*>(hash.data()), nullptr) !=
          1) {
    std::abort();  // Without memory nothing else goes on either.
  }
  return hash;
}

std::string Sha256Digest(std::string_view bytes) {
  return absl::StrCat("sha256:", absl::BytesToHexString(Sha256(bytes)));
}

}  // namespace weir::control

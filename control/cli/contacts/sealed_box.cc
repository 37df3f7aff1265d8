#include "control/cli/contacts/sealed_box.h"

#include <fcntl.h>
#include <sodium.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace weir::cli {
namespace {

constexpr char kKeyForm[] = "weir-contact-key-1 ";

const unsigned char* Bytes(const std::string& text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* Bytes(std::string* text) { return reinterpret_cast<unsigned char*>(text->data()); }

}  // namespace

ContactKey ContactKey::Generate() {
  ContactKey key{.public_key = std::string(crypto_box_PUBLICKEYBYTES, '\0'),
                 .secret_key = std::string(crypto_box_SECRETKEYBYTES, '\0')};
  crypto_box_keypair(Bytes(&key.public_key), Bytes(&key.secret_key));
  return key;
}

absl::StatusOr<ContactKey> ContactKey::Load(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!file || !std::getline(file, line)) {
    return absl::NotFoundError(absl::StrCat("cannot read ", path));
  }
  ContactKey key{.public_key = std::string(crypto_box_PUBLICKEYBYTES, '\0'), .secret_key = {}};
  const std::string form(kKeyForm);
  if (line.compare(0, form.size(), form) != 0 ||
      !absl::Base64Unescape(line.substr(form.size()), &key.secret_key) ||
      key.secret_key.size() != crypto_box_SECRETKEYBYTES) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": not a key that `weir contacts keygen` made"));
  }
  crypto_scalarmult_base(Bytes(&key.public_key), Bytes(key.secret_key));
  return key;
}

absl::Status ContactKey::Save(const std::string& path) const {
  const std::string text = absl::StrCat(kKeyForm, absl::Base64Escape(secret_key), "\n");
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    return errno == EEXIST
               ? absl::AlreadyExistsError(absl::StrCat(
                     path,
                     " is there already, and a key is never overwritten; choose another name"))
               : absl::InternalError(absl::StrCat(path, ": ", std::strerror(errno)));
  }
  const bool written =
      write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fsync(fd) == 0;
  const int error = errno;
  close(fd);
  if (written) return absl::OkStatus();
  unlink(path.c_str());
  return absl::InternalError(absl::StrCat(path, ": ", std::strerror(error)));
}

std::string ContactKey::PublicText() const { return absl::Base64Escape(public_key); }

std::string KeyDigest(const std::string& public_key) {
  std::string digest(crypto_hash_sha256_BYTES, '\0');
  crypto_hash_sha256(Bytes(&digest), Bytes(public_key), public_key.size());
  return absl::StrCat("sha256:", absl::BytesToHexString(digest));
}

std::optional<std::string> Seal(const std::string& text, const std::string& public_key) {
  if (public_key.size() != crypto_box_PUBLICKEYBYTES) return std::nullopt;
  std::string sealed(text.size() + crypto_box_SEALBYTES, '\0');
  if (crypto_box_seal(Bytes(&sealed), Bytes(text), text.size(), Bytes(public_key)) != 0) {
    return std::nullopt;
  }
  return sealed;
}

std::optional<std::string> Unseal(const std::string& sealed, const ContactKey& key) {
  if (sealed.size() < crypto_box_SEALBYTES) return std::nullopt;
  std::string text(sealed.size() - crypto_box_SEALBYTES, '\0');
  if (crypto_box_seal_open(Bytes(&text), Bytes(sealed), sealed.size(), Bytes(key.public_key),
                           Bytes(key.secret_key)) != 0) {
    return std::nullopt;
  }
  return text;
}

}  // namespace weir::cli

#include "control/session/flow_lookup.h"

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <sodium.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "control/admission/ip_address.h"
#include "control/dataplane/dataplane.h"
#include "ipc/seqpacket.h"

namespace weir::control {
namespace {

namespace ms = measurement::v1;

constexpr size_t kKeyBytes = 16;

std::string End(const IpAddress& ip, uint32_t port) {
  return absl::StrCat(ip.ToString(), " ", port);
}

absl::Status FileError(const std::string& file) {
  return absl::UnavailableError(absl::StrCat(file, ": ", std::strerror(errno)));
}

// AlreadyExists: there is one.
absl::Status WriteNew(const std::string& file, const std::string& secret) {
  const ipc::UniqueFd fd(open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (fd.get() < 0) {
    return errno == EEXIST ? absl::AlreadyExistsError(file) : FileError(file);
  }
  if (write(fd.get(), secret.data(), secret.size()) != static_cast<ssize_t>(secret.size()) ||
      fsync(fd.get()) != 0) {
    absl::Status status = FileError(file);
    unlink(file.c_str());
    return status;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<FlowLookup>> FlowLookup::Open(const std::string& file) {
  std::string secret(kSecretBytes, '\0');
  randombytes_buf(secret.data(), secret.size());
  const absl::Status made = WriteNew(file, secret);
  if (made.ok()) return std::make_unique<FlowLookup>(std::move(secret));
  if (!absl::IsAlreadyExists(made)) return made;

  const ipc::UniqueFd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return FileError(file);
  char bytes[kSecretBytes + 1];
  const ssize_t length = read(fd.get(), bytes, sizeof(bytes));
  if (length < 0) return FileError(file);
  if (length != static_cast<ssize_t>(kSecretBytes)) {
    return absl::FailedPreconditionError(
        absl::StrCat(file, ": must hold ", kSecretBytes,
                     " bytes, the key of past lookups; restore it, or remove it and lose those"));
  }
  return std::make_unique<FlowLookup>(std::string(bytes, kSecretBytes));
}

std::string FlowLookup::Key(const std::string& ip, uint32_t port, const std::string& peer_ip,
                            uint32_t peer_port) const {
  const auto one = IpAddress::Parse(ip);
  const auto other = IpAddress::Parse(peer_ip);
  if (!one || !other) return {};
  std::string low = End(*one, port);
  std::string high = End(*other, peer_port);
  if (high < low) std::swap(low, high);
  const std::string tuple = absl::StrCat("udp ", low, " ", high);
  std::string key(kKeyBytes, '\0');
  crypto_generichash(reinterpret_cast<unsigned char*>(key.data()), key.size(),
                     reinterpret_cast<const unsigned char*>(tuple.data()), tuple.size(),
                     reinterpret_cast<const unsigned char*>(secret_.data()), secret_.size());
  return key;
}

std::vector<std::string> FlowLookup::Keys(const std::vector<ms::FlowEnd>& own,
                                          const std::vector<ms::FlowEnd>& peer) const {
  std::vector<std::string> keys;
  for (size_t i = 0; i < own.size() && i < peer.size(); ++i) {
    std::string key = Key(own[i].ip(), own[i].udp_port(), peer[i].ip(), peer[i].udp_port());
    if (!key.empty()) keys.push_back(std::move(key));
  }
  return keys;
}

std::vector<std::string> FlowLookup::Keys(const std::vector<dataplane::v1::FlowInfo>& flows) const {
  std::vector<std::string> keys;
  for (const dataplane::v1::FlowInfo& flow : flows) {
    keys.push_back(Key(IpToText(flow.local().ip()), flow.local().udp_port(),
                       IpToText(flow.remote().ip()), flow.remote().udp_port()));
  }
  return keys;
}

absl::StatusOr<std::string> FlowLookup::KeyOf(const ms::LookupRequest& packet) const {
  for (const auto& [field, ip, port] :
       {std::tuple("source", &packet.source_ip(), packet.source_port()),
        std::tuple("destination", &packet.destination_ip(), packet.destination_port())}) {
    if (!IpAddress::Parse(*ip)) {
      return absl::InvalidArgumentError(
          absl::StrCat(field, "_ip: \"", *ip, "\" is no IPv4 or IPv6 address"));
    }
    if (port == 0 || port > 65535) {
      return absl::InvalidArgumentError(absl::StrCat(field, "_port: must be 1 to 65535"));
    }
  }
  if (packet.at_unix_ns() == 0) {
    return absl::InvalidArgumentError("at_unix_ns: required: when the packet was seen");
  }
  return Key(packet.source_ip(), packet.source_port(), packet.destination_ip(),
             packet.destination_port());
}

}  // namespace weir::control

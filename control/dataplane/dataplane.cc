#include "control/dataplane/dataplane.h"

#include <arpa/inet.h>

#include <utility>

namespace weir::control {
namespace {

namespace dp = dataplane::v1;

bool InPrefix(const std::string& address, const std::string& other, uint32_t prefix) {
  if (address.size() != other.size() || prefix > address.size() * 8) return false;
  for (uint32_t bit = 0; bit < prefix; ++bit) {
    const int shift = 7 - static_cast<int>(bit % 8);
    if (((address[bit / 8] ^ other[bit / 8]) >> shift & 1) != 0) return false;
  }
  return true;
}

}  // namespace

std::string IpToBytes(const std::string& text) {
  unsigned char bytes[16];
  if (inet_pton(AF_INET, text.c_str(), bytes) == 1) {
    return std::string(reinterpret_cast<char*>(bytes), 4);
  }
  if (inet_pton(AF_INET6, text.c_str(), bytes) == 1) {
    return std::string(reinterpret_cast<char*>(bytes), 16);
  }
  return "";
}

std::string IpToText(const std::string& bytes) {
  char text[INET6_ADDRSTRLEN];
  if (bytes.size() != 4 && bytes.size() != 16) return "";
  const int family = bytes.size() == 4 ? AF_INET : AF_INET6;
  return inet_ntop(family, bytes.data(), text, sizeof(text)) != nullptr ? text : "";
}

const dp::PortInfo* PortTable::Find(const std::string& name) const {
  for (const dp::PortInfo& port : ports) {
    if (port.name() == name) return &port;
  }
  return nullptr;
}

const dp::PortInfo* PortTable::For(uint32_t ip_version, const std::string& peer) const {
  const std::string peer_bytes = IpToBytes(peer);
  const dp::PortInfo* best = nullptr;
  int best_rank = 0;
  for (const dp::PortInfo& port : ports) {
    const std::string& address = ip_version == 6 ? port.ip6() : port.ip4();
    if (address.empty()) continue;
    int rank = 1;
    if (!(ip_version == 6 ? port.gateway6() : port.gateway4()).empty()) rank = 2;
    if (InPrefix(address, peer_bytes, ip_version == 6 ? port.prefix6() : port.prefix4())) rank = 3;
    if (rank > best_rank) {
      best = &port;
      best_rank = rank;
    }
  }
  return best;
}

Dataplane::Dataplane(const std::string& socket, Callbacks callbacks)
    : callbacks_(std::move(callbacks)),
      client_({.socket = socket}, {.connected = nullptr,
                                   .disconnected =
                                       [this](const std::shared_ptr<const Connection>&) {
                                         {
                                           std::lock_guard lock(mutex_);
                                           ports_ = nullptr;
                                         }
                                         if (callbacks_.lost) callbacks_.lost();
                                       },
                                   .flow_event =
                                       [this](const dp::FlowInfo& flow) {
                                         if (callbacks_.flow_event) callbacks_.flow_event(flow);
                                       }}) {}

std::shared_ptr<const PortTable> Dataplane::ports() const {
  std::lock_guard lock(mutex_);
  return ports_;
}

std::shared_ptr<const Connection> Dataplane::Untaken() const {
  std::shared_ptr<const Connection> connection = client_.connection();
  std::lock_guard lock(mutex_);
  return ports_ == nullptr ? connection : nullptr;
}

absl::Status Dataplane::RefreshPorts() {
  const std::shared_ptr<const Connection> connection = client_.connection();
  if (connection == nullptr) return absl::UnavailableError(client_.last_error());
  absl::StatusOr<std::vector<dp::PortInfo>> ports = client_.ListPorts();
  if (!ports.ok()) return ports.status();
  slots_.Resize(connection->hello.slots());
  auto table = std::make_shared<PortTable>();
  table->connection = connection;
  table->ports = *std::move(ports);
  std::lock_guard lock(mutex_);
  // The connection may have ended meanwhile; `lost` was then called or will be.
  if (client_.connection() != connection) return absl::UnavailableError(client_.last_error());
  ports_ = std::move(table);
  return absl::OkStatus();
}

}  // namespace weir::control

#include "dataplane/ipc/command_server.h"

#include <rte_log.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>

#include "dataplane/log.h"
#include "shm/segment.h"

namespace weir::dataplane {
namespace {

void Watch(int epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

// The peer's groups as of connecting (SO_PEERGROUPS) include `group`.
bool InGroup(int fd, gid_t group) {
  gid_t groups[256];
  socklen_t length = sizeof(groups);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &length) != 0) return false;
  const gid_t* end = groups + length / sizeof(gid_t);
  return std::find(static_cast<const gid_t*>(groups), end, group) != end;
}

std::string Serialize(v1::Response response) {
  v1::Message message;
  *message.mutable_response() = std::move(response);
  return message.SerializeAsString();
}

}  // namespace

CommandServer::CommandServer(ipc::UniqueFd listener, const Identity& identity, FlowManager& flows,
                             Commands commands)
    : listener_(std::move(listener)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      identity_(identity),
      flows_(flows),
      commands_(commands) {
  Watch(epoll_.get(), listener_.get());
}

void CommandServer::Poll(uint64_t now_ns) {
  epoll_event events[kMaxConnections + 1];
  const int ready = epoll_wait(epoll_.get(), events, kMaxConnections + 1, 0);
  for (int i = 0; i < ready; ++i) {
    const int fd = events[i].data.fd;
    if (fd == listener_.get()) {
      AcceptAll();
    } else if (connections_.contains(fd)) {
      ReadFrom(fd, now_ns);
    }
  }
  // Also when the controller's connection is gone: its flows run to the end of its lease.
  if (lease_until_ns_ != 0 && now_ns >= lease_until_ns_) {
    WEIR_LOG(WARNING, "control lease expired: all flows stop, the seat is free");
    lease_until_ns_ = 0;
    flows_.StopAll(v1::END_CONTROL_LEASE);
    if (seat_ >= 0) Close(seat_);
  }
}

void CommandServer::AcceptAll() {
  while (ipc::UniqueFd connection = ipc::Accept(listener_.get())) {
    if (!Allowed(connection.get())) {
      WEIR_LOG(WARNING, "refused a connection: the peer is not root, this user or in the group");
      continue;
    }
    if (connections_.size() >= kMaxConnections) continue;
    const int fd = connection.get();
    Watch(epoll_.get(), fd);
    connections_.emplace(fd, std::move(connection));
  }
}

bool CommandServer::Allowed(int fd) const {
  ipc::PeerCredentials peer;
  if (!ipc::GetPeerCredentials(fd, &peer)) return false;
  if (peer.uid == 0 || peer.uid == geteuid()) return true;
  const gid_t group = identity_.socket_group;
  return group != static_cast<gid_t>(-1) && (peer.gid == group || InGroup(fd, group));
}

void CommandServer::ReadFrom(int fd, uint64_t now_ns) {
  // A bounded number of messages a round, so that no peer keeps the main lcore from its flows.
  std::string bytes;
  for (int i = 0; i < 64; ++i) {
    switch (ipc::Recv(fd, &bytes)) {
      case ipc::RecvResult::kMessage:
        Handle(fd, bytes, now_ns);
        if (!connections_.contains(fd)) return;
        break;
      case ipc::RecvResult::kWouldBlock:
        return;
      case ipc::RecvResult::kTooLong:
        Answer(fd, Commands::Failure(0, {v1::INVALID_ARGUMENT, "",
                                         "the request is longer than 128 KiB; page long lists"}));
        Close(fd);
        return;
      case ipc::RecvResult::kClosed:
      case ipc::RecvResult::kError:
        Close(fd);
        return;
    }
  }
}

void CommandServer::Handle(int fd, const std::string& bytes, uint64_t now_ns) {
  v1::Request request;
  if (!request.ParseFromString(bytes) || request.request_id() == 0) {
    Answer(fd,
           Commands::Failure(request.request_id(),
                             {v1::INVALID_ARGUMENT, "request_id",
                              "not a request of the command protocol, or its request_id is 0"}));
    Close(fd);
    return;
  }
  if (request.has_hello()) {
    HandleHello(fd, request, now_ns);
    return;
  }
  if (fd != seat_) {
    Answer(fd, Commands::Failure(request.request_id(),
                                 {v1::FAILED_PRECONDITION, "hello", "Hello must come first"}));
    Close(fd);
    return;
  }
  lease_until_ns_ = now_ns + kControlLeaseNs;
  flows_.set_control_lease(lease_until_ns_);

  const uint64_t id = request.request_id();
  const auto known = std::find_if(answers_.begin(), answers_.end(),
                                  [id](const auto& answer) { return answer.first == id; });
  if (known != answers_.end()) {
    if (!ipc::Send(fd, known->second)) Close(fd);
    return;
  }
  std::optional<v1::Response> response = commands_.Execute(request);
  if (response.has_value()) {
    Answer(fd, std::move(*response));
  } else {
    waiting_stops_.emplace(
        std::make_pair(request.stop_flow().slot(), request.stop_flow().generation()), id);
  }
}

void CommandServer::HandleHello(int fd, const v1::Request& request, uint64_t now_ns) {
  const v1::Hello& hello = request.hello();
  const uint64_t id = request.request_id();
  auto refuse = [&](v1::Code code, const char* field, std::string message) {
    Answer(fd, Commands::Failure(id, {code, field, std::move(message)}));
    Close(fd);
  };
  if (hello.protocol_version() != ipc::kProtocolVersion) {
    refuse(v1::UNIMPLEMENTED, "hello.protocol_version",
           "the dataplane speaks version " + std::to_string(ipc::kProtocolVersion) +
               ", the controller " + std::to_string(hello.protocol_version()) +
               "; install matching versions");
    return;
  }
  if (hello.layout_version() != shm::kLayoutVersion) {
    refuse(v1::UNIMPLEMENTED, "hello.layout_version",
           "the counter segment has layout " + std::to_string(shm::kLayoutVersion) +
               ", the controller reads " + std::to_string(hello.layout_version()) +
               "; install matching versions");
    return;
  }
  if (seat_ >= 0 && seat_ != fd) {
    refuse(v1::UNAVAILABLE, "hello",
           "another controller has the seat; stop it, or wait 2 s if it has died");
    return;
  }
  seat_ = fd;
  answers_.clear();
  lease_until_ns_ = now_ns + kControlLeaseNs;
  flows_.set_control_lease(lease_until_ns_);
  WEIR_LOG(INFO, "a controller took the seat: %s", hello.controller().c_str());

  v1::Response response;
  response.set_request_id(id);
  response.mutable_status()->set_code(v1::OK);
  v1::HelloReply* reply = response.mutable_hello();
  reply->set_protocol_version(ipc::kProtocolVersion);
  reply->set_layout_version(shm::kLayoutVersion);
  reply->set_boot_id(identity_.boot_id.data(), identity_.boot_id.size());
  reply->set_slots(identity_.slots);
  reply->set_workers(identity_.workers);
  reply->set_control_lease_ns(kControlLeaseNs);
  reply->set_software("weir-dataplane " WEIR_VERSION);
  Answer(fd, std::move(response), identity_.segment_fd);
}

void CommandServer::Answer(int fd, v1::Response response, int passed_fd) {
  const uint64_t id = response.request_id();
  std::string bytes = Serialize(std::move(response));
  const bool sent = ipc::Send(fd, bytes, passed_fd);
  if (fd == seat_ && passed_fd < 0 && id != 0) {
    answers_.emplace_back(id, std::move(bytes));
    if (answers_.size() > kRememberedAnswers) answers_.pop_front();
  }
  // A controller that does not read its answers has hung: it loses the seat, its lease runs on.
  if (!sent) Close(fd);
}

void CommandServer::NotifyChange(const Flow& flow) {
  if (seat_ < 0) return;
  if (flow.finished()) {
    const auto [begin, end] = waiting_stops_.equal_range({flow.spec.slot, flow.spec.generation});
    std::vector<uint64_t> ids;
    for (auto at = begin; at != end; ++at) ids.push_back(at->second);
    waiting_stops_.erase(begin, end);
    for (const uint64_t id : ids) {
      if (seat_ >= 0) Answer(seat_, commands_.FinishedReply(id, flow));
    }
  }
  if (seat_ < 0) return;
  v1::Message message;
  *message.mutable_event()->mutable_flow() = Commands::Describe(flow);
  if (!ipc::Send(seat_, message.SerializeAsString())) Close(seat_);
}

void CommandServer::Close(int fd) {
  if (fd == seat_) {
    seat_ = -1;
    answers_.clear();
    waiting_stops_.clear();
  }
  connections_.erase(fd);
}

}  // namespace weir::dataplane

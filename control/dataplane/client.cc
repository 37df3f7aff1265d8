#include "control/dataplane/client.h"

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <poll.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "shm/segment.h"

namespace weir::control {
namespace {

namespace dp = dataplane::v1;
using Clock = std::chrono::steady_clock;

absl::StatusCode ToStatusCode(dp::Code code) {
  switch (code) {
    case dp::OK:
      return absl::StatusCode::kOk;
    case dp::INVALID_ARGUMENT:
      return absl::StatusCode::kInvalidArgument;
    case dp::NOT_FOUND:
      return absl::StatusCode::kNotFound;
    case dp::ALREADY_EXISTS:
      return absl::StatusCode::kAlreadyExists;
    case dp::FAILED_PRECONDITION:
      return absl::StatusCode::kFailedPrecondition;
    case dp::RESOURCE_EXHAUSTED:
      return absl::StatusCode::kResourceExhausted;
    case dp::UNAVAILABLE:
      return absl::StatusCode::kUnavailable;
    case dp::UNIMPLEMENTED:
      return absl::StatusCode::kUnimplemented;
    default:
      return absl::StatusCode::kInternal;
  }
}

absl::Status ToStatus(const dp::Status& status) {
  if (status.code() == dp::OK) return absl::OkStatus();
  return absl::Status(ToStatusCode(status.code()),
                      status.field().empty()
                          ? status.message()
                          : absl::StrCat(status.field(), ": ", status.message()));
}

}  // namespace

Client::Client(Options options, Callbacks callbacks)
    : options_(std::move(options)),
      callbacks_(std::move(callbacks)),
      last_error_("not tried yet"),
      // Ids differ from those of an earlier controller the dataplane may still remember.
      next_request_id_(
          static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count())) {
  thread_ = std::thread([this] { ThreadMain(); });
}

Client::~Client() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stopped_.notify_all();
  thread_.join();
}

std::shared_ptr<const Connection> Client::connection() const {
  std::lock_guard lock(mutex_);
  return connection_;
}

std::string Client::last_error() const {
  std::lock_guard lock(mutex_);
  return last_error_;
}

bool Client::has_failed() const {
  std::lock_guard lock(mutex_);
  return has_failed_;
}

bool Client::WaitForStop(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return stopped_.wait_for(lock, time, [this] { return stopping_; });
}

void Client::ThreadMain() {
  while (!WaitForStop(std::chrono::milliseconds(0))) {
    absl::Status status = Connect();
    if (status.ok()) {
      if (callbacks_.connected) callbacks_.connected(connection());
      status = Serve();
    }
    Disconnect(status);
    if (WaitForStop(options_.retry_interval)) break;
  }
}

absl::Status Client::Connect() {
  std::string error;
  ipc::UniqueFd socket = ipc::Connect(options_.socket, &error);
  if (!socket) {
    return absl::UnavailableError(absl::StrCat(error, "; is weir-dataplane running?"));
  }
  // A dataplane that does not read must not block us, only fail us.
  fcntl(socket.get(), F_SETFL, fcntl(socket.get(), F_GETFL) | O_NONBLOCK);

  dp::Request request;
  request.mutable_hello()->set_protocol_version(ipc::kProtocolVersion);
  request.mutable_hello()->set_layout_version(shm::kLayoutVersion);
  request.mutable_hello()->set_controller("weir-control " WEIR_VERSION);
  {
    std::lock_guard lock(mutex_);
    request.set_request_id(++next_request_id_);
  }
  if (!ipc::Send(socket.get(), request.SerializeAsString())) {
    return absl::UnavailableError(
        absl::StrCat("cannot send to the dataplane: ", std::strerror(errno)));
  }

  pollfd wait{socket.get(), POLLIN, 0};
  const int timeout_ms = static_cast<int>(options_.reply_timeout.count());
  if (poll(&wait, 1, timeout_ms) <= 0) {
    return absl::DeadlineExceededError(absl::StrCat("the dataplane at ", options_.socket,
                                                    " accepts connections but does not answer"));
  }
  std::string bytes;
  ipc::UniqueFd segment_fd;
  dp::Message message;
  if (ipc::Recv(socket.get(), &bytes, &segment_fd) != ipc::RecvResult::kMessage) {
    return absl::PermissionDeniedError(absl::StrCat(
        "the dataplane closed the connection to ", options_.socket,
        "; it serves root, its own user and its --socket-group: run weir-control as one of them"));
  }
  if (!message.ParseFromString(bytes) || !message.has_response() ||
      message.response().request_id() != request.request_id()) {
    return absl::InternalError(
        absl::StrCat("what listens at ", options_.socket, " does not speak the command protocol"));
  }
  if (absl::Status status = ToStatus(message.response().status()); !status.ok()) return status;
  const dp::HelloReply& hello = message.response().hello();
  if (hello.protocol_version() != ipc::kProtocolVersion) {
    return absl::UnimplementedError(absl::StrCat(
        "the dataplane speaks command protocol ", hello.protocol_version(), ", weir-control ",
        ipc::kProtocolVersion, ": install weir-control and weir-dataplane of the same version"));
  }
  absl::StatusOr<std::shared_ptr<const Segment>> segment = Segment::Map(segment_fd);
  if (!segment.ok()) return segment.status();

  auto connection = std::make_shared<Connection>();
  connection->hello = hello;
  connection->segment = *std::move(segment);
  std::lock_guard lock(mutex_);
  connection->number = ++connections_;
  socket_ = std::move(socket);
  connection_ = std::move(connection);
  last_error_.clear();
  spdlog::info("dataplane: connected to {} ({}, {} slots)", options_.socket, hello.software(),
               hello.slots());
  return absl::OkStatus();
}

absl::Status Client::Serve() {
  // Only this thread replaces socket_, so the descriptor stays valid without the lock.
  int fd;
  {
    std::lock_guard lock(mutex_);
    fd = socket_.get();
  }
  Clock::time_point renew_at = Clock::now();
  Clock::time_point heard_at = Clock::now();
  std::string bytes;
  while (true) {
    const Clock::time_point now = Clock::now();
    {
      std::lock_guard lock(mutex_);
      if (stopping_) return absl::CancelledError("stopping");
      if (now >= renew_at) {
        dp::Request request;
        request.mutable_renew_lease();
        uint64_t id;
        if (absl::Status status = SendLocked(&request, &id); !status.ok()) return status;
        renew_at = now + options_.renew_interval;
      }
    }
    if (now - heard_at > options_.silence_limit) {
      return absl::UnavailableError(absl::StrCat("the dataplane has not answered for ",
                                                 options_.silence_limit.count(),
                                                 " ms; is it stopped, or are its CPUs taken?"));
    }
    // Short enough to notice `stopping_` soon.
    const auto wait = std::min<Clock::duration>(renew_at - now, std::chrono::milliseconds(100));
    pollfd readable{fd, POLLIN, 0};
    const int ready = poll(
        &readable, 1, static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(wait).count()));
    if (ready <= 0) continue;
    while (true) {
      const ipc::RecvResult result = ipc::Recv(fd, &bytes);
      if (result == ipc::RecvResult::kWouldBlock) break;
      if (result == ipc::RecvResult::kTooLong) {
        return absl::InternalError("the dataplane sent a datagram longer than the protocol allows");
      }
      if (result != ipc::RecvResult::kMessage) {
        return absl::UnavailableError("the dataplane closed the connection");
      }
      heard_at = Clock::now();
      if (absl::Status status = HandleDatagram(bytes); !status.ok()) return status;
    }
  }
}

absl::Status Client::HandleDatagram(const std::string& bytes) {
  dp::Message message;
  if (!message.ParseFromString(bytes)) {
    return absl::InternalError("the dataplane sent a datagram that is not a Message");
  }
  if (message.has_event()) {
    if (callbacks_.flow_event) callbacks_.flow_event(message.event().flow());
    return absl::OkStatus();
  }
  Response& response = *message.mutable_response();
  std::lock_guard lock(mutex_);
  const auto found = pending_.find(response.request_id());
  if (found == pending_.end()) return absl::OkStatus();  // A renewal, or given up on.
  absl::Status status = ToStatus(response.status());
  if (status.ok()) {
    found->second->answer.emplace(std::move(response));
  } else {
    found->second->answer.emplace(std::move(status));
  }
  pending_.erase(found);
  answered_.notify_all();
  return absl::OkStatus();
}

void Client::Disconnect(const absl::Status& why) {
  std::shared_ptr<const Connection> ended;
  {
    std::lock_guard lock(mutex_);
    ended = std::exchange(connection_, nullptr);
    socket_.reset();
    const std::string reason(why.message());
    // Said once, not with each attempt.
    if (reason != last_error_ && !stopping_) spdlog::warn("dataplane: {}", reason);
    last_error_ = reason;
    has_failed_ = true;
    for (auto& [id, pending] : pending_) {
      pending->answer.emplace(
          absl::UnavailableError(absl::StrCat("no answer from the dataplane: ", reason)));
    }
    pending_.clear();
    answered_.notify_all();
  }
  if (ended != nullptr && callbacks_.disconnected) callbacks_.disconnected(std::move(ended));
}

absl::Status Client::SendLocked(dp::Request* request, uint64_t* id) {
  if (!socket_) {
    return absl::UnavailableError(absl::StrCat("the dataplane is not connected: ", last_error_));
  }
  *id = ++next_request_id_;
  request->set_request_id(*id);
  if (!ipc::Send(socket_.get(), request->SerializeAsString())) {
    return absl::UnavailableError(
        absl::StrCat("cannot send to the dataplane: ", std::strerror(errno)));
  }
  return absl::OkStatus();
}

absl::StatusOr<dp::Response> Client::Call(dp::Request request) {
  std::unique_lock lock(mutex_);
  uint64_t id;
  if (absl::Status status = SendLocked(&request, &id); !status.ok()) return status;
  Pending pending;
  pending_[id] = &pending;
  if (!answered_.wait_for(lock, options_.reply_timeout,
                          [&pending] { return pending.answer.has_value(); })) {
    pending_.erase(id);
    return absl::DeadlineExceededError(absl::StrCat("the dataplane did not answer within ",
                                                    options_.reply_timeout.count(), " ms"));
  }
  return *std::move(pending.answer);
}

absl::StatusOr<dp::FlowInfo> Client::CallForFlow(dp::Request request) {
  absl::StatusOr<Response> response = Call(std::move(request));
  if (!response.ok()) return response.status();
  return response->flow();
}

absl::StatusOr<dp::FlowInfo> Client::ProgramFlow(const dp::FlowSpec& spec) {
  dp::Request request;
  *request.mutable_program_flow()->mutable_spec() = spec;
  return CallForFlow(std::move(request));
}

absl::StatusOr<dp::FlowInfo> Client::ArmFlow(FlowSlot flow) {
  dp::Request request;
  request.mutable_arm_flow()->set_slot(flow.slot);
  request.mutable_arm_flow()->set_generation(flow.generation);
  return CallForFlow(std::move(request));
}

absl::StatusOr<dp::FlowInfo> Client::StopFlow(FlowSlot flow) {
  dp::Request request;
  request.mutable_stop_flow()->set_slot(flow.slot);
  request.mutable_stop_flow()->set_generation(flow.generation);
  return CallForFlow(std::move(request));
}

absl::Status Client::ReleaseFlow(FlowSlot flow) {
  dp::Request request;
  request.mutable_release_flow()->set_slot(flow.slot);
  request.mutable_release_flow()->set_generation(flow.generation);
  return Call(std::move(request)).status();
}

absl::StatusOr<std::vector<dp::FlowInfo>> Client::ListFlows() {
  std::vector<dp::FlowInfo> flows;
  uint32_t first = 0;
  do {
    dp::Request request;
    request.mutable_list_flows()->set_first_slot(first);
    absl::StatusOr<Response> response = Call(std::move(request));
    if (!response.ok()) return response.status();
    flows.insert(flows.end(), response->flows().flows().begin(), response->flows().flows().end());
    const uint32_t next = response->flows().next_slot();
    if (next != 0 && next <= first) {
      return absl::InternalError("the dataplane's list of flows does not advance");
    }
    first = next;
  } while (first != 0);
  return flows;
}

absl::StatusOr<std::vector<dp::PortInfo>> Client::ListPorts() {
  dp::Request request;
  request.mutable_list_ports();
  absl::StatusOr<Response> response = Call(std::move(request));
  if (!response.ok()) return response.status();
  return std::vector<dp::PortInfo>(response->ports().ports().begin(),
                                   response->ports().ports().end());
}

}  // namespace weir::control

#include "tests/ipc/fake_dataplane.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <utility>

namespace weir::test {

namespace dp = dataplane::v1;

FakeDataplane::FakeDataplane(std::string path, Options options)
    : path_(std::move(path)), options_(options), answers_(options.answers) {
  std::string error;
  listener_ = ipc::Listen(path_, &error);
  if (!listener_) throw std::runtime_error(error);
  MakeSegment();
  thread_ = std::thread([this] { ThreadMain(); });
}

FakeDataplane::~FakeDataplane() {
  stopping_ = true;
  thread_.join();
  munmap(base_, mapped_bytes_);
  unlink(path_.c_str());
}

void FakeDataplane::MakeSegment() {
  shm::SegmentHeader header =
      shm::PlanSegment(options_.slots, options_.workers, 1, options_.histograms);
  header.layout_version = options_.layout_version;
  std::memset(header.boot_id, 7, sizeof(header.boot_id));
  mapped_bytes_ = header.segment_bytes;
  memfd_ = ipc::UniqueFd(memfd_create("fake-segment", MFD_ALLOW_SEALING));
  const size_t file_bytes = options_.truncated ? 4096 : mapped_bytes_;
  if (ftruncate(memfd_.get(), static_cast<off_t>(file_bytes)) != 0) {
    throw std::runtime_error("ftruncate");
  }
  base_ = static_cast<uint8_t*>(
      mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, memfd_.get(), 0));
  std::memcpy(base_, &header, sizeof(header));
  if (options_.sealed) {
    fcntl(memfd_.get(), F_ADD_SEALS,
          F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL);
  }
}

void FakeDataplane::SetOverride(Override override) {
  std::lock_guard lock(mutex_);
  override_ = std::move(override);
}

void FakeDataplane::SendRaw(const std::string& bytes) {
  std::lock_guard lock(mutex_);
  if (connection_) ipc::Send(connection_.get(), bytes);
}

void FakeDataplane::CloseConnection() {
  std::lock_guard lock(mutex_);
  connection_.reset();
}

void FakeDataplane::PublishLocked(const dp::FlowInfo& flow) {
  shm::FlowStatus status{};
  status.generation = flow.generation();
  status.role = static_cast<uint8_t>(flow.role());
  status.state = static_cast<uint8_t>(flow.state());
  status.reason = static_cast<uint8_t>(flow.reason());
  status.histogram_index = flow.histogram_index();
  segment().status(flow.slot()).cell.Store(status);
}

void FakeDataplane::SetFlow(uint32_t slot, dp::FlowState state, dp::EndReason reason, bool event) {
  std::lock_guard lock(mutex_);
  dp::FlowInfo& flow = flows_[slot];
  flow.set_state(state);
  flow.set_reason(reason);
  PublishLocked(flow);
  if (!event || !connection_) return;
  dp::Message message;
  *message.mutable_event()->mutable_flow() = flow;
  ipc::Send(connection_.get(), message.SerializeAsString());
}

void FakeDataplane::AddFlow(const dp::FlowInfo& flow) {
  std::lock_guard lock(mutex_);
  flows_[flow.slot()] = flow;
  PublishLocked(flow);
}

std::vector<dp::FlowInfo> FakeDataplane::flows() {
  std::lock_guard lock(mutex_);
  std::vector<dp::FlowInfo> flows;
  for (const auto& [slot, flow] : flows_) flows.push_back(flow);
  return flows;
}

std::optional<dp::FlowSpec> FakeDataplane::spec(uint32_t slot) {
  std::lock_guard lock(mutex_);
  const auto found = specs_.find(slot);
  if (found == specs_.end()) return std::nullopt;
  return found->second;
}

void FakeDataplane::ThreadMain() {
  std::string bytes;
  while (!stopping_) {
    int connection;
    {
      std::lock_guard lock(mutex_);
      connection = connection_.get();
    }
    pollfd wait[2] = {{listener_.get(), POLLIN, 0}, {connection, POLLIN, 0}};
    if (poll(wait, connection >= 0 ? 2 : 1, 5) <= 0) continue;
    if (ipc::UniqueFd accepted = ipc::Accept(listener_.get())) {
      std::lock_guard lock(mutex_);
      connection_ = std::move(accepted);
      continue;
    }
    if ((wait[1].revents & (POLLIN | POLLHUP)) == 0) continue;
    std::unique_lock lock(mutex_);
    if (connection_.get() != connection) continue;
    const ipc::RecvResult result = ipc::Recv(connection, &bytes);
    if (result == ipc::RecvResult::kClosed || result == ipc::RecvResult::kError) {
      connection_.reset();
      continue;
    }
    dp::Request request;
    if (result == ipc::RecvResult::kMessage && request.ParseFromString(bytes)) Handle(request);
  }
}

// With mutex_ held.
void FakeDataplane::Handle(const dp::Request& request) {
  if (request.has_renew_lease()) ++renewals_;
  if (request.has_hello()) ++hellos_;
  if (!answers_) return;
  std::optional<dp::Response> response;
  if (override_) response = override_(request);
  if (!response.has_value()) response = Answer(request);
  response->set_request_id(request.request_id());
  dp::Message message;
  *message.mutable_response() = *std::move(response);
  const bool with_fd = request.has_hello() && options_.with_segment;
  ipc::Send(connection_.get(), message.SerializeAsString(), with_fd ? memfd_.get() : -1);
}

dp::Response FakeDataplane::Answer(const dp::Request& request) {
  dp::Response response;
  const auto change = [&](uint32_t slot, dp::FlowState state, dp::EndReason reason) {
    const auto found = flows_.find(slot);
    if (found == flows_.end()) {
      response.mutable_status()->set_code(dp::NOT_FOUND);
      response.mutable_status()->set_field("slot");
      response.mutable_status()->set_message("is free");
      return;
    }
    if (found->second.state() != dp::FINISHED) {
      found->second.set_state(state);
      found->second.set_reason(reason);
      PublishLocked(found->second);
    }
    *response.mutable_flow() = found->second;
  };
  switch (request.body_case()) {
    case dp::Request::kHello:
      response.mutable_hello()->set_protocol_version(options_.protocol_version);
      response.mutable_hello()->set_layout_version(options_.layout_version);
      response.mutable_hello()->set_boot_id(std::string(16, 7));
      response.mutable_hello()->set_slots(options_.slots);
      response.mutable_hello()->set_workers(options_.workers);
      response.mutable_hello()->set_software("fake");
      break;
    case dp::Request::kProgramFlow: {
      const dp::FlowSpec& spec = request.program_flow().spec();
      dp::FlowInfo& flow = flows_[spec.slot()];
      flow.Clear();
      flow.set_slot(spec.slot());
      flow.set_generation(spec.generation());
      flow.set_role(spec.role());
      flow.set_state(dp::PROGRAMMED);
      flow.set_session_id(spec.session_id());
      flow.set_stream(spec.stream());
      flow.set_histogram_index(spec.histogram() ? 0 : -1);
      *flow.mutable_local() = spec.local();
      *flow.mutable_remote() = spec.remote();
      specs_[spec.slot()] = spec;
      PublishLocked(flow);
      *response.mutable_flow() = flow;
      break;
    }
    case dp::Request::kArmFlow:
      change(request.arm_flow().slot(), dp::RUNNING, dp::END_NONE);
      break;
    case dp::Request::kStopFlow:
      change(request.stop_flow().slot(), dp::FINISHED, dp::END_STOPPED);
      break;
    case dp::Request::kReleaseFlow:
      flows_.erase(request.release_flow().slot());
      break;
    case dp::Request::kListFlows:
      for (const auto& [slot, flow] : flows_) *response.mutable_flows()->add_flows() = flow;
      break;
    case dp::Request::kListPorts: {
      dp::PortInfo* port = response.mutable_ports()->add_ports();
      port->set_name("data");
      port->set_ip4(std::string("\xC0\0\x02\x01", 4));
      port->set_prefix4(24);
      port->set_mtu(1500);
      port->set_link_bps(10'000'000'000);
      port->set_link_up(true);
      break;
    }
    default:
      break;
  }
  return response;
}

bool Eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

ScratchDirectory::ScratchDirectory() {
  char pattern[] = "/tmp/weir-test-XXXXXX";
  path_ = mkdtemp(pattern);
  std::filesystem::permissions(path_, std::filesystem::perms::all);
}

ScratchDirectory::~ScratchDirectory() { std::filesystem::remove_all(path_); }

}  // namespace weir::test

// The command protocol (proto/README.md section 3) against a real weir-dataplane.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "dataplane/v1/dataplane.pb.h"
#include "ipc/seqpacket.h"
#include "shm/segment.h"
#include "tests/ipc/fake_dataplane.h"
#include "tests/ipc/process.h"

namespace weir::test {
namespace {

namespace dp = dataplane::v1;
using Clock = std::chrono::steady_clock;

// One connection, as bare as the wire.
class Controller {
 public:
  explicit Controller(const std::string& path) {
    std::string error;
    socket_ = ipc::Connect(path, &error);
  }
  bool connected() const { return static_cast<bool>(socket_); }
  void SendRaw(const std::string& bytes) { ipc::Send(socket_.get(), bytes); }

  // The answer to `request`; events are skipped. Empty: closed, or silent for ten seconds.
  std::optional<dp::Response> Call(dp::Request request, uint64_t id = 0) {
    request.set_request_id(id != 0 ? id : ++next_id_);
    if (!ipc::Send(socket_.get(), request.SerializeAsString())) return std::nullopt;
    while (true) {
      std::optional<dp::Message> message = Receive();
      if (!message.has_value()) return std::nullopt;
      if (message->response().request_id() == request.request_id()) return message->response();
    }
  }
  std::optional<dp::Message> Receive() {
    pollfd wait{socket_.get(), POLLIN, 0};
    if (poll(&wait, 1, 10'000) <= 0) return std::nullopt;
    std::string bytes;
    if (ipc::Recv(socket_.get(), &bytes, &segment_) != ipc::RecvResult::kMessage) {
      closed_ = true;
      return std::nullopt;
    }
    dp::Message message;
    EXPECT_TRUE(message.ParseFromString(bytes));
    return message;
  }
  std::optional<dp::Response> Hello(uint32_t protocol = ipc::kProtocolVersion,
                                    uint32_t layout = shm::kLayoutVersion) {
    dp::Request request;
    request.mutable_hello()->set_protocol_version(protocol);
    request.mutable_hello()->set_layout_version(layout);
    return Call(request);
  }
  bool Closed() {
    while (!closed_ && Receive().has_value()) {
    }
    return closed_;
  }
  const ipc::UniqueFd& segment() const { return segment_; }

 private:
  ipc::UniqueFd socket_;
  ipc::UniqueFd segment_;
  uint64_t next_id_ = 1000;
  bool closed_ = false;
};

class CommandProtocolTest : public testing::Test {
 protected:
  CommandProtocolTest()
      : dataplane_(
            "WEIR_DATAPLANE",
            {"--no-huge", "--memory", "128", "--flows", "256", "--histograms", "4", "--socket",
             socket_, "--port", "data=null:,ip4=192.0.2.1/24,mtu=1500", "--log-level", "warning"},
            directory_ / "log") {
    EXPECT_TRUE(Eventually([this] { return Controller(socket_).connected(); }))
        << ReadLog(directory_ / "log");
  }

  static dp::Request Program(uint32_t slot, dp::Role role) {
    dp::Request request;
    dp::FlowSpec& spec = *request.mutable_program_flow()->mutable_spec();
    spec.set_slot(slot);
    spec.set_generation(7);
    spec.set_role(role);
    spec.set_session_id("0123456789abcdef");
    spec.set_port("data");
    spec.mutable_local()->set_udp_port(50000);
    spec.mutable_remote()->set_ip(std::string("\xC0\0\x02\x02", 4));
    spec.mutable_remote()->set_udp_port(50001);
    const uint64_t receiver_slot = role == dp::TX ? 9 : slot;
    spec.set_cookie(receiver_slot << 40 | 12345);
    spec.set_peer_slot(9);
    spec.set_peer_generation(1);
    spec.set_session_key(std::string(32, 'k'));
    if (role == dp::TX) {
      spec.set_rate_bps(1'000'000);
      spec.set_duration_ns(1'000'000'000);
      spec.set_cap_duration_ns(2'000'000'000);
      spec.add_payload()->set_udp_payload_bytes(100);
      spec.mutable_payload(0)->set_weight(1);
    }
    return request;
  }
  static dp::Request Arm(uint32_t slot) {
    dp::Request request;
    request.mutable_arm_flow()->set_slot(slot);
    request.mutable_arm_flow()->set_generation(7);
    return request;
  }
  static dp::Request List() {
    dp::Request request;
    request.mutable_list_flows();
    return request;
  }

  ScratchDirectory directory_;
  const std::string socket_ = directory_ / "dp.sock";
  Process dataplane_;
};

TEST_F(CommandProtocolTest, HelloPassesASealedSegmentOfTheRightLayout) {
  Controller controller(socket_);
  const auto response = controller.Hello();
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->status().code(), dp::OK);
  EXPECT_EQ(response->hello().boot_id().size(), 16u);
  EXPECT_EQ(response->hello().slots(), 256u);
  EXPECT_EQ(response->hello().control_lease_ns(), 2'000'000'000u);
  ASSERT_TRUE(controller.segment());
  const int seals = fcntl(controller.segment().get(), F_GET_SEALS);
  EXPECT_EQ(seals & (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL | F_SEAL_FUTURE_WRITE),
            F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL | F_SEAL_FUTURE_WRITE);
  EXPECT_EQ(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, controller.segment().get(), 0),
            MAP_FAILED);
}

TEST_F(CommandProtocolTest, ASecondControllerIsRefused) {
  Controller first(socket_);
  ASSERT_EQ(first.Hello()->status().code(), dp::OK);
  Controller second(socket_);
  const auto response = second.Hello();
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->status().code(), dp::UNAVAILABLE);
  EXPECT_FALSE(response->status().message().empty());
  EXPECT_FALSE(second.segment());
  EXPECT_EQ(first.Call(List())->status().code(), dp::OK);
}

TEST_F(CommandProtocolTest, AClosedConnectionFreesTheSeat) {
  {
    Controller first(socket_);
    ASSERT_EQ(first.Hello()->status().code(), dp::OK);
  }
  EXPECT_TRUE(Eventually([this] {
    Controller next(socket_);
    const auto response = next.Hello();
    return response.has_value() && response->status().code() == dp::OK;
  }));
}

TEST_F(CommandProtocolTest, AnotherProtocolVersionIsNamedAndClosed) {
  Controller controller(socket_);
  const auto response = controller.Hello(99);
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->status().code(), dp::UNIMPLEMENTED);
  EXPECT_NE(response->status().message().find("99"), std::string::npos);
  EXPECT_TRUE(controller.Closed());
}

TEST_F(CommandProtocolTest, NothingIsServedBeforeHello) {
  Controller controller(socket_);
  const auto response = controller.Call(Program(1, dp::TX));
  EXPECT_FALSE(response.has_value() && response->status().code() == dp::OK);
  Controller next(socket_);
  ASSERT_TRUE(Eventually([&] {
    const auto hello = next.Hello();
    return hello.has_value() && hello->status().code() == dp::OK;
  }));
  EXPECT_EQ(next.Call(List())->flows().flows_size(), 0);
}

TEST_F(CommandProtocolTest, GarbageHurtsOnlyTheOneWhoSendsIt) {
  for (const std::string& bytes :
       {std::string("\xFF\xFF\xFF\xFF"), std::string(100'000, 'x'), std::string(1, '\0')}) {
    Controller controller(socket_);
    controller.SendRaw(bytes);
    controller.Receive();
  }
  EXPECT_TRUE(Eventually([this] {
    Controller controller(socket_);
    const auto response = controller.Hello();
    return response.has_value() && response->status().code() == dp::OK;
  }));
}

TEST_F(CommandProtocolTest, ARepeatedRequestIsAnsweredWithTheFirstAnswer) {
  Controller controller(socket_);
  ASSERT_EQ(controller.Hello()->status().code(), dp::OK);
  const auto first = controller.Call(Program(1, dp::RX), 77);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->status().code(), dp::OK) << first->status().message();
  dp::Request other = Program(2, dp::RX);  // Same id: what it asks does not count.
  const auto second = controller.Call(other, 77);
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->flow().slot(), 1u);
  EXPECT_EQ(controller.Call(List())->flows().flows_size(), 1);
}

TEST_F(CommandProtocolTest, ASlotInUseIsRefusedUnlessTheSpecIsTheSame) {
  Controller controller(socket_);
  ASSERT_EQ(controller.Hello()->status().code(), dp::OK);
  ASSERT_EQ(controller.Call(Program(1, dp::RX))->status().code(), dp::OK);
  EXPECT_EQ(controller.Call(Program(1, dp::RX))->status().code(), dp::OK);
  dp::Request other = Program(1, dp::RX);
  other.mutable_program_flow()->mutable_spec()->set_generation(8);
  EXPECT_EQ(controller.Call(other)->status().code(), dp::ALREADY_EXISTS);
}

TEST_F(CommandProtocolTest, AnUnprovenFlowCannotBeArmed) {
  Controller controller(socket_);
  ASSERT_EQ(controller.Hello()->status().code(), dp::OK);
  ASSERT_EQ(controller.Call(Program(1, dp::TX))->status().code(), dp::OK);
  const auto response = controller.Call(Arm(1));
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->status().code(), dp::FAILED_PRECONDITION);
  EXPECT_NE(response->status().message().find("bench=on"), std::string::npos);
  EXPECT_EQ(controller.Call(Arm(2))->status().code(), dp::NOT_FOUND);
}

// Whether a flow may do without a proof is not for the controller to say.
TEST_F(CommandProtocolTest, ABenchFlowIsRefusedOnAPortThatWasNotOpenedForIt) {
  Controller controller(socket_);
  ASSERT_EQ(controller.Hello()->status().code(), dp::OK);
  dp::Request request = Program(1, dp::TX);
  request.mutable_program_flow()->mutable_spec()->mutable_bench()->set_destination_mac(
      std::string("\x02\0\0\0\0\x02", 6));
  const auto response = controller.Call(request);
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->status().code(), dp::FAILED_PRECONDITION);
  EXPECT_EQ(response->status().field(), "spec.bench");
  EXPECT_NE(response->status().message().find("bench=on"), std::string::npos);
  EXPECT_EQ(controller.Call(Arm(1))->status().code(), dp::NOT_FOUND);
}

TEST_F(CommandProtocolTest, ABadFieldIsNamed) {
  Controller controller(socket_);
  ASSERT_EQ(controller.Hello()->status().code(), dp::OK);
  dp::Request request = Program(1, dp::TX);
  request.mutable_program_flow()->mutable_spec()->set_port("nowhere");
  auto response = controller.Call(request);
  EXPECT_NE(response->status().code(), dp::OK);
  EXPECT_NE(response->status().field().find("port"), std::string::npos);
  request = Program(1, dp::TX);
  request.mutable_program_flow()->mutable_spec()->mutable_payload(0)->set_udp_payload_bytes(9000);
  response = controller.Call(request);
  EXPECT_EQ(response->status().code(), dp::INVALID_ARGUMENT);
  EXPECT_NE(response->status().field().find("payload"), std::string::npos);
  EXPECT_EQ(controller.Call(List())->flows().flows_size(), 0);
}

TEST_F(CommandProtocolTest, AnExpiredLeaseStopsTheFlowsAndFreesTheSeat) {
  Controller silent(socket_);
  ASSERT_EQ(silent.Hello()->status().code(), dp::OK);
  dp::Request program = Program(1, dp::RX);
  program.mutable_program_flow()->mutable_spec()->set_peer_proof_attempts(1000);
  ASSERT_EQ(silent.Call(program)->status().code(), dp::OK);
  const Clock::time_point since = Clock::now();
  EXPECT_TRUE(silent.Closed());
  const auto waited = Clock::now() - since;
  EXPECT_GT(waited, std::chrono::milliseconds(1500));
  EXPECT_LT(waited, std::chrono::milliseconds(3500));
  Controller next(socket_);
  ASSERT_EQ(next.Hello()->status().code(), dp::OK);
  std::optional<dp::Response> flows;
  EXPECT_TRUE(Eventually([&] {  // Its worker publishes the last counters in the meantime.
    flows = next.Call(List());
    return flows.has_value() && flows->flows().flows_size() == 1 &&
           flows->flows().flows(0).state() == dp::FINISHED;
  }));
  EXPECT_EQ(flows->flows().flows(0).reason(), dp::END_CONTROL_LEASE);
  EXPECT_EQ(flows->flows().flows(0).session_id(), "0123456789abcdef");
}

TEST_F(CommandProtocolTest, ListsItsPorts) {
  Controller controller(socket_);
  ASSERT_EQ(controller.Hello()->status().code(), dp::OK);
  dp::Request request;
  request.mutable_list_ports();
  const auto response = controller.Call(request);
  ASSERT_EQ(response->ports().ports_size(), 1);
  EXPECT_EQ(response->ports().ports(0).name(), "data");
  EXPECT_EQ(response->ports().ports(0).ip4(), std::string("\xC0\0\x02\x01", 4));
  EXPECT_EQ(response->ports().ports(0).mtu(), 1500u);
}

}  // namespace
}  // namespace weir::test

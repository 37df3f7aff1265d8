// The controller's client against a dataplane that misbehaves.
#include "control/dataplane/client.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/ipc/fake_dataplane.h"

namespace weir::control {
namespace {

namespace dp = dataplane::v1;
using test::Eventually;
using test::FakeDataplane;

class ClientTest : public testing::Test {
 protected:
  std::string socket() { return directory_ / "dp.sock"; }
  // `impatient`: for a dataplane that does not answer. One that does may be kept from its CPU.
  void StartClient(bool impatient = false) {
    Client::Options options;
    options.socket = socket();
    options.reply_timeout = std::chrono::milliseconds(impatient ? 300 : 20'000);
    options.silence_limit = std::chrono::milliseconds(impatient ? 900 : 20'000);
    options.renew_interval = std::chrono::milliseconds(100);
    options.retry_interval = std::chrono::milliseconds(20);
    client_ = std::make_unique<Client>(
        options, Client::Callbacks{.connected = [this](auto) { ++connected_; },
                                   .disconnected = [this](auto) { ++disconnected_; },
                                   .flow_event = [this](const dp::FlowInfo&) { ++events_; }});
  }
  bool Connected() {
    return Eventually([this] { return client_->connection() != nullptr; });
  }
  bool SaysError(const std::string& part) {
    return Eventually([&] { return client_->last_error().find(part) != std::string::npos; });
  }

  test::ScratchDirectory directory_;
  std::atomic<int> connected_{0};
  std::atomic<int> disconnected_{0};
  std::atomic<int> events_{0};
  std::unique_ptr<FakeDataplane> fake_;
  std::unique_ptr<Client> client_;
};

TEST_F(ClientTest, WaitsForADataplaneAndTakesARestartedOne) {
  StartClient();
  EXPECT_TRUE(SaysError("is weir-dataplane running?"));
  EXPECT_TRUE(absl::IsUnavailable(client_->ListPorts().status()));
  fake_ = std::make_unique<FakeDataplane>(socket());
  ASSERT_TRUE(Connected());
  const std::shared_ptr<const Connection> first = client_->connection();
  EXPECT_TRUE(client_->ListPorts().ok());
  fake_.reset();
  ASSERT_TRUE(Eventually([this] { return disconnected_ == 1; }));
  // What the dead one left is still readable.
  EXPECT_TRUE(first->segment->Tx(0).has_value());
  fake_ = std::make_unique<FakeDataplane>(socket());
  ASSERT_TRUE(Connected());
  EXPECT_GT(client_->connection()->number, first->number);
}

TEST_F(ClientTest, RenewsTheLeaseByItself) {
  fake_ = std::make_unique<FakeDataplane>(socket());
  StartClient();
  EXPECT_TRUE(Eventually([this] { return fake_->renewals() >= 3; }));
}

TEST_F(ClientTest, AnErrorNamesTheField) {
  fake_ = std::make_unique<FakeDataplane>(socket());
  fake_->SetOverride([](const dp::Request& request) -> std::optional<dp::Response> {
    if (!request.has_program_flow()) return std::nullopt;
    dp::Response response;
    response.mutable_status()->set_code(dp::INVALID_ARGUMENT);
    response.mutable_status()->set_field("spec.port");
    response.mutable_status()->set_message("no such port");
    return response;
  });
  StartClient();
  ASSERT_TRUE(Connected());
  const absl::Status status = client_->ProgramFlow({}).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_EQ(status.message(), "spec.port: no such port");
}

TEST_F(ClientTest, AnAnswerThatDoesNotComeEndsTheCallThenTheConnection) {
  fake_ = std::make_unique<FakeDataplane>(socket());
  StartClient(/*impatient=*/true);
  ASSERT_TRUE(Connected());
  fake_->StopAnswering();
  EXPECT_TRUE(absl::IsDeadlineExceeded(client_->ListPorts().status()));
  EXPECT_TRUE(Eventually([this] { return disconnected_ == 1; }));
}

TEST_F(ClientTest, ADeathInTheMiddleOfACallEndsItAtOnce) {
  fake_ = std::make_unique<FakeDataplane>(socket());
  fake_->SetOverride([this](const dp::Request& request) -> std::optional<dp::Response> {
    if (request.has_list_ports()) fake_->StopAnswering();
    return std::nullopt;
  });
  StartClient();
  ASSERT_TRUE(Connected());
  std::thread death([this] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    fake_->CloseConnection();
  });
  fake_->StopAnswering();
  EXPECT_TRUE(absl::IsUnavailable(client_->ListPorts().status()));
  death.join();
}

TEST_F(ClientTest, GarbageEndsTheConnection) {
  fake_ = std::make_unique<FakeDataplane>(socket());
  StartClient();
  ASSERT_TRUE(Connected());
  fake_->SendRaw("\xFF\xFF\xFFgarbage");
  EXPECT_TRUE(Eventually([this] { return disconnected_ == 1; }));
  EXPECT_TRUE(Eventually([this] { return connected_ == 2; }));
}

TEST_F(ClientTest, AnAnswerNobodyAskedForIsIgnored) {
  fake_ = std::make_unique<FakeDataplane>(socket());
  StartClient();
  ASSERT_TRUE(Connected());
  dp::Message message;
  message.mutable_response()->set_request_id(12345);
  fake_->SendRaw(message.SerializeAsString());
  EXPECT_TRUE(client_->ListPorts().ok());
  EXPECT_EQ(disconnected_, 0);
}

TEST_F(ClientTest, EventsReachTheCallback) {
  fake_ = std::make_unique<FakeDataplane>(socket());
  StartClient();
  ASSERT_TRUE(Connected());
  fake_->SetFlow(1, dp::PROVEN, dp::END_NONE);
  EXPECT_TRUE(Eventually([this] { return events_ == 1; }));
}

TEST_F(ClientTest, RefusesAnotherLayout) {
  fake_ = std::make_unique<FakeDataplane>(
      socket(), FakeDataplane::Options{.layout_version = shm::kLayoutVersion + 1});
  StartClient();
  EXPECT_TRUE(SaysError("layout 2"));
  EXPECT_EQ(connected_, 0);
}

TEST_F(ClientTest, RefusesAnotherProtocolVersion) {
  fake_ = std::make_unique<FakeDataplane>(socket(), FakeDataplane::Options{.protocol_version = 9});
  StartClient();
  EXPECT_TRUE(SaysError("command protocol 9"));
}

TEST_F(ClientTest, RefusesASegmentThatCouldShrink) {
  fake_ = std::make_unique<FakeDataplane>(socket(), FakeDataplane::Options{.sealed = false});
  StartClient();
  EXPECT_TRUE(SaysError("not sealed"));
}

TEST_F(ClientTest, RefusesASegmentShorterThanItsHeaderSays) {
  fake_ = std::make_unique<FakeDataplane>(socket(), FakeDataplane::Options{.truncated = true});
  StartClient();
  EXPECT_TRUE(SaysError("dimensions that do not fit"));
}

TEST_F(ClientTest, RefusesAHelloWithoutASegment) {
  fake_ = std::make_unique<FakeDataplane>(socket(), FakeDataplane::Options{.with_segment = false});
  StartClient();
  EXPECT_TRUE(SaysError("no counter segment"));
}

TEST_F(ClientTest, SaysWhenADataplaneAcceptsAndDoesNotAnswer) {
  fake_ = std::make_unique<FakeDataplane>(socket(), FakeDataplane::Options{.answers = false});
  StartClient(/*impatient=*/true);
  EXPECT_TRUE(SaysError("does not answer"));
}

}  // namespace
}  // namespace weir::control

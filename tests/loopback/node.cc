#include "tests/loopback/node.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <thread>

#include "wire/test_packet.h"

namespace weir::test {
namespace {

using namespace std::chrono_literals;
namespace v1 = dataplane::v1;

constexpr auto kPatience = 30s;

std::string Ip(bool ipv6, uint8_t host) {
  if (!ipv6) return {'\xC0', '\0', '\x02', static_cast<char>(host)};
  std::string ip("\x20\x01\x0D\xB8", 4);
  ip.resize(16);
  ip[15] = static_cast<char>(host);
  return ip;
}

}  // namespace

Node::Node(const std::string& directory, const std::string& name, const std::string& port,
           const std::vector<std::string>& more_flags)
    : socket_(directory + "/" + name + ".sock") {
  const char* binary = std::getenv("WEIR_DATAPLANE");
  if (binary == nullptr) throw std::runtime_error("WEIR_DATAPLANE must name the binary");
  std::vector<std::string> arguments = {binary,         "--no-huge", "--memory",    "256",
                                        "--histograms", "64",        "--socket",    socket_,
                                        "--port",       port,        "--log-level", "warning"};
  if (std::find(more_flags.begin(), more_flags.end(), "--flows") == more_flags.end()) {
    arguments.insert(arguments.end(), {"--flows", "1024"});
  }
  arguments.insert(arguments.end(), more_flags.begin(), more_flags.end());
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execv(binary, argv.data());
    _exit(127);
  }
  TakeSeat();
}

void Node::TakeSeat() {
  client_ = std::make_unique<control::Client>(
      control::Client::Options{.socket = socket_},
      control::Client::Callbacks{.connected = [](auto) {},
                                 .disconnected = [](auto) {},
                                 .flow_event =
                                     [this](const v1::FlowInfo& flow) {
                                       const std::lock_guard lock(mutex_);
                                       flows_[{flow.slot(), flow.generation()}] = flow;
                                       changed_.notify_all();
                                     }});
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (client_->connection() == nullptr) {
    if (std::chrono::steady_clock::now() > deadline) {
      throw std::runtime_error("the dataplane did not come up: " + client_->last_error());
    }
    std::this_thread::sleep_for(10ms);
  }
}

Node::~Node() {
  client_.reset();
  if (pid_ <= 0) return;
  Kill(SIGTERM);
  Kill(SIGCONT);  // A test may have stopped it.
  WaitForExit();
}

void Node::Kill(int signal) { kill(pid_, signal); }

int Node::WaitForExit() {
  int status = 0;
  for (int i = 0; i < 1000; ++i) {
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      return status;
    }
    std::this_thread::sleep_for(10ms);
  }
  ADD_FAILURE() << "weir-dataplane does not end";
  Kill(SIGKILL);
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return status;
}

v1::FlowInfo Node::WaitFor(control::FlowSlot flow, v1::FlowState state) {
  std::unique_lock lock(mutex_);
  v1::FlowInfo& info = flows_[{flow.slot, flow.generation}];
  const bool reached = changed_.wait_for(
      lock, kPatience, [&] { return info.state() == state || info.state() == v1::FINISHED; });
  EXPECT_TRUE(reached) << "slot " << flow.slot << " is in " << v1::FlowState_Name(info.state())
                       << " instead of " << v1::FlowState_Name(state);
  return info;
}

NodePair::NodePair(const std::string& more_keys, std::vector<std::string> more_flags) {
  char pattern[] = "/tmp/weir-loopback-XXXXXX";
  directory_ = mkdtemp(pattern);
  std::filesystem::permissions(directory_, std::filesystem::perms::all);
  const std::string device = "lab0=memif:" + directory_ + "/memif.sock";
  const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
  const std::string cpu[2] = {"0", cpus > 1 ? "1" : "0"};
  for (int i = 0; i < 2; ++i) {
    std::vector<std::string> flags = more_flags;
    if (std::find(flags.begin(), flags.end(), "--lcores") == flags.end()) {
      flags.insert(flags.end(), {"--lcores", cpu[i]});
    }
    const std::string host = std::to_string(i + 1);
    nodes_[i] = std::make_unique<Node>(directory_, i == 0 ? "sender" : "receiver",
                                       device + (i == 0 ? ",role=server" : ",role=client") +
                                           ",ip4=192.0.2." + host + "/24,ip6=2001:db8::" + host +
                                           "/64" + more_keys,
                                       flags);
  }
}

NodePair::~NodePair() {
  for (auto& node : nodes_) node.reset();
  std::filesystem::remove_all(directory_);
}

v1::FlowSpec NodePair::SenderSpec(uint32_t slot, bool ipv6, v1::FlowSpec spec) {
  const uint32_t receiver = ReceiverSlot(slot).slot;
  spec.set_slot(slot);
  spec.set_generation(kGeneration);
  spec.set_role(v1::TX);
  spec.set_session_id("0123456789abcdef");
  spec.set_stream(slot);
  spec.set_port("lab0");
  spec.mutable_local()->set_udp_port(40000 + slot);
  spec.mutable_remote()->set_ip(Ip(ipv6, 2));
  spec.mutable_remote()->set_udp_port(50000 + slot);
  spec.set_cookie(wire::MakeCookie(receiver, 0xABCDEF0123 + slot));
  spec.set_peer_slot(receiver);
  spec.set_peer_generation(kGeneration);
  spec.set_session_key(std::string(32, 'k'));
  return spec;
}

v1::FlowSpec NodePair::ReceiverSpec(uint32_t slot, bool ipv6) {
  v1::FlowSpec spec = SenderSpec(slot, ipv6, {});
  spec.set_slot(ReceiverSlot(slot).slot);
  spec.set_role(v1::RX);
  spec.mutable_local()->set_udp_port(50000 + slot);
  spec.mutable_remote()->set_ip(Ip(ipv6, 1));
  spec.mutable_remote()->set_udp_port(40000 + slot);
  spec.set_peer_slot(slot);
  spec.set_histogram(true);
  return spec;
}

void NodePair::Program(uint32_t slot, bool ipv6, v1::FlowSpec spec) {
  const auto tx = sender().client().ProgramFlow(SenderSpec(slot, ipv6, std::move(spec)));
  ASSERT_TRUE(tx.ok()) << tx.status();
  const auto rx = receiver().client().ProgramFlow(ReceiverSpec(slot, ipv6));
  ASSERT_TRUE(rx.ok()) << rx.status();
}

void NodePair::Arm(uint32_t slot) {
  const v1::FlowInfo proven = sender().WaitFor(SenderSlot(slot), v1::PROVEN);
  ASSERT_EQ(proven.state(), v1::PROVEN) << v1::EndReason_Name(proven.reason());
  const auto armed = sender().client().ArmFlow(SenderSlot(slot));
  ASSERT_TRUE(armed.ok()) << armed.status();
}

shm::RxCounters NodePair::received(uint32_t slot) {
  shm::RxCounters sum{};
  for (uint32_t worker = 0; worker < receiver().segment().header().workers; ++worker) {
    const auto counters = receiver().segment().Rx(worker, ReceiverSlot(slot).slot);
    if (!counters.has_value() || counters->generation != kGeneration || counters->packets == 0) {
      continue;
    }
    if (sum.packets == 0) {
      sum = *counters;
      continue;
    }
    sum.packets += counters->packets;
    sum.bytes += counters->bytes;
    sum.duplicated += counters->duplicated;
    sum.highest_sequence = std::max(sum.highest_sequence, counters->highest_sequence);
  }
  return sum;
}

void NodePair::Finish(uint32_t slot) {
  ASSERT_EQ(sender().WaitFor(SenderSlot(slot), v1::FINISHED).state(), v1::FINISHED);
  const uint64_t expected = sent(slot).packets;
  uint64_t before = 0;
  for (int quiet = 0; quiet < 200 && received(slot).packets < expected;) {
    std::this_thread::sleep_for(10ms);
    const uint64_t now = received(slot).packets;
    quiet = now == before ? quiet + 1 : 0;
    before = now;
  }
  const auto stopped = receiver().client().StopFlow(ReceiverSlot(slot));
  ASSERT_TRUE(stopped.ok()) << stopped.status();
  EXPECT_EQ(stopped->state(), v1::FINISHED);
}

v1::FlowSpec Load(uint64_t rate_bps, uint32_t udp_payload, uint64_t duration_ms) {
  v1::FlowSpec spec;
  spec.set_rate_bps(rate_bps);
  v1::PayloadSize* size = spec.add_payload();
  size->set_udp_payload_bytes(udp_payload);
  size->set_weight(1);
  spec.set_duration_ns(duration_ms * 1'000'000);
  return spec;
}

}  // namespace weir::test

// A controller of two dataplanes that reads all counters of a flow in every other slice of time:
// the row counters of bench/run. Prints the sink's packets/s in each slice.
//   bench-counters SENDER_SOCKET RECEIVER_SOCKET SENDER_IP RECEIVER_IP SLICES SLICE_MS SAMPLE_MS
#include <arpa/inet.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "control/collector/delay.h"
#include "control/collector/flow_counters.h"
#include "control/dataplane/client.h"
#include "wire/test_packet.h"

namespace weir::bench {
namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;
namespace v1 = dataplane::v1;

constexpr control::FlowSlot kSenderSlot{1, 1};
constexpr control::FlowSlot kReceiverSlot{2, 1};
constexpr uint32_t kSenderUdp = 40'000;
constexpr uint32_t kReceiverUdp = 50'000;
constexpr auto kPatience = 20s;
constexpr auto kWarmUp = 300ms;

struct Plan {
  std::string sender_ip;
  std::string receiver_ip;
  int slices;
  std::chrono::milliseconds slice;
  std::chrono::milliseconds sample;
};

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "bench-counters: %s\n", what.c_str());
  std::exit(3);
}

std::string IpBytes(const std::string& text) {
  in_addr address{};
  if (inet_pton(AF_INET, text.c_str(), &address) != 1) Fail(text + " is not an IPv4 address");
  return {reinterpret_cast<const char*>(&address), sizeof(address)};
}

template <typename Condition>
void Await(const char* what, Condition condition) {
  const auto deadline = Steady::now() + kPatience;
  while (!condition()) {
    if (Steady::now() > deadline) Fail(std::string("gave up waiting for ") + what);
    std::this_thread::sleep_for(5ms);
  }
}

std::unique_ptr<control::Client> TakeSeat(const char* socket) {
  auto client = std::make_unique<control::Client>(
      control::Client::Options{.socket = socket},
      control::Client::Callbacks{
          .connected = [](auto) {}, .disconnected = [](auto) {}, .flow_event = [](auto&) {}});
  Await(socket, [&client] { return client->connection() != nullptr; });
  return client;
}

v1::FlowSpec Spec(const Plan& plan, v1::Role role) {
  const bool sends = role == v1::TX;
  const control::FlowSlot& own = sends ? kSenderSlot : kReceiverSlot;
  const control::FlowSlot& peer = sends ? kReceiverSlot : kSenderSlot;
  v1::FlowSpec spec;
  spec.set_slot(own.slot);
  spec.set_generation(own.generation);
  spec.set_role(role);
  spec.set_session_id("bench-counters--");
  spec.set_port("data");
  spec.mutable_local()->set_udp_port(sends ? kSenderUdp : kReceiverUdp);
  spec.mutable_remote()->set_ip(IpBytes(sends ? plan.receiver_ip : plan.sender_ip));
  spec.mutable_remote()->set_udp_port(sends ? kReceiverUdp : kSenderUdp);
  spec.set_cookie(wire::MakeCookie(kReceiverSlot.slot, 0xABCDEF0123));
  spec.set_peer_slot(peer.slot);
  spec.set_peer_generation(peer.generation);
  spec.set_session_key(std::string(32, 'k'));
  if (!sends) {
    spec.set_histogram(true);
    return spec;
  }
  spec.set_rate_max(true);
  spec.set_cap_rate_bps(400'000'000'000);  // More than shared memory carries.
  v1::PayloadSize* size = spec.add_payload();
  size->set_udp_payload_bytes(wire::kMinUdpPayload);
  size->set_weight(1);
  spec.set_duration_ns(3600 * uint64_t{1'000'000'000});
  return spec;
}

// Everything weir-control reads of a flow and of its node while a session runs.
void Sample(const control::Segment& segment, bool sends, control::FlowSlot slot,
            int32_t histogram) {
  if (sends) {
    control::ReadSender(segment, {slot});
  } else {
    control::ReadReceiver(segment, {{slot, histogram}});
    control::MeasureDelay(segment, {{slot, histogram}}, true);
  }
  segment.Status(slot.slot);
  segment.Worker(0);
  segment.Port(0);
  segment.Node();
}

struct Count {
  uint64_t packets;
  uint64_t ns;  // The sink's clock at the last of them.
};

Count ReadSink(const control::Segment& segment) {
  shm::RxCounters counters{};
  Await("the sink's counters", [&] {
    const auto read = segment.Rx(0, kReceiverSlot.slot);
    if (read.has_value()) counters = *read;
    return counters.packets != 0;
  });
  return {counters.packets, counters.last_ns};
}

int Run(const char* sender_socket, const char* receiver_socket, const Plan& plan) {
  const auto sender = TakeSeat(sender_socket);
  const auto receiver = TakeSeat(receiver_socket);
  const auto sender_segment = sender->connection()->segment;
  const auto receiver_segment = receiver->connection()->segment;
  Await("the link", [&] { return sender_segment->Port(0).value_or(shm::PortCounters{}).link_up; });

  const auto programmed = sender->ProgramFlow(Spec(plan, v1::TX));
  if (!programmed.ok()) Fail(std::string(programmed.status().message()));
  const auto receiving = receiver->ProgramFlow(Spec(plan, v1::RX));
  if (!receiving.ok()) Fail(std::string(receiving.status().message()));
  Await("the address proof", [&] {
    const auto status = sender_segment->Status(kSenderSlot.slot);
    return status.has_value() && status->state == v1::PROVEN;
  });
  if (const auto armed = sender->ArmFlow(kSenderSlot); !armed.ok()) {
    Fail(std::string(armed.status().message()));
  }
  ReadSink(*receiver_segment);
  std::this_thread::sleep_for(kWarmUp);

  std::vector<double> rates;
  Count before = ReadSink(*receiver_segment);
  auto end = Steady::now();
  for (int slice = 0; slice < plan.slices; ++slice) {
    end += plan.slice;
    if (slice % 2 == 0) {
      for (auto next = Steady::now(); next < end; next += plan.sample) {
        std::this_thread::sleep_until(next);
        Sample(*sender_segment, true, kSenderSlot, -1);
        Sample(*receiver_segment, false, kReceiverSlot, receiving->histogram_index());
      }
    }
    std::this_thread::sleep_until(end);
    const Count now = ReadSink(*receiver_segment);
    if (now.ns <= before.ns) Fail("the flow stands still; is the dataplane overloaded?");
    rates.push_back(static_cast<double>(now.packets - before.packets) * 1e9 /
                    static_cast<double>(now.ns - before.ns));
    before = now;
  }
  std::printf("{\"packets_per_second\": [");
  for (size_t i = 0; i < rates.size(); ++i) std::printf("%s%.0f", i == 0 ? "" : ", ", rates[i]);
  std::printf("]}\n");
  return 0;
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  if (argc != 8 || std::atoi(argv[5]) < 2 || std::atoi(argv[6]) < 1 || std::atoi(argv[7]) < 1) {
    std::fprintf(stderr,
                 "usage: bench-counters SENDER_SOCKET RECEIVER_SOCKET SENDER_IP RECEIVER_IP "
                 "SLICES SLICE_MS SAMPLE_MS\n");
    return 2;
  }
  spdlog::set_default_logger(spdlog::stderr_logger_mt("bench-counters"));
  return weir::bench::Run(argv[1], argv[2],
                          {.sender_ip = argv[3],
                           .receiver_ip = argv[4],
                           .slices = std::atoi(argv[5]),
                           .slice = std::chrono::milliseconds(std::atoi(argv[6])),
                           .sample = std::chrono::milliseconds(std::atoi(argv[7]))});
}

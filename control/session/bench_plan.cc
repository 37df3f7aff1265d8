#include "control/session/bench_plan.h"

#include <sodium.h>

#include "wire/byte_order.h"
#include "wire/signal_packet.h"
#include "wire/test_packet.h"

namespace weir::control {
namespace {

constexpr char kBenchLabel[] = "weir-bench-1";
// Dynamic ports (RFC 6335). A sink's is that of its slot, as in any session; the sender's is half
// of them away, so that both may be on one port.
constexpr uint32_t kFirstBenchPort = 49152;
constexpr uint32_t kBenchPorts = 16384;

// BLAKE2b over label, purpose, number and key: 32 bytes.
std::string Derive(const std::string& key, char purpose, uint32_t number) {
  const wire::Be32 big_endian(number);
  crypto_generichash_state state;
  crypto_generichash_init(&state, nullptr, 0, wire::kSessionKeyBytes);
  const auto update = [&state](const void* bytes, size_t count) {
    crypto_generichash_update(&state, static_cast<const unsigned char*>(bytes), count);
  };
  update(kBenchLabel, sizeof(kBenchLabel) - 1);
  update(&purpose, 1);
  update(&big_endian, sizeof(big_endian));
  update(key.data(), key.size());
  std::string out(wire::kSessionKeyBytes, '\0');
  crypto_generichash_final(&state, reinterpret_cast<unsigned char*>(out.data()), out.size());
  return out;
}

uint64_t FirstWord(const std::string& bytes) {
  uint64_t word = 0;
  for (size_t i = 0; i < 8; ++i) word = word << 8 | static_cast<unsigned char>(bytes[i]);
  return word;
}

}  // namespace

BenchPlan MakeBenchPlan(const std::string& key, uint32_t trial, uint32_t udp_port,
                        uint32_t streams) {
  BenchPlan plan;
  plan.session_key = Derive(key, 'k', trial);
  // Of its own key, so that nothing sent tells anything of the session's.
  const std::string cookie_key = Derive(key, 'c', trial);
  plan.first_slot =
      static_cast<uint32_t>(FirstWord(Derive(key, 's', trial)) % (kBenchSlots - streams + 1));
  for (uint32_t i = 0; i < streams; ++i) {
    BenchStream& stream = plan.streams.emplace_back();
    stream.sink_slot = plan.first_slot + i;
    stream.cookie = wire::MakeCookie(stream.sink_slot, FirstWord(Derive(cookie_key, 'c', i)));
    const uint32_t port = stream.sink_slot % kBenchPorts;
    stream.sink_port = static_cast<uint16_t>(udp_port != 0 ? udp_port + i : kFirstBenchPort + port);
    stream.sender_port =
        static_cast<uint16_t>(kFirstBenchPort + (port + kBenchPorts / 2) % kBenchPorts);
  }
  return plan;
}

}  // namespace weir::control

// One admission decision, with as many rules and as much tracked use as a large platform has.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/quantile.h"
#include "control/admission/admission.h"
#include "control/admission/observed_use.h"

namespace weir::bench {
namespace {

using control::Admission;
using control::AdmissionRequest;
using control::Policy;
using Clock = std::chrono::steady_clock;
using Micros = std::chrono::duration<double, std::micro>;

constexpr uint32_t kRules = 100'000;
constexpr uint32_t kTracked = 100'000;

std::string Dotted(uint32_t address) {
  return absl::StrCat(address >> 24, ".", address >> 16 & 255, ".", address >> 8 & 255, ".",
                      address & 255);
}

// A rule for each of 100,000 prefixes of /16 to /32, half of them refused; the rest of the world
// is admitted within quotas of every scope.
std::shared_ptr<const Policy> LargePolicy() {
  std::mt19937 random(1);
  std::string text = "profile: \"lab\"\n";
  for (uint32_t i = 0; i < kRules; ++i) {
    const uint32_t length = 16 + random() % 17;
    // The lower half of the addresses, so that the upper one is for "world".
    const uint32_t address = (random() & 0x7FFFFFFF) & ~((uint64_t{1} << (32 - length)) - 1);
    absl::StrAppend(&text, "admission { name: \"r", i, "\" effect: ", i % 2 == 0 ? "DENY" : "ALLOW",
                    " match { client: \"", Dotted(address), "/", length, "\" experiment: \"e", i,
                    "\" } }\n");
  }
  text +=
      "admission { name: \"world\" effect: ALLOW limit { rate_bps: 100000000 duration_ms: 10000 }\n"
      "  quota { scope: PREFIX concurrent_sessions: 4 rate_bps: 1000000000 tests_a_day: 1000000\n"
      "          bytes_a_day: 1000000000000000 }\n"
      "  quota { scope: EXPERIMENT concurrent_sessions: 1000 }\n"
      "  quota { scope: LINK average_bps: 100000000000 } }\n"
      "export { name: \"all\" effect: ALLOW address: \"none\" release_class: \"public\" }\n";
  auto policy = Policy::Parse("bench", text);
  return policy.ok() ? *policy : nullptr;
}

AdmissionRequest Request() {
  AdmissionRequest request;
  request.port = "eth0";
  auto& direction = request.directions.emplace_back();
  direction.set_direction(record::v1::DOWN);
  auto* parameters = direction.mutable_parameters();
  parameters->set_rate_bps(50'000'000);
  parameters->set_duration_ns(10'000'000'000);
  parameters->set_streams(1);
  parameters->set_ip_version(4);
  parameters->add_payload()->set_udp_payload_bytes(1472);
  parameters->mutable_payload(0)->set_weight(1);
  return request;
}

// Address number `host` of tracked network `i`: each a /24, from 128.0.0.0 on.
std::string InTracked(uint32_t i, uint32_t host) { return Dotted(0x80000000 + (i << 8) + host); }

// Null if its policy has a fault or it refuses a first test of a network.
std::unique_ptr<Admission> MakePlatform() {
  const std::shared_ptr<const Policy> policy = LargePolicy();
  if (policy == nullptr) return nullptr;
  auto admission =
      std::make_unique<Admission>(Admission::Options{.operator_name = "o", .contact = "c"}, policy);
  admission->SetPorts({{.name = "eth0", .budget_bps = 400'000'000'000, .mtu = 1500}});
  AdmissionRequest request = Request();
  for (uint32_t i = 0; i < kTracked; ++i) {
    request.peer_addresses = {InTracked(i, 7)};
    if (!std::holds_alternative<control::AdmissionGrant>(admission->Decide(request)))
      return nullptr;
  }
  return admission;
}

// Every decision is timed by itself: its tail is what is promised.
void Decide(benchmark::State& state) {
  static const std::unique_ptr<Admission> admission = MakePlatform();  // Takes seconds.
  if (admission == nullptr) {
    state.SkipWithError("the platform could not be made");
    return;
  }
  AdmissionRequest request = Request();
  std::mt19937 random(2);
  std::vector<double> times_us;
  std::vector<double> words_us;  // Of its trace, which are written after it.
  for (auto _ : state) {
    // One in two falls among the rules, one in two among the tracked.
    request.peer_addresses = {random() % 2 == 0 ? Dotted((random() & 0x7FFFFFFF) | 1)
                                                : InTracked(random() % kTracked, 9)};
    const auto begun = Clock::now();
    control::AdmissionDecision decision = admission->Decide(request);
    const Micros took = Clock::now() - begun;
    benchmark::DoNotOptimize(decision);
    times_us.push_back(took.count());
    state.SetIterationTime(took.count() / 1e6);
    const auto decided = Clock::now();
    benchmark::DoNotOptimize(std::get<control::AdmissionGrant>(decision).trace.ToProto());
    words_us.push_back(Micros(Clock::now() - decided).count());
  }
  state.counters["p50_us"] = Quantile(&times_us, 0.5);
  state.counters["p99_us"] = Quantile(&times_us, 0.99);
  state.counters["p999_us"] = Quantile(&times_us, 0.999);
  state.counters["words_p50_us"] = Quantile(&words_us, 0.5);
  state.counters["tracked"] = static_cast<double>(admission->TrackedUses());
}
BENCHMARK(Decide)->UseManualTime()->Unit(benchmark::kMicrosecond);

// What the process holds for each prefix that is tracked.
void TrackedMemory(benchmark::State& state) {
  const auto count = static_cast<uint32_t>(state.range(0));
  for (auto _ : state) {
    const struct mallinfo2 before = mallinfo2();
    control::UseTable table;
    for (uint32_t i = 0; i < count; ++i) {
      table.Touch(control::MakeUseKey("0/world", "prefix", std::to_string(i)), 20'000);
    }
    const struct mallinfo2 after = mallinfo2();
    const size_t bytes = after.uordblks + after.hblkhd - before.uordblks - before.hblkhd;
    state.counters["MiB"] = static_cast<double>(bytes) / (1 << 20);
    state.counters["bytes_each"] = static_cast<double>(bytes) / count;
    if (table.size() != count) state.SkipWithError("keys collided");
  }
}
BENCHMARK(TrackedMemory)
    ->Arg(100'000)
    ->Arg(1'000'000)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace weir::bench

BENCHMARK_MAIN();

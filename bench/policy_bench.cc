// What one record costs the export policy: judged stage by stage, then encoded for the store.
#include <benchmark/benchmark.h>
#include <time.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/finished_record.h"
#include "control/admission/policy.h"
#include "control/export/export_policy.h"

namespace weir::bench {
namespace {

constexpr char kPolicy[] = R"(
profile: "lab"
notice: "It is published."
admission { name: "interactive" effect: ALLOW match { experiment: "weir" purpose: "interactive" } }
admission { name: "automated" effect: ALLOW match { experiment: "weir" purpose: "automated" } }
export { name: "withheld" effect: DENY match { experiment: "private" } }
export {
  name: "published" effect: ALLOW address: "netblock" release_class: "public"
  match { experiment: "weir" admission_rule: "interactive" admission_rule: "automated" }
}
)";

// A record as a test of ten seconds leaves it: 10 metadata keys of 32 bytes each, 10 intervals.
record::v1::Record Reference() {
  record::v1::Record record = FinishedRecord("01890000-0000-7000-8000-000000000001", 1'795'000'000);
  for (auto* parameters : {record.mutable_requested(), record.mutable_granted()}) {
    parameters->set_rate_bps(500'000'000);
    parameters->set_duration_ns(10'000'000'000);
    parameters->set_streams(1);
    parameters->set_ip_version(4);
    parameters->add_payload()->set_udp_payload_bytes(1472);
    parameters->mutable_payload(0)->set_weight(1);
  }
  record::v1::DirectionResult& result = *record.mutable_result();
  result.set_received_ip_bytes(624'990'000);
  result.mutable_one_way_delay()->set_samples(416'660);
  result.mutable_one_way_delay()->set_p50_ns(1'204'000);
  result.set_limit_detail("the requested rate was met: 500 Mbit/s of 500 Mbit/s");
  for (uint32_t i = 0; i < 10; ++i) {
    record::v1::Interval& interval = *result.add_intervals();
    interval.set_index(i);
    interval.set_start_ns(i * uint64_t{1'000'000'000});
    interval.set_length_ns(1'000'000'000);
    interval.set_sent(41'666);
    interval.set_received(41'666);
    interval.set_ip_bps(499'992'000);
    interval.set_jitter_ns(351);
    record::v1::Metadata& metadata = *record.add_metadata();
    metadata.set_key("access-network-of-the-client-" + std::to_string(100 + i));
    metadata.set_value("gigabit-passive-optical-network." + std::to_string(i));
    metadata.mutable_value()->resize(32, 'x');
  }
  return record;
}

double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

void PolicyEncode(benchmark::State& state) {
  auto policy = control::Policy::Parse("bench", kPolicy);
  if (!policy.ok()) {
    state.SkipWithError("the policy has a fault");
    return;
  }
  const control::ExportPolicy exporter(*policy);
  const record::v1::Record reference = Reference();
  const control::AdmittedSession session{.session_id = reference.session_id(),
                                         .admission_rule = "interactive",
                                         .policy_digest = (*policy)->digest(),
                                         .experiment = "weir",
                                         .purpose = "interactive",
                                         .client_address = "192.0.2.7",
                                         .flows = {std::string(16, 'k')}};
  const control::Measured measured{.flows = session.flows};
  // As a session hands them over, made just before and moved in; and as the store takes them, which
  // frees them when it has them. Neither is the policy's.
  constexpr size_t kBatch = 32;
  std::vector<record::v1::Record> records;
  std::vector<control::ApprovedRecord> approved;
  std::string encoded;
  approved.reserve(kBatch);
  for (auto _ : state) {
    approved.clear();
    records.assign(kBatch, reference);
    const double before = CpuSeconds();
    for (record::v1::Record& record : records) {
      auto judged = exporter.Approve(session, std::move(record), nullptr, measured);
      if (!judged.ok()) {
        state.SkipWithError(std::string(judged.status().message()).c_str());
        return;
      }
      approved.push_back(*std::move(judged));
      approved.back().record().SerializeToString(&encoded);
      benchmark::DoNotOptimize(encoded);
    }
    state.SetIterationTime(CpuSeconds() - before);
  }
  state.counters["bytes"] = static_cast<double>(encoded.size());
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kBatch));
}
BENCHMARK(PolicyEncode)->UseManualTime()->Unit(benchmark::kMicrosecond);

// The same without the policy: what is the encoding's own.
void EncodeAlone(benchmark::State& state) {
  const record::v1::Record reference = Reference();
  std::string encoded;
  for (auto _ : state) {
    reference.SerializeToString(&encoded);
    benchmark::DoNotOptimize(encoded);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(EncodeAlone)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace weir::bench

BENCHMARK_MAIN();

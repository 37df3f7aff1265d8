// Durable record append: sessions begun and finished with one record each.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "control/admission/policy.h"
#include "control/export/export_policy.h"
#include "control/store/store.h"

namespace weir::bench {
namespace {

constexpr char kPolicy[] = R"(
profile: "lab"
admission { name: "all" effect: ALLOW limit { rate_bps: 1000000000 } }
export { name: "all" effect: ALLOW address: "full" release_class: "operator_only" }
)";

record::v1::Record MakeRecord(const std::string& session) {
  record::v1::Record record;
  record.set_session_id(session);
  record.set_record_id(session + "-down");
  record.set_direction(record::v1::DOWN);
  record.set_outcome(record::v1::COMPLETED);
  record.set_end_reason("duration");
  record.set_origin_active(true);
  record.set_software("weir bench");
  record.mutable_negotiated_at()->set_seconds(1'795'000'000);
  record.mutable_server()->set_operator_("bench");
  record.mutable_server()->set_contact("bench@example.net");
  record.mutable_server()->set_node("bench");
  record.mutable_result()->set_direction(record::v1::DOWN);
  for (uint32_t i = 0; i < 10; ++i) {
    record::v1::Interval* interval = record.mutable_result()->add_intervals();
    interval->set_index(i);
    interval->set_received(83'333);
  }
  return record;
}

std::string SessionId(uint64_t number) {
  char id[37];
  std::snprintf(id, sizeof(id), "01890000-0000-7000-8000-%012llx",
                static_cast<unsigned long long>(number));
  return id;
}

void AppendRecord(benchmark::State& state) {
  char pattern[] = "/tmp/weir-bench-XXXXXX";
  const std::string directory = mkdtemp(pattern);
  {
    auto policy = control::Policy::Parse("bench", kPolicy);
    auto store = control::Store::Open({.path = directory + "/weir.db"});
    if (!policy.ok() || !store.ok()) {
      state.SkipWithError("cannot open policy or store");
    } else {
      const control::ExportPolicy exporter(*policy);
      uint64_t number = 0;
      for (auto _ : state) {
        const std::string session = SessionId(number++);
        control::SessionRow row;
        row.session_id = session;
        row.role = "server";
        row.admission_rule = "all";
        row.policy_digest = (*policy)->digest();
        row.client_address = "192.0.2.1";
        control::AdmittedSession admitted;
        admitted.session_id = session;
        admitted.admission_rule = "all";
        admitted.policy_digest = row.policy_digest;
        admitted.client_address = "192.0.2.1";
        auto approved = exporter.Approve(admitted, MakeRecord(session));
        control::SessionEnd end;
        end.session_id = session;
        end.state = "exported";
        end.end_reason = "duration";
        if (approved.ok()) end.records.push_back(std::move(*approved));
        if (!approved.ok() || !(*store)->BeginSession(row).ok() ||
            !(*store)->FinishSession(end).ok()) {
          state.SkipWithError("append failed");
          break;
        }
      }
    }
  }
  std::filesystem::remove_all(directory);
}
BENCHMARK(AppendRecord)->UseRealTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace weir::bench

BENCHMARK_MAIN();

#include "control/cli/rfc2544/trial_runner.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "control/cli/rfc2544/parameters.h"
#include "control/cli/rfc2544/procedure.h"
#include "control/cli/units.h"

namespace weir::cli::rfc2544 {
namespace {

using measurement::v1::BenchRequest;
using measurement::v1::TestResult;
using record::v1::DirectionResult;

// Until the next hop has answered, and what a busy host may add.
constexpr uint64_t kSetupNs = 6'000'000'000;
// Frames that were due and did not leave: above this share, and above what falls due in this time,
// the load was not the one asked for. A host that is busy for a moment when a trial ends is no
// limit.
constexpr double kUnsentTolerance = 0.001;
constexpr double kUnsentSeconds = 0.02;
// A burst that is slower than this share of the line rate is no burst at the line rate.
constexpr double kBurstTolerance = 0.99;
constexpr uint64_t kShortestJudgedBurst = 100;

std::string AddressOf(const measurement::v1::NodePort& port, uint32_t ip_version) {
  const std::string& with_prefix = ip_version == 6 ? port.ip6() : port.ip4();
  return with_prefix.substr(0, with_prefix.find('/'));
}

// What the tester itself did wrong. Empty: nothing.
std::string TesterLimit(const Rfc2544Trial& trial, const DirectionResult& generated,
                        const DirectionResult& sunk) {
  const uint64_t due = trial.sent() + trial.unsent();
  if (trial.sent() == 0) return "nothing was sent";
  const double tolerated =
      std::max(kUnsentTolerance * static_cast<double>(due), kUnsentSeconds * trial.intended_fps());
  if (static_cast<double>(trial.unsent()) > std::max(1.0, tolerated)) {
    return absl::StrFormat("%s of %s frames that were due did not leave: %s",
                           FormatCount(trial.unsent()), FormatCount(due), generated.limit_detail());
  }
  if (trial.burst_frames() >= kShortestJudgedBurst &&
      trial.offered_fps() < kBurstTolerance * trial.intended_fps()) {
    return absl::StrFormat("the burst left at %.1f %% of the line rate",
                           100 * trial.offered_fps() / trial.intended_fps());
  }
  if (trial.lost() == 0) return "";
  if (sunk.receiver_port_missed() != 0) {
    return absl::StrCat("the receiving port missed ", FormatCount(sunk.receiver_port_missed()),
                        " frames");
  }
  return sunk.limit() == record::v1::LIMIT_RECEIVER ? sunk.limit_detail() : std::string();
}

}  // namespace

TrialRequests MakeRequests(const Rfc2544Parameters& parameters, const Bench& bench,
                           const Rfc2544Trial& plan) {
  const uint32_t payload =
      PayloadOf(plan.frame_bytes(), parameters.ip_version(), bench.out.vlan() != 0);
  BenchRequest common;
  common.set_key(bench.key);
  common.set_trial(plan.number());
  common.set_experiment(parameters.experiment());
  common.set_purpose(parameters.purpose());
  record::v1::TestParameters& test = *common.mutable_parameters();
  test.set_ip_version(parameters.ip_version());
  test.set_streams(parameters.streams());
  test.set_dscp(parameters.dscp());
  test.set_pacing(record::v1::CBR);
  record::v1::PayloadSize& size = *test.add_payload();
  size.set_udp_payload_bytes(payload);
  size.set_weight(1);

  TrialRequests requests{common, common};
  requests.sink.set_port(bench.in.name());
  requests.sink.set_peer_ip(AddressOf(bench.out, parameters.ip_version()));
  requests.sink.mutable_parameters()->set_rate_max(true);
  requests.sink.mutable_parameters()->set_duration_ns(plan.duration_ns() + kSetupNs +
                                                      parameters.residual_ns());
  requests.sink.set_clocks_synchronised(true);  // It is one node, and one clock.
  requests.sink.set_residual_ns(parameters.residual_ns());

  requests.generator.set_port(bench.out.name());
  requests.generator.set_peer_ip(AddressOf(bench.in, parameters.ip_version()));
  requests.generator.set_peer_mac(parameters.to_mac());
  record::v1::TestParameters& load = *requests.generator.mutable_parameters();
  const double ip_bytes = payload + 8 + (parameters.ip_version() == 4 ? 20 : 40);
  // Not above the line rate by rounding.
  load.set_rate_bps(static_cast<uint64_t>(std::max(1.0, plan.intended_fps() * ip_bytes * 8)));
  load.set_packets(plan.burst_frames());
  load.set_duration_ns(plan.burst_frames() == 0 ? plan.duration_ns()
                                                : plan.duration_ns() + kSetupNs);
  return requests;
}

Rfc2544Trial Measured(const Rfc2544Trial& plan, const TestResult& generated,
                      const TestResult& sunk) {
  Rfc2544Trial trial = plan;
  const DirectionResult& sender = generated.results(0);
  const DirectionResult& receiver = sunk.results(0);
  trial.set_offered_fps(sender.achieved_ethernet_bps() / 8 / plan.frame_bytes());
  trial.set_sent(sender.sent());
  trial.set_unsent(sender.unsent());
  trial.set_received(receiver.received());
  trial.set_lost(trial.sent() - std::min(trial.received(), trial.sent()));
  trial.set_sink_lost(receiver.lost());
  trial.set_reordered(receiver.reordered());
  trial.set_duplicated(receiver.duplicated());
  trial.set_frame_loss_rate(FrameLossRate(trial.sent(), trial.received()));
  *trial.mutable_delay() = receiver.one_way_delay();
  trial.set_tester_limit(TesterLimit(trial, sender, receiver));
  trial.set_tester_limited(!trial.tester_limit().empty());
  trial.mutable_record_ids()->MergeFrom(generated.record_ids());
  trial.mutable_record_ids()->MergeFrom(sunk.record_ids());
  return trial;
}

std::variant<Rfc2544Trial, BenchOutcome> TrialRunner::Run(
    const Rfc2544Trial& plan, const std::function<void(uint64_t)>& on_elapsed) {
  const TrialRequests requests = MakeRequests(parameters_, bench_, plan);
  BenchPairOutcome both = RunBenchPair(
      admin_, interrupt_, requests.sink, requests.generator,
      [&](const measurement::v1::TestProgress& progress) { on_elapsed(progress.elapsed_ns()); });
  if (both.failed() != nullptr) return *both.failed();
  return Measured(plan, std::get<TestResult>(both.generated), std::get<TestResult>(both.sunk));
}

}  // namespace weir::cli::rfc2544

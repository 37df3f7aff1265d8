// Runs one trial: a sink on one port and a generator on the other, counted by both.
#ifndef WEIR_CONTROL_CLI_RFC2544_TRIAL_RUNNER_H_
#define WEIR_CONTROL_CLI_RFC2544_TRIAL_RUNNER_H_

#include <functional>
#include <string>
#include <variant>

#include "control/cli/bench_call.h"
#include "measurement/v1/admin.pb.h"
#include "measurement/v1/rfc2544.pb.h"

namespace weir::cli::rfc2544 {

// Where the trials run.
struct Bench {
  measurement::v1::NodePort out;
  measurement::v1::NodePort in;
  std::string key;  // Of this run alone: frames of another one are not counted.
};

struct TrialRequests {
  measurement::v1::BenchRequest sink;
  measurement::v1::BenchRequest generator;
};

// What the two ends are asked for.
TrialRequests MakeRequests(const measurement::v1::Rfc2544Parameters& parameters, const Bench& bench,
                           const measurement::v1::Rfc2544Trial& plan);

// The plan with what the two ends measured.
measurement::v1::Rfc2544Trial Measured(const measurement::v1::Rfc2544Trial& plan,
                                       const measurement::v1::TestResult& generated,
                                       const measurement::v1::TestResult& sunk);

class TrialRunner {
 public:
  TrialRunner(AdminStub* admin, Interrupt* interrupt,
              const measurement::v1::Rfc2544Parameters& parameters, const Bench& bench)
      : admin_(admin), interrupt_(interrupt), parameters_(parameters), bench_(bench) {}

  // The trial, or the outcome of the end that failed. `on_elapsed`: ns the generator has run, on
  // another thread.
  std::variant<measurement::v1::Rfc2544Trial, BenchOutcome> Run(
      const measurement::v1::Rfc2544Trial& plan, const std::function<void(uint64_t)>& on_elapsed);

 private:
  AdminStub* const admin_;
  Interrupt* const interrupt_;
  const measurement::v1::Rfc2544Parameters parameters_;
  const Bench bench_;
};

}  // namespace weir::cli::rfc2544

#endif  // WEIR_CONTROL_CLI_RFC2544_TRIAL_RUNNER_H_

// One end of a bench run: this node sends, or receives, and nobody is asked
// (proto/README.md section 2.5).
#ifndef WEIR_CONTROL_SESSION_BENCH_SESSION_H_
#define WEIR_CONTROL_SESSION_BENCH_SESSION_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "control/admission/admission.h"
#include "control/admission/policy.h"
#include "control/session/bench_plan.h"
#include "control/session/conclusion.h"
#include "control/session/local_end.h"
#include "control/session/local_test.h"
#include "control/session/node.h"
#include "control/session/session.h"
#include "measurement/v1/admin.pb.h"

namespace weir::control {

// Admitted by policy, stored and audited as any session is, in the server's role: who sends is
// the server of a DOWN, who receives that of an UP.
class BenchSession final : public LocalTest {
 public:
  enum class End { kGenerate, kSink };

  BenchSession(const Node& node, End end, measurement::v1::BenchRequest request, Sink sink);
  ~BenchSession() override;

  void Run(bool draining) override;
  void Cancel(const std::string& reason) override;

 private:
  using Steady = std::chrono::steady_clock;

  bool generates() const { return end_ == End::kGenerate; }
  record::v1::Direction direction() const {
    return generates() ? record::v1::DOWN : record::v1::UP;
  }

  // Each returns false after it has given the last update.
  bool InLab(const Policy& policy);
  bool ChoosePort();
  bool CompleteRequest();
  bool Admit(bool draining);
  bool Program();
  void Measure();

  void Handle(SessionEvent event);
  void Step();
  void StepGenerate();
  void StepSink();
  bool EverythingHeard(Steady::time_point now);
  void Start();
  void Finish(record::v1::Outcome outcome, const std::string& reason);
  record::v1::DirectionResult Result();
  record::v1::DirectionResult Generated() const;
  record::v1::DirectionResult Received();
  EndSlots Ends(std::vector<FlowSlot> slots) const;
  std::vector<measurement::v1::FlowEnd> PeerEnds() const;

  bool Fail(measurement::v1::TestFailure::Kind kind, const std::string& field,
            const std::string& message);
  bool Refuse(measurement::v1::Rejection rejection);
  void SendProgress(const std::string& state);

  const Node node_;
  const End end_;
  measurement::v1::BenchRequest request_;
  const Sink sink_;

  std::mutex mutex_;  // Guards the next two, which Cancel uses.
  std::shared_ptr<Session> session_;
  std::optional<std::string> cancelled_;

  std::shared_ptr<const PortTable> ports_;
  const dataplane::v1::PortInfo* port_ = nullptr;  // In ports_.
  std::string own_ip_;
  Reservation reservation_;
  BenchPlan plan_;
  SessionFacts facts_;
  policy::v1::Trace trace_;         // Of its admission.
  std::vector<UseCharge> charges_;  // Likewise.
  std::unique_ptr<LocalEnd> local_;

  // While it runs.
  bool started_ = false;
  bool first_packet_ = false;
  uint64_t running_since_ns_ = 0;
  Steady::time_point deadline_;
  std::optional<Steady::time_point> quiet_since_;  // All ends were announced.
  uint64_t quiet_received_ = 0;
  std::optional<record::v1::Outcome> outcome_;
  std::string end_reason_;
  std::optional<Unusual> unusual_;  // Why, if it was kUnusualActivity.
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_SESSION_BENCH_SESSION_H_

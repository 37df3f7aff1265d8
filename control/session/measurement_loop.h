// The run of a session, step by step (proto/README.md section 2.3): the same for both roles but
// for who tells whom to start and who closes.
#ifndef WEIR_CONTROL_SESSION_MEASUREMENT_LOOP_H_
#define WEIR_CONTROL_SESSION_MEASUREMENT_LOOP_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/session/direction_run.h"
#include "control/session/session.h"
#include "control/session/unusual_activity.h"

namespace weir::control {

// Runs on the session's thread. After Run all load of this node is off.
class MeasurementLoop {
 public:
  using Steady = std::chrono::steady_clock;

  struct Timeouts {
    std::chrono::milliseconds start{5000};         // Server: until Run is called.
    std::chrono::milliseconds proof{10000};        // From then until the load starts.
    std::chrono::milliseconds overrun{10000};      // Beyond the granted duration.
    std::chrono::milliseconds peer_silence{4000};  // While running: both report each second.
    std::chrono::milliseconds completed{3000};     // Client: for the server to close an abort.
  };

  // Told of each change of state and each new interval. May be empty.
  using Observer = std::function<void(SessionState)>;

  MeasurementLoop(Session* session, std::vector<DirectionRun*> directions, Timeouts timeouts,
                  measurement::v1::ClockQuality own_clock, Observer observer);

  struct End {
    record::v1::Outcome outcome = record::v1::ABORTED;
    std::string reason;
  };

  // Server: from the grant on; waits for the peer to attach.
  // Client: `link` is open; Start was not yet sent.
  End Run(std::shared_ptr<PeerLink> link, const measurement::v1::ClockQuality& peer_clock);

  // Afterwards.
  bool clocks_synchronised() const { return clocks_synchronised_; }
  const std::shared_ptr<PeerLink>& link() const { return link_; }
  // Client: what the server closed with, if it did.
  const std::optional<measurement::v1::Completed>& completed() const { return completed_; }
  uint64_t running_since_ns() const { return running_since_ns_; }
  // Why it ended with kUnusualActivity.
  const std::optional<Unusual>& unusual() const { return unusual_; }

 private:
  bool server() const { return session_->role() == SessionRole::kServer; }
  void Handle(SessionEvent event);
  void HandlePeer(PeerMessage message);
  void Handle(const measurement::v1::Start& start);
  void Handle(const measurement::v1::Stop& stop);
  void Handle(const measurement::v1::Progress& progress);
  void Handle(const measurement::v1::Report& report);
  void Handle(const measurement::v1::SenderFinal& final);
  void Handle(const measurement::v1::ReceiverFinal& final);
  void Handle(measurement::v1::Completed completed);
  void Step();
  void StepProving();
  void StepRunning();
  void StartEnds();
  void SendProgress(SessionState state);
  void Enter(SessionState state);
  void Abort(const std::string& reason);
  std::string LostReason() const;
  void AwaitClosing();
  DirectionRun* Find(record::v1::Direction direction) const;
  bool AllProven() const;
  Steady::time_point NextStep() const;

  Session* const session_;
  const std::vector<DirectionRun*> directions_;
  const Timeouts timeouts_;
  const measurement::v1::ClockQuality own_clock_;
  const Observer observer_;

  std::shared_ptr<PeerLink> link_;
  bool clocks_synchronised_ = false;
  bool started_ = false;       // Start was sent or came.
  bool peer_running_ = false;  // Client: the server has armed.
  bool peer_gone_ = false;
  SessionState state_ = SessionState::kAdmitted;
  Steady::time_point deadline_;  // Of the present phase.
  Steady::time_point peer_heard_;
  Steady::time_point reported_;
  uint64_t running_since_ns_ = 0;
  std::optional<measurement::v1::Completed> completed_;
  std::optional<Unusual> unusual_;
  std::optional<End> end_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_SESSION_MEASUREMENT_LOOP_H_

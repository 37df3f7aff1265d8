#include "control/session/measurement_loop.h"

#include <algorithm>
#include <utility>

#include "control/session/clock.h"
#include "control/session/end_reason.h"

namespace weir::control {
namespace {

namespace ms = measurement::v1;

constexpr std::chrono::milliseconds kSamplePeriod{100};
constexpr std::chrono::milliseconds kDrainPeriod{10};
constexpr std::chrono::milliseconds kReportPeriod{1000};

}  // namespace

MeasurementLoop::MeasurementLoop(Session* session, std::vector<DirectionRun*> directions,
                                 Timeouts timeouts, ms::ClockQuality own_clock, Observer observer)
    : session_(session),
      directions_(std::move(directions)),
      timeouts_(timeouts),
      own_clock_(std::move(own_clock)),
      observer_(std::move(observer)) {}

MeasurementLoop::End MeasurementLoop::Run(std::shared_ptr<PeerLink> link,
                                          const ms::ClockQuality& peer_clock) {
  peer_heard_ = Steady::now();
  deadline_ = peer_heard_ + timeouts_.start;
  if (!server()) {
    link_ = std::move(link);
    clocks_synchronised_ = ClocksAgree(own_clock_, peer_clock);
    ms::Start start;
    start.set_session_id(session_->id().ToString());
    *start.mutable_clock() = own_clock_;
    link_->Send(std::move(start));
    started_ = true;
    deadline_ = Steady::now() + timeouts_.proof;
  }
  while (!end_.has_value()) {
    std::optional<SessionEvent> event = session_->mailbox().WaitUntil(NextStep());
    if (event.has_value()) Handle(*std::move(event));
    if (!end_.has_value()) Step();
  }
  for (DirectionRun* direction : directions_) direction->end().Stop();
  if (!server() && !completed_.has_value()) AwaitClosing();
  return *end_;
}

MeasurementLoop::Steady::time_point MeasurementLoop::NextStep() const {
  const Steady::time_point now = Steady::now();
  std::chrono::nanoseconds wait = kSamplePeriod;
  const uint64_t now_ns = NowUnixNs();
  for (const DirectionRun* direction : directions_) {
    if (direction->Draining()) wait = std::min<std::chrono::nanoseconds>(wait, kDrainPeriod);
    const uint64_t cut_ns = direction->end().NextCutNs();
    if (state_ != SessionState::kRunning || cut_ns == 0) continue;
    wait = std::min(wait, std::chrono::nanoseconds(cut_ns > now_ns ? cut_ns - now_ns : 0));
  }
  return now + wait;
}

void MeasurementLoop::Handle(SessionEvent event) {
  if (auto* changed = std::get_if<FlowChanged>(&event)) {
    for (DirectionRun* direction : directions_) direction->end().OnFlow(changed->flow);
  } else if (std::holds_alternative<DataplaneLost>(event)) {
    for (DirectionRun* direction : directions_) direction->end().Poll();
    Abort(LostReason());
  } else if (auto* attached = std::get_if<PeerAttached>(&event)) {
    link_ = std::move(attached->link);
    peer_heard_ = Steady::now();
  } else if (auto* said = std::get_if<PeerSaid>(&event)) {
    peer_heard_ = Steady::now();
    HandlePeer(std::move(said->message));
    if (link_ != nullptr) link_->Next();
  } else if (std::holds_alternative<PeerGone>(event)) {
    peer_gone_ = true;
    if (!completed_.has_value()) Abort(end_reason::kPeerLost);
  } else if (auto* asked = std::get_if<StopAsked>(&event)) {
    Abort(asked->reason);
  }
}

// The seat is gone: because the dataplane died, or because it took us for dead?
std::string MeasurementLoop::LostReason() const {
  for (const DirectionRun* direction : directions_) {
    if (direction->end().Failure() == end_reason::kControlLease) return end_reason::kControlLease;
  }
  return end_reason::kDataplaneLost;
}

void MeasurementLoop::HandlePeer(PeerMessage message) {
  std::visit([this](auto&& body) { Handle(std::forward<decltype(body)>(body)); },
             std::move(message));
}

void MeasurementLoop::Handle(const ms::Start& start) {
  if (!server() || started_) return Abort(end_reason::kPeerProtocol);
  started_ = true;
  clocks_synchronised_ = ClocksAgree(own_clock_, start.clock());
  deadline_ = Steady::now() + timeouts_.proof;
  SendProgress(SessionState::kAdmitted);
}

void MeasurementLoop::Handle(const ms::Stop& stop) {
  Abort(PeerReason(stop.reason(), end_reason::kPeerStopped));
}

void MeasurementLoop::Handle(const ms::Progress& progress) {
  if (server()) return Abort(end_reason::kPeerProtocol);
  if (progress.state() == StateName(SessionState::kRunning)) peer_running_ = true;
}

void MeasurementLoop::Handle(const ms::Report& report) {
  DirectionRun* direction = Find(report.direction());
  if (direction == nullptr || !direction->OnReport(report)) Abort(end_reason::kPeerProtocol);
}

void MeasurementLoop::Handle(const ms::SenderFinal& final) {
  DirectionRun* direction = Find(final.direction());
  if (state_ != SessionState::kRunning || direction == nullptr ||
      !direction->OnSenderFinal(final)) {
    return Abort(end_reason::kPeerProtocol);
  }
  if (!IsNormalEndName(final.end_reason())) {
    Abort(PeerReason(final.end_reason(), end_reason::kPeerStopped));
  }
}

void MeasurementLoop::Handle(const ms::ReceiverFinal& final) {
  DirectionRun* direction = Find(final.result().direction());
  if (direction == nullptr || !direction->OnReceiverFinal(final)) {
    Abort(end_reason::kPeerProtocol);
  }
}

void MeasurementLoop::Handle(ms::Completed completed) {
  if (server()) return Abort(end_reason::kPeerProtocol);
  completed_ = std::move(completed);
  End end;
  end.outcome = completed_->outcome();
  end.reason = PeerReason(completed_->end_reason(), end_reason::kPeerStopped);
  if (!end_.has_value()) end_ = std::move(end);
}

void MeasurementLoop::Step() {
  for (DirectionRun* direction : directions_) direction->end().Poll();
  for (DirectionRun* direction : directions_) {
    // A receiving end is stopped by ourselves when it is done, not by the dataplane.
    const std::optional<std::string> failure = direction->end().Failure();
    if (failure.has_value() && !direction->Settled() && !direction->HasOwnFinal()) {
      return Abort(*failure);
    }
  }
  if (state_ == SessionState::kRunning || state_ == SessionState::kFinishing) {
    StepRunning();
  } else {
    StepProving();
  }
  if (!end_.has_value() && Steady::now() > deadline_) {
    Abort(!started_                         ? end_reason::kNeverStarted
          : state_ < SessionState::kRunning ? "proof_timeout"
                                            : end_reason::kOverrun);
  }
}

void MeasurementLoop::StepProving() {
  if (!started_ || !AllProven()) return;
  if (state_ < SessionState::kProven) {
    Enter(SessionState::kProven);
    if (server()) SendProgress(SessionState::kProven);
  }
  if (!server() && !peer_running_) return;
  StartEnds();
}

void MeasurementLoop::StartEnds() {
  uint64_t longest_ns = 0;
  for (DirectionRun* direction : directions_) {
    longest_ns = std::max<uint64_t>(longest_ns, direction->end().parameters().duration_ns());
    if (!direction->end().Start().ok()) return Abort(end_reason::kArmFailed);
  }
  running_since_ns_ = NowUnixNs();
  peer_heard_ = Steady::now();
  deadline_ = Steady::now() + std::chrono::nanoseconds(longest_ns) + timeouts_.overrun;
  Enter(SessionState::kRunning);
  if (server()) SendProgress(SessionState::kRunning);
}

void MeasurementLoop::StepRunning() {
  const uint64_t now_ns = NowUnixNs();
  const Steady::time_point now = Steady::now();
  bool settled = true;
  for (DirectionRun* direction : directions_) {
    if (!direction->HasOwnFinal()) {
      const bool interval_ended = direction->end().Sample(now_ns);
      if (unusual_ = direction->end().FindUnusual(); unusual_.has_value()) {
        return Abort(end_reason::kUnusualActivity);
      }
      // Without a packet there are no intervals yet, but the peer must hear from us all the same.
      const bool quiet = direction->end().NextCutNs() == 0 && now - reported_ >= kReportPeriod;
      if (interval_ended || quiet) {
        link_->Send(direction->end().TakeReport(now_ns));
        reported_ = now;
      }
      if (interval_ended && observer_) observer_(state_);
    }
    if (std::optional<ms::SenderFinal> final = direction->TakeSenderFinal()) {
      link_->Send(*std::move(final));
    }
    if (std::optional<ms::ReceiverFinal> final =
            direction->TakeReceiverFinal(now, clocks_synchronised_)) {
      link_->Send(*std::move(final));
    }
    settled &= direction->Settled();
  }
  const bool done = std::all_of(directions_.begin(), directions_.end(),
                                [](DirectionRun* direction) { return direction->LoadIsOver(); });
  if (done && state_ == SessionState::kRunning) {
    Enter(SessionState::kFinishing);
    if (server()) SendProgress(SessionState::kFinishing);
  }
  if (settled && server()) {
    end_ = End{record::v1::COMPLETED, directions_[0]->EndReason()};
  } else if (now - peer_heard_ > timeouts_.peer_silence) {
    Abort(end_reason::kPeerSilent);
  }
}

void MeasurementLoop::SendProgress(SessionState state) {
  ms::Progress progress;
  progress.set_state(StateName(state));
  if (link_ != nullptr) link_->Send(std::move(progress));
}

void MeasurementLoop::Enter(SessionState state) {
  state_ = state;
  session_->SetState(state);
  if (observer_) observer_(state);
}

void MeasurementLoop::Abort(const std::string& reason) {
  if (end_.has_value()) return;
  end_ = End{record::v1::ABORTED, reason};
}

// An aborting client tells the server why and lets it close, so that both records agree.
void MeasurementLoop::AwaitClosing() {
  if (link_ == nullptr || peer_gone_) return;
  ms::Stop stop;
  stop.set_reason(end_->reason);
  link_->Send(std::move(stop));
  const Steady::time_point deadline = Steady::now() + timeouts_.completed;
  while (!completed_.has_value() && !peer_gone_) {
    std::optional<SessionEvent> event = session_->mailbox().WaitUntil(deadline);
    if (!event.has_value()) return;
    Handle(*std::move(event));
  }
}

DirectionRun* MeasurementLoop::Find(record::v1::Direction direction) const {
  for (DirectionRun* run : directions_) {
    if (run->end().direction() == direction) return run;
  }
  return nullptr;
}

bool MeasurementLoop::AllProven() const {
  return std::all_of(directions_.begin(), directions_.end(),
                     [](const DirectionRun* direction) { return direction->end().Proven(); });
}

}  // namespace weir::control

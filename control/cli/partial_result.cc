#include "control/cli/partial_result.h"

#include <chrono>
#include <optional>
#include <thread>

#include "control/cli/units.h"

namespace weir::cli {
namespace {

using record::v1::DirectionResult;

constexpr std::chrono::milliseconds kPoll{100};
constexpr int kPolls = 20;

std::optional<record::v1::Record> TryGetRecord(AdminStub* admin, const std::string& id) {
  grpc::ClientContext context;
  SetDeadline(&context, 1);
  measurement::v1::GetRecordRequest request;
  request.set_record_id(id);
  measurement::v1::GetRecordReply reply;
  if (!admin->GetRecord(&context, request, &reply).ok()) return std::nullopt;
  return std::move(*reply.mutable_record());
}

DirectionResult Sum(record::v1::Direction direction,
                    const std::map<uint32_t, record::v1::Interval>& intervals) {
  DirectionResult result;
  result.set_direction(direction);
  double bits = 0, seconds = 0;
  for (const auto& [index, interval] : intervals) {
    *result.add_intervals() = interval;
    result.set_sent(result.sent() + interval.sent());
    result.set_unsent(result.unsent() + interval.unsent());
    result.set_received(result.received() + interval.received());
    result.set_lost(result.lost() + interval.lost());
    result.set_reordered(result.reordered() + interval.reordered());
    result.set_duplicated(result.duplicated() + interval.duplicated());
    result.set_jitter_ns(interval.jitter_ns());
    const double length = static_cast<double>(interval.length_ns()) / 1e9;
    bits += interval.ip_bps() * length;
    seconds += length;
  }
  if (seconds > 0) result.set_achieved_ip_bps(bits / seconds);
  return result;
}

}  // namespace

void PartialResult::Add(const measurement::v1::TestProgress& progress) {
  const int count = std::min(progress.intervals_size(), progress.directions_size());
  for (int i = 0; i < count; ++i) {
    intervals_[progress.directions(i)][progress.intervals(i).index()] = progress.intervals(i);
  }
}

measurement::v1::TestResult PartialResult::Finish(AdminStub* admin,
                                                  const std::string& end_reason) const {
  measurement::v1::TestResult result;
  result.set_session_id(grant_.session_id());
  result.set_outcome(record::v1::ABORTED);
  result.set_end_reason(end_reason);
  result.set_policy_digest(grant_.policy_digest());
  *result.mutable_granted() = grant_.directions();
  *result.mutable_record_ids() = grant_.record_ids();

  for (int poll = 0; poll < kPolls && granted(); ++poll) {
    result.clear_results();
    for (const std::string& id : grant_.record_ids()) {
      const auto record = TryGetRecord(admin, id);
      if (!record) break;
      *result.add_results() = record->result();
    }
    if (result.results_size() == grant_.record_ids_size()) return result;
    std::this_thread::sleep_for(kPoll);
  }
  result.clear_results();
  for (const auto& [direction, intervals] : intervals_) {
    *result.add_results() = Sum(direction, intervals);
    for (const auto& granted : grant_.directions()) {
      if (granted.direction() != direction) continue;
      result.mutable_results(result.results_size() - 1)
          ->set_admitted_ip_bps(MeanRateBps(granted.parameters()));
    }
  }
  return result;
}

}  // namespace weir::cli

#include "control/session/recovery.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "control/collector/delay.h"
#include "control/collector/flow_counters.h"
#include "control/session/conclusion.h"
#include "control/session/end_reason.h"
#include "control/session/mean_rate.h"

namespace weir::control {
namespace {

namespace dp = dataplane::v1;
using record::v1::DirectionResult;

using FlowsBySession = std::map<std::string, std::vector<dp::FlowInfo>>;

// What the store has of one direction: the sums of its intervals.
DirectionResult FromIntervals(record::v1::Direction direction,
                              const std::vector<record::v1::Interval>& intervals) {
  DirectionResult result;
  result.set_direction(direction);
  double bits = 0;
  uint64_t length_ns = 0;
  for (const record::v1::Interval& interval : intervals) {
    *result.add_intervals() = interval;
    result.set_sent(result.sent() + interval.sent());
    result.set_unsent(result.unsent() + interval.unsent());
    result.set_received(result.received() + interval.received());
    result.set_lost(result.lost() + interval.lost());
    result.set_reordered(result.reordered() + interval.reordered());
    result.set_duplicated(result.duplicated() + interval.duplicated());
    result.set_jitter_ns(interval.jitter_ns());
    bits += interval.ip_bps() * static_cast<double>(interval.length_ns()) / 1e9;
    length_ns += interval.length_ns();
  }
  if (length_ns > 0) {
    result.set_achieved_ip_bps(bits * 1e9 / static_cast<double>(length_ns));
    result.set_received_ip_bytes(static_cast<uint64_t>(bits / 8));
  }
  return result;
}

// The dataplane's own counters are newer than the intervals: they go before.
void AddCounters(const Segment& segment, const std::vector<dp::FlowInfo>& flows, bool sends,
                 DirectionResult* result) {
  std::vector<FlowSlot> tx;
  std::vector<RxFlow> rx;
  for (const dp::FlowInfo& flow : flows) {
    const FlowSlot slot{flow.slot(), flow.generation()};
    if (flow.role() == dp::TX && sends) tx.push_back(slot);
    if (flow.role() == dp::RX && !sends) rx.push_back({slot, flow.histogram_index()});
  }
  if (!tx.empty()) {
    const SenderTotals totals = ReadSender(segment, tx);
    result->set_sent(std::max<uint64_t>(result->sent(), totals.sent));
    result->set_unsent(std::max<uint64_t>(result->unsent(), totals.unsent));
    result->set_sender_port_rejected(totals.rejected);
  }
  if (!rx.empty()) {
    const ReceiverTotals totals = ReadReceiver(segment, rx);
    if (totals.received < result->received()) return;
    result->set_received(totals.received);
    result->set_lost(totals.gaps);
    result->set_reordered(totals.reordered);
    result->set_duplicated(totals.duplicated);
    result->set_late(totals.late);
    result->set_received_ip_bytes(totals.ip_bytes);
    result->set_loss_events(totals.loss_events);
    result->set_jitter_ns(totals.jitter_ns);
    result->set_achieved_ip_bps(totals.achieved_ip_bps);
    result->set_achieved_ethernet_bps(totals.achieved_ethernet_bps);
    result->set_first_rx_unix_ns(totals.first_ns);
    result->set_last_rx_unix_ns(totals.last_ns);
    *result->mutable_one_way_delay() = MeasureDelay(segment, rx, /*synchronised=*/false);
  }
}

// Counters of any other 5-tuple than those it was admitted with are not the session's.
std::vector<dp::FlowInfo> OfTheSession(const Node& node, const SessionFacts& facts, bool sends,
                                       const std::vector<dp::FlowInfo>& flows) {
  const std::vector<std::string> keys = node.lookup->Keys(flows);
  std::vector<dp::FlowInfo> own;
  for (size_t i = 0; i < flows.size(); ++i) {
    if ((flows[i].role() == dp::TX) != sends) continue;
    if (std::find(facts.flows.begin(), facts.flows.end(), keys[i]) != facts.flows.end()) {
      own.push_back(flows[i]);
    } else {
      spdlog::warn("session {}: slot {} has a 5-tuple it was not admitted with; not counted",
                   facts.id.ToString(), flows[i].slot());
    }
  }
  return own;
}

SessionEnd EndOf(const Node& node, const UnfinishedSession& unfinished, const Segment* segment,
                 const FlowsBySession& flows) {
  absl::StatusOr<SessionFacts> facts = FromRow(unfinished.row);
  if (!facts.ok()) {
    spdlog::error("store: {}", std::string(facts.status().message()));
    SessionEnd end;
    end.session_id = unfinished.row.session_id;
    end.state = StateName(SessionState::kWithheld);
    end.end_reason = end_reason::kControlRestarted;
    end.detail = std::string(facts.status().message());
    return end;
  }
  std::vector<DirectionResult> results;
  for (const measurement::v1::DirectionRequest& granted : facts->granted) {
    std::vector<record::v1::Interval> intervals;
    for (const auto& direction : unfinished.directions) {
      if (direction.direction == granted.direction()) intervals = direction.intervals;
    }
    DirectionResult result = FromIntervals(granted.direction(), intervals);
    const auto found = flows.find(facts->id.Bytes());
    if (segment != nullptr && found != flows.end()) {
      const bool sends =
          (granted.direction() == record::v1::DOWN) == (facts->role == SessionRole::kServer);
      AddCounters(*segment, OfTheSession(node, *facts, sends, found->second), sends, &result);
    }
    result.set_admitted_ip_bps(MeanRateBps(granted.parameters()));
    result.set_limit_detail("weir-control was restarted during the test");
    results.push_back(std::move(result));
  }
  Ending ending = Judge(node, *facts, record::v1::ABORTED, end_reason::kControlRestarted,
                        std::move(results), {});
  std::vector<UseKey> keys;
  for (const UseRow& use : unfinished.row.use) keys.push_back(UseKeyFromBytes(use.key));
  node.admission->ChargeBytes(keys, ending.conclusion.moved_bytes);
  return std::move(ending.end);
}

absl::Status FinishAll(const Node& node, const Segment* segment, const FlowsBySession& flows) {
  absl::StatusOr<std::vector<UnfinishedSession>> unfinished = node.store->UnfinishedSessions();
  if (!unfinished.ok()) return unfinished.status();
  std::vector<SessionEnd> ends;
  for (const UnfinishedSession& session : *unfinished) {
    ends.push_back(EndOf(node, session, segment, flows));
  }
  StoreEnds(node, ends);
  return absl::OkStatus();
}

}  // namespace

absl::Status TakeOver(const Node& node, const std::shared_ptr<const Connection>& connection,
                      const std::function<bool(const std::string&)>& active, bool unfinished) {
  Client& client = node.dataplane->client();
  absl::StatusOr<std::vector<dp::FlowInfo>> listed = client.ListFlows();
  if (!listed.ok()) return listed.status();
  FlowsBySession flows;
  for (dp::FlowInfo& flow : *listed) {
    if (active(flow.session_id())) continue;
    if (flow.state() != dp::FINISHED) {
      absl::StatusOr<dp::FlowInfo> stopped = client.StopFlow({flow.slot(), flow.generation()});
      if (absl::IsUnavailable(stopped.status())) return stopped.status();
    }
    flows[flow.session_id()].push_back(flow);
  }
  if (unfinished) {
    if (absl::Status status = FinishAll(node, connection->segment.get(), flows); !status.ok()) {
      return status;
    }
  }
  size_t released = 0;
  for (const auto& [session, session_flows] : flows) {
    for (const dp::FlowInfo& flow : session_flows) {
      absl::Status status = client.ReleaseFlow({flow.slot(), flow.generation()});
      if (absl::IsUnavailable(status)) return status;
      if (status.ok()) ++released;
    }
  }
  if (released > 0) spdlog::info("dataplane: released {} flows of ended sessions", released);
  return absl::OkStatus();
}

absl::Status FinishWithoutDataplane(const Node& node) { return FinishAll(node, nullptr, {}); }

}  // namespace weir::control

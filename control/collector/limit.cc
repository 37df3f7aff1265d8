#include "control/collector/limit.h"

#include <absl/strings/str_format.h>
#include <absl/strings/str_join.h>

#include <algorithm>

namespace weir::control {
namespace {

// Single refusals are the normal state of a full queue; this share of the offers is not.
constexpr double kPortRefuses = 0.05;
// A receiver kept from its CPU this long leaves a link that has no buffer full.
constexpr double kReceiverHeldUp = 0.2;

std::string Percent(double share) { return absl::StrFormat("%.1f %%", share * 100); }

LimitVerdict JudgeMet(const LimitEvidence& e) {
  const std::string asked =
      e.requested_bps == 0 ? std::string("max") : FormatRate(static_cast<double>(e.requested_bps));
  if (!e.reduced_by.empty() || (e.requested_bps != 0 && e.granted_bps < e.requested_bps)) {
    return {record::v1::LIMIT_POLICY,
            absl::StrFormat("%s was requested, %s granted (reduced by %s), %s achieved", asked,
                            FormatRate(static_cast<double>(e.granted_bps)),
                            e.reduced_by.empty() ? "policy" : absl::StrJoin(e.reduced_by, ", "),
                            FormatRate(e.achieved_bps))};
  }
  if (e.requested_bps == 0) {
    return {record::v1::LIMIT_NIC,
            absl::StrFormat("max was requested, and the link's whole rate of %s was used",
                            FormatRate(static_cast<double>(e.granted_bps)))};
  }
  return {record::v1::LIMIT_NONE,
          absl::StrFormat("the requested rate was met: %s of %s", FormatRate(e.achieved_bps),
                          FormatRate(static_cast<double>(e.granted_bps)))};
}

// The sender put less on the wire than it was granted.
LimitVerdict JudgeSender(const LimitEvidence& e) {
  const double offers = static_cast<double>(e.sent + e.rejected);
  const double refused = offers == 0 ? 0 : static_cast<double>(e.rejected) / offers;
  // A link without a buffer of its own (memif, a ring) refuses because the receiver is slow.
  if (refused > kPortRefuses &&
      (e.receiver_busy >= kWorkerSaturated || e.receiver_starved > kReceiverHeldUp)) {
    return {record::v1::LIMIT_RECEIVER,
            absl::StrFormat("the receiver did not empty the link: its worker was busy %s of the "
                            "time and kept from its CPU for %s; the sending port refused %u offers",
                            Percent(e.receiver_busy), Percent(e.receiver_starved), e.rejected)};
  }
  // A port that refuses keeps its worker busy with offering, so refusals are looked at first.
  if (refused > kPortRefuses) {
    return {record::v1::LIMIT_NIC,
            absl::StrFormat("the sending port refused %u offers (%s) and took %s; %u packets due "
                            "never left",
                            e.rejected, Percent(refused), FormatRate(e.offered_bps), e.unsent)};
  }
  if (e.sender_busy >= kWorkerSaturated) {
    return {record::v1::LIMIT_SENDER_CPU,
            absl::StrFormat("the sending worker was busy %s of the time and sent %s; %u packets "
                            "due never left",
                            Percent(e.sender_busy), FormatRate(e.offered_bps), e.unsent)};
  }
  return {record::v1::LIMIT_SENDER_CPU,
          absl::StrFormat("the sending worker was busy only %s of the time but sent %s, and %u "
                          "packets due never left: it was kept from its CPU",
                          Percent(e.sender_busy), FormatRate(e.offered_bps), e.unsent)};
}

// Packets left and were not counted by the receiver.
LimitVerdict JudgeLoss(const LimitEvidence& e) {
  const double share = e.sent == 0 ? 0 : static_cast<double>(e.lost) / static_cast<double>(e.sent);
  const std::string lost =
      absl::StrFormat("%u of %u packets (%s) were lost", e.lost, e.sent, Percent(share));
  if (e.receiver_port_missed > 0 && e.receiver_port_missed >= e.lost / 2) {
    return {record::v1::LIMIT_RECEIVER,
            absl::StrFormat("%s, and the receiving port missed %u in the same time", lost,
                            e.receiver_port_missed)};
  }
  if (ReceiverStarved(e.receiver_starved, e.receiver_port_missed)) {
    return {record::v1::LIMIT_RECEIVER,
            absl::StrFormat("%s while the receiving worker was kept from its CPU for %s of the "
                            "time",
                            lost, Percent(e.receiver_starved))};
  }
  if (e.receiver_says_starved) {
    return {record::v1::LIMIT_RECEIVER,
            absl::StrFormat("%s while the receiving worker was kept from its CPU, by the "
                            "receiving end's own account",
                            lost)};
  }
  if (e.receiver_busy >= kWorkerSaturated) {
    return {record::v1::LIMIT_RECEIVER,
            absl::StrFormat("%s while the receiving worker was busy %s of the time", lost,
                            Percent(e.receiver_busy))};
  }
  return {record::v1::LIMIT_PATH,
          absl::StrFormat("%s between the ports: the sender put %s on the path, the receiver got "
                          "%s and missed %u at its own port",
                          lost, FormatRate(e.offered_bps), FormatRate(e.delivered_bps),
                          e.receiver_port_missed)};
}

// All that was due left and arrived, but not in its time.
LimitVerdict JudgeHeldUp(const LimitEvidence& e) {
  const std::string came = absl::StrFormat(
      "the sender put %s on the path and nothing was lost, but the packets came at %s, within %s "
      "of the test's time",
      FormatRate(e.offered_bps), FormatRate(e.achieved_bps), Percent(e.receiving));
  if (e.receiver_starved > kReceiverStarved || e.receiver_says_starved) {
    return {record::v1::LIMIT_RECEIVER,
            absl::StrFormat("%s: the receiving worker was kept from its CPU", came)};
  }
  return {record::v1::LIMIT_PATH, absl::StrFormat("%s: they were held up on the way", came)};
}

LimitVerdict JudgeRate(const LimitEvidence& e) {
  const double target = static_cast<double>(e.granted_bps);
  const bool met = e.granted_bps != 0 && e.achieved_bps >= target * kRateMet &&
                   e.delivered_bps >= target * kThroughout;
  if (met) return e.receiving >= kThroughout ? JudgeMet(e) : JudgeHeldUp(e);

  if (e.lost == 0) {
    const bool all_left = e.granted_bps != 0 && e.offered_bps >= target * kRateMet;
    return all_left ? JudgeHeldUp(e) : JudgeSender(e);
  }
  const double behind_wire =
      std::max(0.0, e.offered_bps - std::min(e.achieved_bps, e.delivered_bps));
  if (e.granted_bps == 0) {
    // No target to fall short of: loss of more than a packet in a hundred is what tells.
    return e.lost * 100 > e.sent ? JudgeLoss(e) : JudgeSender(e);
  }
  const double before_wire = std::max(0.0, target - e.offered_bps);
  return before_wire >= behind_wire ? JudgeSender(e) : JudgeLoss(e);
}

// The sender was short of its target and as fast as it can be, or the receiver lost packets and
// got as many as it can take: then it is this host, and no path, that was measured.
void BlameTester(const LimitEvidence& e, LimitVerdict* verdict) {
  if (e.mean_ip_bytes <= 0) return;
  const bool sender = verdict->limit == record::v1::LIMIT_SENDER_CPU;
  if (!sender && verdict->limit != record::v1::LIMIT_RECEIVER) return;
  const double can = sender ? e.generate_pps : e.sink_pps;
  const double did = (sender ? e.offered_bps : e.achieved_bps) / (8 * e.mean_ip_bytes);
  if (can <= 0 || did < can * kTesterAtLimit) return;
  verdict->detail += absl::StrFormat(
      "; the tester, not the path, was the limit: %.3f Mpps are %s of the %.3f "
      "Mpps it can %s by itself (weir calibrate)",
      did / 1e6, Percent(did / can), can / 1e6, sender ? "generate" : "sink");
}

}  // namespace

bool ReceiverStarved(double starved_share, uint64_t port_missed) {
  return port_missed > 0 && starved_share > kReceiverStarved;
}

LimitVerdict JudgeReceived(const LimitEvidence& e) {
  LimitVerdict verdict =
      e.lost == 0 ? LimitVerdict{record::v1::LIMIT_NONE,
                                 absl::StrFormat("all %u packets that were sent arrived, at %s",
                                                 e.sent, FormatRate(e.achieved_bps))}
                  : JudgeLoss(e);
  BlameTester(e, &verdict);
  if (!e.ended_early.empty()) {
    verdict.detail =
        absl::StrFormat("the test ended early (%s); until then %s", e.ended_early, verdict.detail);
  }
  return verdict;
}

LimitVerdict JudgeLimit(const LimitEvidence& e) {
  LimitVerdict verdict = JudgeRate(e);
  BlameTester(e, &verdict);
  if (e.ended_early.empty()) return verdict;
  const std::string early = absl::StrFormat("the test ended early (%s)", e.ended_early);
  if (e.by_peer) {
    return {record::v1::LIMIT_PEER,
            absl::StrFormat("%s; %s until then", early, FormatRate(e.achieved_bps))};
  }
  verdict.detail = absl::StrFormat("%s; until then %s", early, verdict.detail);
  return verdict;
}

std::string FormatRate(double bps) {
  if (bps >= 1e9) return absl::StrFormat("%.2f Gbit/s", bps / 1e9);
  if (bps >= 1e6) return absl::StrFormat("%.2f Mbit/s", bps / 1e6);
  if (bps >= 1e3) return absl::StrFormat("%.2f kbit/s", bps / 1e3);
  return absl::StrFormat("%.0f bit/s", bps);
}

}  // namespace weir::control

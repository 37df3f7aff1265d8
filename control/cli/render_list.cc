#include "control/cli/render_list.h"

#include <ctime>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "control/cli/render_result.h"
#include "control/cli/units.h"

namespace weir::cli {
namespace {

std::string Time(const google::protobuf::Timestamp& time) {
  const time_t seconds = time.seconds();
  tm parts = {};
  gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%SZ", &parts);
  return text;
}

std::string Asked(
    const google::protobuf::RepeatedPtrField<measurement::v1::DirectionRequest>& all) {
  std::vector<std::string> parts;
  for (const auto& one : all) {
    const auto& parameters = one.parameters();
    parts.push_back(absl::StrCat(
        Name(one.direction()), " ",
        parameters.rate_bps() == 0 ? std::string("max")
                                   : FormatRate(static_cast<double>(parameters.rate_bps())),
        " ", FormatDurationNs(static_cast<double>(parameters.duration_ns()))));
  }
  return absl::StrJoin(parts, ", ");
}

const char* OutcomeName(record::v1::Outcome outcome) {
  return outcome == record::v1::COMPLETED ? "completed" : "aborted";
}

const char* ReleaseName(record::v1::ReleaseClass release) {
  return release == record::v1::PUBLIC ? "public" : "operator only";
}

std::string Metadata(const record::v1::Record& record) {
  std::vector<std::string> entries;
  for (const auto& entry : record.metadata()) {
    entries.push_back(absl::StrCat(entry.key(), "=", entry.value()));
  }
  return entries.empty() ? "-" : absl::StrJoin(entries, ", ");
}

std::string OrDash(const std::string& text) { return text.empty() ? "-" : text; }

}  // namespace

std::string RenderSessions(const measurement::v1::ListSessionsReply& reply,
                           const Terminal& terminal) {
  if (reply.sessions_size() == 0) return "no sessions\n";
  std::string text =
      terminal.Paint(Style::kBold,
                     absl::StrFormat("%-36s  %-30s %-6s %-10s %-20s %-16s %s", "SESSION", "STARTED",
                                     "ROLE", "STATE", "PEER", "RULE", "TEST")) +
      "\n";
  for (const auto& session : reply.sessions()) {
    absl::StrAppend(&text,
                    absl::StrFormat("%-36s  %-30s %-6s %-10s %-20s %-16s %s", session.session_id(),
                                    session.started_at(), session.role(), session.state(),
                                    OrDash(session.peer()), OrDash(session.admission_rule()),
                                    Asked(session.directions())));
    if (!session.end_reason().empty()) absl::StrAppend(&text, " (", session.end_reason(), ")");
    absl::StrAppend(&text, "\n");
  }
  return text;
}

std::string RenderRecords(const measurement::v1::ListRecordsReply& reply,
                          const Terminal& terminal) {
  if (reply.records_size() == 0) return "no records\n";
  std::string text =
      terminal.Paint(Style::kBold, absl::StrFormat("%-41s  %-20s %-9s %15s %10s %12s  %-20s %s",
                                                   "RECORD", "NEGOTIATED", "OUTCOME", "ACHIEVED IP",
                                                   "LOST", "DELAY P50", "CLIENT", "RELEASE")) +
      "\n";
  for (const record::v1::Record& record : reply.records()) {
    const auto& result = record.result();
    absl::StrAppend(
        &text, absl::StrFormat(
                   "%-41s  %-20s %-9s %15s %10s %12s  %-20s %s\n", record.record_id(),
                   Time(record.negotiated_at()), OutcomeName(record.outcome()),
                   FormatRate(result.achieved_ip_bps()), FormatCount(result.lost()),
                   result.one_way_delay().samples() == 0
                       ? std::string("-")
                       : FormatDurationNs(static_cast<double>(result.one_way_delay().p50_ns())),
                   OrDash(record.client().value()), ReleaseName(record.release_class())));
  }
  return text;
}

std::string RenderReload(const measurement::v1::ReloadPolicyReply& reply) {
  const std::string in_force = absl::StrCat(reply.profile(), ", ", reply.policy_digest(), "\n");
  switch (reply.result()) {
    case measurement::v1::ReloadPolicyReply::APPLIED:
      return absl::StrCat("applied    ", in_force, "instead of ", reply.previous_digest(), "\n");
    case measurement::v1::ReloadPolicyReply::UNCHANGED:
      return absl::StrCat("unchanged  ", in_force);
    default:
      return absl::StrCat("not applied; still in force: ", in_force);
  }
}

std::string RenderRecord(const record::v1::Record& record, const Terminal& terminal) {
  const auto row = [&](const char* name, const std::string& value) {
    return absl::StrFormat("%-12s %s\n", name, value);
  };
  const auto& granted = record.granted();
  std::string text = absl::StrCat(
      row("record", terminal.Paint(Style::kBold, record.record_id())),
      row("outcome", absl::StrCat(OutcomeName(record.outcome()), " (", record.end_reason(), ")")),
      row("negotiated", Time(record.negotiated_at())),
      row("client", absl::StrCat(OrDash(record.client().value()), ", ",
                                 record::v1::AddressMode_Name(record.client().mode()))),
      row("server", absl::StrCat(record.server().node(), ", ", record.server().operator_(), ", ",
                                 record.server().contact())),
      row("experiment", OrDash(record.experiment())), row("purpose", OrDash(record.purpose())),
      row("metadata", Metadata(record)), row("admitted by", record.admission_rule()),
      row("exported by",
          absl::StrCat(record.export_rule(), ", ", ReleaseName(record.release_class()))),
      row("policy", record.policy_digest()), row("software", record.software()),
      row("asked for",
          absl::StrCat(record.requested().rate_max()
                           ? std::string("max")
                           : FormatRate(static_cast<double>(record.requested().rate_bps())),
                       ", granted ", FormatRate(static_cast<double>(granted.rate_bps())), " for ",
                       FormatDurationNs(static_cast<double>(granted.duration_ns())), ", payload ",
                       FormatPayload(granted), ", ", granted.streams(), " streams, ",
                       FormatPacing(granted), ", IPv", granted.ip_version())),
      "\n");
  absl::StrAppend(&text, RenderDirection(record.result(), terminal));
  return text;
}

}  // namespace weir::cli

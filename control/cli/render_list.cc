#include "control/cli/render_list.h"

#include <algorithm>
#include <ctime>
#include <vector>

#include "absl/strings/ascii.h"
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

bool Withheld(const measurement::v1::RecordStanding& standing, const char* field) {
  const auto& withheld = standing.withheld();
  return std::find(withheld.begin(), withheld.end(), field) != withheld.end();
}

std::string Client(const record::v1::Record& record,
                   const measurement::v1::RecordStanding& standing) {
  if (standing.address_erased()) return "(erased)";
  return Withheld(standing, "client") ? "(withheld)" : OrDash(record.client().value());
}

// "embargoed until 2027-01-31", "collected": by the day, which is what policies count in.
std::string Standing(const measurement::v1::RecordStanding& standing) {
  const std::string day = standing.release_due().substr(0, 10);
  switch (standing.state()) {
    case record::v1::COLLECTED:
      return "collected";
    case record::v1::EMBARGOED:
      return day.empty() ? "embargoed" : absl::StrCat("embargoed until ", day);
    case record::v1::RELEASED:
      return "released";
    case record::v1::ANONYMISED:
      return "anonymised";
    default:
      return "-";
  }
}

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

std::string RenderNotices(const measurement::v1::ListNoticesReply& reply,
                          const Terminal& terminal) {
  if (reply.notices_size() == 0) return "no notices\n";
  std::string text = terminal.Paint(
      Style::kBold, absl::StrFormat("%-24s %-22s %13s %13s  %s\n", "UNTIL", "TRIGGER", "ADMITTED",
                                    "OBSERVED", "WHOSE, AND WHAT WAS DONE"));
  for (const measurement::v1::Notice& notice : reply.notices()) {
    const std::string whose = notice.session_ids().empty()
                                  ? absl::StrCat("port ", notice.port())
                                  : absl::StrJoin(notice.session_ids(), ", ");
    absl::StrAppend(
        &text, absl::StrFormat(
                   "%-24s %-22s %13s %13s  %s: %s\n", notice.window_end(),
                   absl::AsciiStrToLower(measurement::v1::Notice::Trigger_Name(notice.trigger())),
                   FormatRate(notice.admitted_bps()), FormatRate(notice.observed_bps()), whose,
                   notice.action()));
  }
  return text;
}

std::string RenderRecords(const measurement::v1::ListRecordsReply& reply,
                          const Terminal& terminal) {
  std::string more;
  if (reply.withheld() != 0) {
    absl::StrAppend(&more, reply.withheld(), " more may not be read before they are released\n");
  }
  if (!reply.next_before_id().empty()) {
    absl::StrAppend(&more, "older ones: --before ", reply.next_before_id(), "\n");
  }
  if (reply.records_size() == 0) return absl::StrCat("no records\n", more);
  std::string text =
      terminal.Paint(Style::kBold,
                     absl::StrFormat("%-41s  %-20s %-9s %15s %10s %12s  %-20s %-13s %s", "RECORD",
                                     "NEGOTIATED", "OUTCOME", "ACHIEVED IP", "LOST", "DELAY P50",
                                     "CLIENT", "RELEASE", "STATE")) +
      "\n";
  for (int i = 0; i < reply.records_size(); ++i) {
    const record::v1::Record& record = reply.records(i);
    const auto& standing = i < reply.standings_size()
                               ? reply.standings(i)
                               : measurement::v1::RecordStanding::default_instance();
    const auto& result = record.result();
    const bool measured = !Withheld(standing, "measurement");
    absl::StrAppend(
        &text,
        absl::StrFormat(
            "%-41s  %-20s %-9s %15s %10s %12s  %-20s %-13s %s\n", record.record_id(),
            Time(record.negotiated_at()), OutcomeName(record.outcome()),
            measured ? FormatRate(result.achieved_ip_bps()) : "(withheld)",
            measured ? FormatCount(result.lost()) : "-",
            result.one_way_delay().samples() == 0
                ? std::string("-")
                : FormatDurationNs(static_cast<double>(result.one_way_delay().p50_ns())),
            Client(record, standing), ReleaseName(record.release_class()), Standing(standing)));
  }
  return text + more;
}

std::string RenderChange(const measurement::v1::ChangeRecordReply& reply) {
  std::string text;
  const auto add = [&](const measurement::v1::RecordStanding& standing, const char* how) {
    absl::StrAppend(&text, standing.record_id(), "  ", how, Standing(standing),
                    standing.address_erased() ? ", address erased" : "", "\n");
  };
  for (const auto& standing : reply.changed()) add(standing, "now ");
  for (const auto& standing : reply.unchanged()) add(standing, "unchanged: ");
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

std::string RenderRecord(const measurement::v1::GetRecordReply& reply, const Terminal& terminal) {
  const record::v1::Record& record = reply.record();
  const auto& standing = reply.standing();
  const auto row = [&](const char* name, const std::string& value) {
    return absl::StrFormat("%-12s %s\n", name, value);
  };
  const auto& granted = record.granted();
  std::string text = absl::StrCat(
      row("record", terminal.Paint(Style::kBold, record.record_id())),
      row("outcome", absl::StrCat(OutcomeName(record.outcome()), " (", record.end_reason(), ")")),
      row("negotiated", Time(record.negotiated_at())),
      row("state", absl::StrCat(Standing(standing),
                                standing.anonymise_due().empty()
                                    ? std::string()
                                    : ", address to be erased " + standing.anonymise_due())),
      row("client", absl::StrCat(Client(record, standing), ", ",
                                 record::v1::AddressMode_Name(record.client().mode()))),
      row("server", absl::StrCat(record.server().node(), ", ", record.server().operator_(), ", ",
                                 record.server().contact())),
      row("experiment", OrDash(record.experiment())), row("purpose", OrDash(record.purpose())),
      row("metadata", Withheld(standing, "metadata") ? "(withheld)" : Metadata(record)),
      row("admitted by", record.admission_rule()),
      row("exported by",
          absl::StrCat(record.export_rule(), ", ", ReleaseName(record.release_class()))),
      row("policy", record.policy_digest()), row("software", record.software()));
  if (Withheld(standing, "measurement")) {
    return absl::StrCat(text, row("result", "(withheld until it is released)"));
  }
  absl::StrAppend(
      &text,
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

#include "control/cli/export_commands.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "control/cli/query.h"
#include "control/cli/units.h"

namespace weir::cli {
namespace {

namespace dv = delivery::v1;

std::string RenderStatus(const dv::Status& status, const Terminal& terminal) {
  if (status.destinations().empty()) {
    return "no destination has asked for records; is weir-export running?\n";
  }
  std::string text =
      terminal.Paint(Style::kBold,
                     absl::StrFormat("%-20s %-10s %-20s %-20s %12s %9s %6s %8s  %s", "DESTINATION",
                                     "ENGINE", "RECIPIENT", "PURPOSE", "DELIVERED", "ERASURES",
                                     "DEAD", "BEHIND", "LAST SEEN")) +
      "\n";
  for (const dv::DestinationStatus& one : status.destinations()) {
    const dv::Destination& destination = one.destination();
    const auto or_dash = [](const std::string& value) { return value.empty() ? "-" : value; };
    absl::StrAppend(
        &text, absl::StrFormat("%-20s %-10s %-20s %-20s %12s %9s %6s %8s  %s\n", destination.name(),
                               or_dash(destination.engine()), or_dash(destination.recipient()),
                               or_dash(destination.purpose()), FormatCount(one.delivered()),
                               FormatCount(one.erasures_delivered()), FormatCount(one.dead()),
                               FormatCount(one.behind()), or_dash(one.last_pull())));
    if (!one.trouble().empty()) absl::StrAppend(&text, "    trouble: ", one.trouble(), "\n");
  }
  return text;
}

std::string RenderDead(const dv::Status& status) {
  if (status.dead_letters().empty()) return "no dead letters\n";
  std::string text;
  for (const dv::DeadLetter& letter : status.dead_letters()) {
    absl::StrAppend(&text, letter.at(), "  ", letter.destination(), "  ", letter.record_id(),
                    letter.tombstone() ? " (erasure)" : "", "\n    ", letter.reason(), "\n");
  }
  return text;
}

template <typename Render>
ExitCode Ask(const Context& context, const ExportOptions& options, const Render& render) {
  dv::GetStatusRequest request;
  request.set_dead_letters(options.limit);
  return Query(
      context, "cannot ask how far the export is", &AdminStub::GetExportStatus, request,
      [&](const dv::Status& status) { return context.json ? JsonLine(status) : render(status); });
}

}  // namespace

ExitCode ShowExportStatus(const Context& context, const ExportOptions& options) {
  return Ask(context, options,
             [&](const dv::Status& status) { return RenderStatus(status, context.terminal); });
}

ExitCode ForgetDestination(const Context& context, const std::string& name) {
  measurement::v1::ForgetDestinationRequest request;
  request.set_name(name);
  return Query(context, absl::StrCat("cannot forget ", name), &AdminStub::ForgetDestination,
               request, [&](const measurement::v1::ForgetDestinationReply& reply) {
                 return context.json ? JsonLine(reply) : absl::StrCat("forgot ", name, "\n");
               });
}

ExitCode ListDeadLetters(const Context& context, const ExportOptions& options) {
  return Ask(context, options, RenderDead);
}

ExitCode RetryDeadLetters(const Context& context, const RetryOptions& options) {
  dv::RetryRequest request;
  request.set_destination(options.destination);
  for (const std::string& id : options.record_ids) request.add_record_ids(id);
  return Query(context, "cannot retry", &AdminStub::RetryDeadLetters, request,
               [&](const dv::RetryReply& reply) {
                 return context.json ? JsonLine(reply)
                                     : absl::StrCat(reply.retried(),
                                                    " will be tried again by weir-export\n");
               });
}

}  // namespace weir::cli

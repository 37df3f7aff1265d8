#include "control/cli/audit_commands.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "control/cli/query.h"
#include "control/cli/render_trace.h"

namespace weir::cli {
namespace {

namespace ms = measurement::v1;

std::string RenderAudit(const ms::ListAuditReply& reply, const Context& context, bool trace) {
  if (reply.entries_size() == 0) return "no entries\n";
  std::string text = context.terminal.Paint(
      Style::kBold,
      absl::StrFormat("%8s  %-24s %-16s %6s  %s\n", "ID", "AT", "EVENT", "COUNT", "WHAT"));
  for (const ms::AuditEntry& entry : reply.entries()) {
    std::string what = entry.rule();
    if (!entry.stage().empty()) absl::StrAppend(&what, " (", entry.stage(), ")");
    for (const std::string* part :
         {&entry.session_id(), &entry.field(), &entry.netblock(), &entry.detail()}) {
      if (!part->empty()) absl::StrAppend(&what, what.empty() ? "" : "  ", *part);
    }
    absl::StrAppend(&text, absl::StrFormat("%8d  %-24s %-16s %6d  %s\n", entry.id(), entry.at(),
                                           entry.event(), entry.count(), what));
    if (trace) absl::StrAppend(&text, RenderTrace(entry.trace(), std::string(10, ' ')));
  }
  return text;
}

std::string Head(const ms::AuditHead& head) { return absl::StrCat(head.id(), ":", head.hash()); }

}  // namespace

ExitCode ListAudit(const Context& context, const AuditOptions& options) {
  ms::ListAuditRequest request;
  request.set_limit(options.limit);
  request.set_before_id(options.before_id);
  request.set_event(options.event);
  request.set_session_id(options.session_id);
  return Query(context, "cannot list the audit log", &AdminStub::ListAudit, request,
               [&](const ms::ListAuditReply& reply) {
                 return context.json ? JsonLine(reply) : RenderAudit(reply, context, options.trace);
               });
}

ExitCode VerifyAudit(const Context& context, const std::string& head) {
  ms::VerifyAuditRequest request;
  if (!head.empty()) {
    const size_t colon = head.find(':');
    int64_t id = 0;
    if (colon == std::string::npos || !absl::SimpleAtoi(head.substr(0, colon), &id) || id < 1) {
      return Report(context, {ExitCode::kUsage,
                              absl::StrCat("--head: \"", head,
                                           "\" is not ID:HASH, as `weir audit verify` prints it")});
    }
    request.mutable_head()->set_id(id);
    request.mutable_head()->set_hash(head.substr(colon + 1));
  }
  bool intact = false;
  const ExitCode code =
      Query(context, "cannot verify the audit log", &AdminStub::VerifyAudit, request,
            [&](const ms::VerifyAuditReply& reply) {
              intact = reply.intact();
              if (context.json) return JsonLine(reply);
              if (intact) {
                return absl::StrCat("intact: ", reply.rows(), " rows, head ", Head(reply.head()),
                                    "\nNote the head elsewhere: --head proves later that nothing "
                                    "before it was changed or cut off.\n");
              }
              return absl::StrCat("NOT INTACT at row ", reply.first_broken_id(), ": ", reply.why(),
                                  "\n", reply.rows(), " rows before it are in order, ", "head ",
                                  Head(reply.head()), "\n");
            });
  return code == ExitCode::kOk && !intact ? ExitCode::kLocal : code;
}

}  // namespace weir::cli

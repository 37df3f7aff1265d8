// Sessions, records and notices, one a line.
#ifndef WEIR_CONTROL_CLI_RENDER_LIST_H_
#define WEIR_CONTROL_CLI_RENDER_LIST_H_

#include <string>

#include "control/cli/terminal.h"
#include "measurement/v1/admin.pb.h"

namespace weir::cli {

std::string RenderSessions(const measurement::v1::ListSessionsReply& reply,
                           const Terminal& terminal);
std::string RenderRecords(const measurement::v1::ListRecordsReply& reply, const Terminal& terminal);
std::string RenderChange(const measurement::v1::ChangeRecordReply& reply);
std::string RenderNotices(const measurement::v1::ListNoticesReply& reply, const Terminal& terminal);
std::string RenderReload(const measurement::v1::ReloadPolicyReply& reply);
// All of one record, with its intervals.
std::string RenderRecord(const measurement::v1::GetRecordReply& reply, const Terminal& terminal);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_RENDER_LIST_H_

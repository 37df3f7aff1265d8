#include "control/cli/records_commands.h"

#include "absl/strings/str_cat.h"
#include "control/cli/query.h"
#include "control/cli/render_list.h"

namespace weir::cli {

namespace ms = measurement::v1;

ExitCode ListRecords(const Context& context, const RecordsOptions& options) {
  ms::ListRecordsRequest request;
  request.set_limit(options.limit);
  request.set_before_id(options.before_id);
  request.set_as_role(options.as_role);
  return Query(context, "cannot list records", &AdminStub::ListRecords, request,
               [&](const ms::ListRecordsReply& reply) {
                 return context.json ? JsonLine(reply) : RenderRecords(reply, context.terminal);
               });
}

ExitCode ShowRecord(const Context& context, const RecordOptions& options) {
  ms::GetRecordRequest request;
  request.set_record_id(options.id);
  request.set_as_role(options.as_role);
  return Query(context, absl::StrCat("cannot show record ", options.id), &AdminStub::GetRecord,
               request, [&](const ms::GetRecordReply& reply) {
                 return context.json ? JsonLine(reply.record())
                                     : RenderRecord(reply, context.terminal);
               });
}

ExitCode ReleaseRecord(const Context& context, const RecordOptions& options) {
  ms::ReleaseRecordRequest request;
  request.set_id(options.id);
  request.set_reason(options.reason);
  return Query(context, absl::StrCat("cannot release ", options.id), &AdminStub::ReleaseRecord,
               request, [&](const ms::ChangeRecordReply& reply) {
                 return context.json ? JsonLine(reply) : RenderChange(reply);
               });
}

ExitCode AnonymiseRecord(const Context& context, const RecordOptions& options) {
  ms::AnonymiseRecordRequest request;
  request.set_id(options.id);
  request.set_reason(options.reason);
  request.set_proof(options.proof);
  return Query(context, absl::StrCat("cannot anonymise ", options.id), &AdminStub::AnonymiseRecord,
               request, [&](const ms::ChangeRecordReply& reply) {
                 return context.json ? JsonLine(reply) : RenderChange(reply);
               });
}

}  // namespace weir::cli

// weir records: what was stored, and its way to the public.
#ifndef WEIR_CONTROL_CLI_RECORDS_COMMANDS_H_
#define WEIR_CONTROL_CLI_RECORDS_COMMANDS_H_

#include <cstdint>
#include <string>

#include "control/cli/command.h"

namespace weir::cli {

struct RecordsOptions {
  uint32_t limit = 0;
  std::string before_id;
  std::string as_role;  // See no more than this one would; empty: the operator.
};
ExitCode ListRecords(const Context& context, const RecordsOptions& options);

struct RecordOptions {
  std::string id;  // Of a record; what changes records takes a session's as well.
  std::string as_role;
  std::string reason;
  std::string proof;
};
ExitCode ShowRecord(const Context& context, const RecordOptions& options);
ExitCode ReleaseRecord(const Context& context, const RecordOptions& options);
// With a proof: because the person asked who had the address.
ExitCode AnonymiseRecord(const Context& context, const RecordOptions& options);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_RECORDS_COMMANDS_H_

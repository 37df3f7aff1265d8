// weir lookup: whose packet was it?
#ifndef WEIR_CONTROL_CLI_LOOKUP_COMMAND_H_
#define WEIR_CONTROL_CLI_LOOKUP_COMMAND_H_

#include <optional>
#include <string>
#include <variant>

#include "control/cli/command.h"
#include "measurement/v1/measurement.pb.h"

namespace weir::cli {

struct LookupOptions {
  std::string source, destination;  // "192.0.2.1:5000" or "[2001:db8::1]:5000".
  std::string time;                 // RFC 3339, seconds since 1970, or "now".
  std::string server;               // Empty: this node.
  std::string ca;
  bool plaintext = false;
};
ExitCode LookUp(const Context& context, const LookupOptions& options);

// The packet asked for, or which argument is wrong.
std::variant<measurement::v1::LookupRequest, Failure> ToLookup(const LookupOptions& options);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_LOOKUP_COMMAND_H_

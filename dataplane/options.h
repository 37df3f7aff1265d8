// The command line of weir-dataplane.
#ifndef WEIR_DATAPLANE_OPTIONS_H_
#define WEIR_DATAPLANE_OPTIONS_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "dataplane/eal/eal.h"
#include "dataplane/port/port_spec.h"
#include "dataplane/result.h"

namespace weir::dataplane {

struct Options {
  std::string socket = "/run/weir/dataplane.sock";
  std::string socket_group;  // Empty: none.
  std::vector<PortSpec> ports;
  uint32_t workers_per_port = 1;
  uint32_t slots = 65536;     // --flows
  uint32_t histograms = 256;  // For each worker.
  std::string user;           // DefaultUser() unless given.
  EalOptions eal;
};

// --help or --version was asked for: `text` is to be printed and the process to exit with 0.
struct HelpText {
  std::string text;
};

// Errors: an unknown flag, a bad value (Error.field is the flag), no port, a port name used twice.
Result<std::variant<Options, HelpText>> ParseOptions(int argc, const char* const* argv);

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_OPTIONS_H_

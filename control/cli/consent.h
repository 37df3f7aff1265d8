// Whether the person agrees to what the server collects.
#ifndef WEIR_CONTROL_CLI_CONSENT_H_
#define WEIR_CONTROL_CLI_CONSENT_H_

#include <optional>

#include "control/cli/command.h"
#include "measurement/v1/measurement.pb.h"

namespace weir::cli {

// Shows the notice and gets an answer: from --accept-notice, or from the person at the terminal.
// Nothing is remembered. Without a notice there is nothing to agree to.
std::optional<Failure> GetConsent(const Context& context, const measurement::v1::ServerInfo& server,
                                  bool accept_notice);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_CONSENT_H_

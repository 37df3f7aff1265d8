// Contact details that a person gives with a test, sealed before they leave this process.
#ifndef WEIR_CONTROL_CLI_CONTACTS_LEAVE_CONTACT_H_
#define WEIR_CONTROL_CLI_CONTACTS_LEAVE_CONTACT_H_

#include <string>
#include <variant>

#include "control/cli/exit_code.h"
#include "measurement/v1/measurement.pb.h"

namespace weir::cli {

// Of `--contact` and `--contact-file`, of which at most one is given; neither is "".
std::variant<std::string, Failure> ReadContact(const std::string& text, const std::string& file);

// For the experiment, as the server offers it. Refused unless the notice, which the person has
// accepted, names the key.
std::variant<std::string, Failure> SealContact(const std::string& text,
                                               const std::string& experiment,
                                               const measurement::v1::ServerInfo& server);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_CONTACTS_LEAVE_CONTACT_H_

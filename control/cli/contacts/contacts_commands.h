// weir contacts: the operator hands sealed details on, the researcher opens them.
#ifndef WEIR_CONTROL_CLI_CONTACTS_CONTACTS_COMMANDS_H_
#define WEIR_CONTROL_CLI_CONTACTS_CONTACTS_COMMANDS_H_

#include <string>

#include "control/cli/command.h"

namespace weir::cli {

struct ContactsOptions {
  std::string experiment;  // Empty: all.
  std::string key;         // File of the researcher's key.
  std::string file;        // What `export` printed; empty: standard input.
};
ExitCode ListContacts(const Context& context, const ContactsOptions& options);
// Prints measurement.v1.ListContactsReply in JSON, sealed details included.
ExitCode ExportContacts(const Context& context, const ContactsOptions& options);

// These two ask nobody: they run on the researcher's machine.
ExitCode MakeContactKey(const Context& context, const ContactsOptions& options);
// kUsage: the file or the key is none. kRefused: none of the details is sealed to this key.
ExitCode OpenContacts(const Context& context, const ContactsOptions& options);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_CONTACTS_CONTACTS_COMMANDS_H_

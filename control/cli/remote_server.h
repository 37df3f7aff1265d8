// How the command line names another server to the local weir-control.
#ifndef WEIR_CONTROL_CLI_REMOTE_SERVER_H_
#define WEIR_CONTROL_CLI_REMOTE_SERVER_H_

#include <string>

#include "measurement/v1/admin.pb.h"

namespace weir::cli {

// `ca`: a file, from this directory, which may not be weir-control's; empty: the node's own choice.
measurement::v1::RemoteServer ToRemote(const std::string& server, const std::string& ca,
                                       bool plaintext);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_REMOTE_SERVER_H_

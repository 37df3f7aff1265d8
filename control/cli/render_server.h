// A node and its policy in words.
#ifndef WEIR_CONTROL_CLI_RENDER_SERVER_H_
#define WEIR_CONTROL_CLI_RENDER_SERVER_H_

#include <string>

#include "control/cli/terminal.h"
#include "measurement/v1/admin.pb.h"
#include "measurement/v1/measurement.pb.h"

namespace weir::cli {

// "Server", "Policy" and what it allows; for a remote server and for this node alike.
std::string RenderServer(const measurement::v1::ServerInfo& server, const Terminal& terminal);

// RenderServer and the dataplane's ports.
std::string RenderNode(const measurement::v1::NodeInfo& node, const Terminal& terminal);

// What is collected, before data flows. Empty without a notice.
std::string RenderNotice(const measurement::v1::ServerInfo& server, const Terminal& terminal);

std::string RenderRejection(const measurement::v1::Rejection& rejection, const Terminal& terminal);

// `text` broken into lines of at most `width` characters, each behind `indent`.
std::string Wrap(const std::string& text, const std::string& indent, size_t width = 78);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_RENDER_SERVER_H_

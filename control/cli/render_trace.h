// A policy's trace as a table. weir-control's own explanations are rendered by it as well.
#ifndef WEIR_CONTROL_CLI_RENDER_TRACE_H_
#define WEIR_CONTROL_CLI_RENDER_TRACE_H_

#include <string>

#include "policy/v1/trace.pb.h"

namespace weir::cli {

// One line a step, columns aligned, each line behind `indent`; empty for a trace without steps.
std::string RenderTrace(const policy::v1::Trace& trace, const std::string& indent);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_RENDER_TRACE_H_

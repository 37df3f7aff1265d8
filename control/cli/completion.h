// Shell completion, generated from the parser so that it cannot fall behind it.
#ifndef WEIR_CONTROL_CLI_COMPLETION_H_
#define WEIR_CONTROL_CLI_COMPLETION_H_

#include <CLI/App.hpp>
#include <string>

namespace weir::cli {

// `shell` is bash, zsh or fish.
std::string CompletionScript(const CLI::App& app, const std::string& shell);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_COMPLETION_H_

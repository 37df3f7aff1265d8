// weir: the command line. Asks the local weir-control over its admin socket and renders what it
// answers; holds no measurement logic of its own.
#include <cstring>
#include <iostream>
#include <string>
#include <vector>

#include "control/cli/cli.h"
#include "control/cli/pair_guard.h"

int main(int argc, char** argv) {
  if (argc == 4 && std::strcmp(argv[1], weir::cli::kPairGuardArgument) == 0) {
    return weir::cli::RunPairGuard(argv[2], argv[3]);
  }
  weir::cli::Interrupt interrupt;  // Before gRPC starts threads.
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return weir::cli::RunCli(arguments, weir::cli::Terminal::Detect(), std::cout, std::cerr,
                           &interrupt);
}

// Runs the tests; or plays a part in them, when private_pair_test.cc starts it again.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>

#include "control/cli/pair_guard.h"
#include "control/cli/private_pair.h"
#include "tests/unit/cli/fake_admin.h"

namespace weir::cli {
namespace {

std::string ValueOf(int argc, char** argv, const std::string& flag) {
  for (int i = 1; i + 1 < argc; ++i) {
    if (flag == argv[i]) return argv[i + 1];
  }
  return "";
}

int BeDataplane(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return 3;
  pause();
  return 0;
}

// `stubborn` does not stop when asked, `lone` never finds its dataplane.
int BeControl(const std::string& config, bool stubborn, bool lone) {
  if (stubborn) signal(SIGTERM, SIG_IGN);
  FakeAdmin admin(config.substr(0, config.rfind('/')) + "/admin.sock");
  admin.node.set_dataplane_connected(!lone);
  while (true) pause();
}

int HoldPair() {
  Interrupt interrupt;
  auto pair = PrivatePair::Start("null:", interrupt, {});
  if (std::holds_alternative<Failure>(pair)) return 1;
  std::ofstream(std::string(getenv("TMPDIR")) + "/held") << "held";
  while (true) pause();
}

}  // namespace
}  // namespace weir::cli

int main(int argc, char** argv) {
  const std::string role = argc > 1 ? argv[1] : "";
  if (role == weir::cli::kPairGuardArgument) return weir::cli::RunPairGuard(argv[2], argv[3]);
  if (role == "--fake-dataplane") {
    return weir::cli::BeDataplane(weir::cli::ValueOf(argc, argv, "--socket"));
  }
  if (role == "--fake-control" || role == "--stubborn-control" || role == "--lone-control") {
    return weir::cli::BeControl(weir::cli::ValueOf(argc, argv, "--config"),
                                role == "--stubborn-control", role == "--lone-control");
  }
  if (role == "--hold-pair") return weir::cli::HoldPair();
  testing::InitGoogleTest(&argc, argv);
  // Threads of every test inherit this: only an Interrupt may see these signals.
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return RUN_ALL_TESTS();
}

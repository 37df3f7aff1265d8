#include "dataplane/privileges/privileges.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <functional>
#include <thread>

namespace weir::dataplane {
namespace {

// Runs `body` in a process of its own, as what it does cannot be undone; true if it returns true.
bool InChild(const std::function<bool()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body() ? 0 : 1);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(DropPrivileges, TakesThemFromAllThreads) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  EXPECT_TRUE(InChild([] {
    std::atomic<int> stage{0};
    int raw = 0;
    std::thread other([&] {
      while (stage.load() == 0) usleep(1000);
      raw = socket(AF_PACKET, SOCK_RAW, 0);
    });
    const Status status = DropPrivileges("nobody");
    if (!status.ok()) std::fprintf(stderr, "%s\n", status.error().message.c_str());
    stage.store(1);
    other.join();
    return status.ok() && raw < 0 && geteuid() != 0 && getegid() != 0 && setuid(0) != 0 &&
           socket(AF_PACKET, SOCK_RAW, 0) < 0;
  }));
}

TEST(DropPrivileges, RefusesRootAndStrangers) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  EXPECT_TRUE(InChild([] {
    const Status status = DropPrivileges("root");
    return !status.ok() && status.error().field == "--user";
  }));
  EXPECT_TRUE(InChild([] {
    const Status status = DropPrivileges("no-such-user");
    return !status.ok() && status.error().message.find("no-such-user") != std::string::npos;
  }));
}

TEST(DropPrivileges, HasAnUnprivilegedDefault) { EXPECT_NE(DefaultUser(), "root"); }

}  // namespace
}  // namespace weir::dataplane

// The pair's daemons here are this test program in another role (see main.cc): what is tested is
// who starts, watches and ends whom.
#include "control/cli/private_pair.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "tests/unit/control/config/temp_dir.h"

namespace weir::cli {
namespace {

namespace fs = std::filesystem;

bool WaitFor(const std::function<bool()>& condition) {
  for (int i = 0; i < 400; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(25));
  }
  return false;
}

class PrivatePairTest : public testing::Test {
 protected:
  void SetUp() override {
    MakeProgram("weir-dataplane", "--fake-dataplane");
    MakeProgram("weir-control", "--fake-control");
    setenv("PATH", (dir_.path() + ":/usr/bin:/bin").c_str(), 1);
    fs::create_directory(temp_);
    setenv("TMPDIR", temp_.c_str(), 1);
  }
  void TearDown() override {
    setenv("PATH", old_path_.c_str(), 1);
    unsetenv("TMPDIR");
  }

  // A daemon that leaves its process id in pids_ and behaves as main.cc's role says.
  void MakeProgram(const std::string& name, const std::string& role) {
    const std::string self = fs::read_symlink("/proc/self/exe").string();
    const std::string path = dir_.Write(name, "#!/bin/sh\necho $$ > " + dir_.File(name + ".pid") +
                                                  "\nexec " + self + " " + role + " \"$@\"\n");
    fs::permissions(path, fs::perms::owner_all);
  }
  pid_t PidOf(const std::string& name) const {
    pid_t pid = 0;
    std::ifstream(dir_.File(name + ".pid")) >> pid;
    return pid;
  }
  bool Gone(const std::string& name) const {
    const pid_t pid = PidOf(name);
    return pid != 0 && kill(pid, 0) != 0;
  }
  bool NothingLeft() const {
    return Gone("weir-control") && Gone("weir-dataplane") && fs::is_empty(temp_);
  }

  Interrupt interrupt_;
  const control::TempDir dir_;
  const std::string temp_ = dir_.File("tmp");
  const std::string old_path_ = getenv("PATH");
};

TEST_F(PrivatePairTest, StartsBothAndTakesThemDown) {
  {
    auto pair = PrivatePair::Start("null:", interrupt_, {});
    const auto* failure = std::get_if<Failure>(&pair);
    ASSERT_EQ(failure, nullptr) << failure->message;
    const auto& started = std::get<std::unique_ptr<PrivatePair>>(pair);
    EXPECT_TRUE(fs::is_socket(started->admin_socket()));
    EXPECT_FALSE(Gone("weir-control"));
    EXPECT_FALSE(Gone("weir-dataplane"));
    const fs::path home = fs::path(started->admin_socket()).parent_path();
    EXPECT_EQ(fs::status(home).permissions(), fs::perms::owner_all);
  }
  EXPECT_TRUE(NothingLeft());
}

TEST_F(PrivatePairTest, PreparesTheDeviceAndGivesItBack) {
  if (geteuid() != 0) GTEST_SKIP() << "only root prepares devices";
  const std::string path =
      dir_.Write("weir-nic", "#!/bin/sh\necho \"$@\" >> " + dir_.File("weir-nic.calls") + "\n");
  fs::permissions(path, fs::perms::owner_all);
  {
    auto pair = PrivatePair::Start("af_packet:eth1,ip4=192.0.2.1/24", interrupt_, {});
    ASSERT_EQ(std::get_if<Failure>(&pair), nullptr);
  }
  std::ifstream calls(dir_.File("weir-nic.calls"));
  const std::string text((std::istreambuf_iterator<char>(calls)), std::istreambuf_iterator<char>());
  EXPECT_EQ(text, "up af_packet:eth1\ndown af_packet:eth1\n");
}

TEST_F(PrivatePairTest, DeathOfTheCommandTakesThemDown) {
  std::string self = fs::read_symlink("/proc/self/exe").string(), role = "--hold-pair";
  char* arguments[] = {self.data(), role.data(), nullptr};
  pid_t command = 0;
  ASSERT_EQ(posix_spawn(&command, self.c_str(), nullptr, nullptr, arguments, environ), 0);
  ASSERT_TRUE(WaitFor([&] { return fs::exists(dir_.File("tmp/held")); }));
  EXPECT_FALSE(Gone("weir-control"));
  kill(command, SIGKILL);
  waitpid(command, nullptr, 0);
  fs::remove(dir_.File("tmp/held"));
  EXPECT_TRUE(WaitFor([&] { return NothingLeft(); }));
}

TEST_F(PrivatePairTest, DaemonThatWillNotStopIsKilled) {
  MakeProgram("weir-control", "--stubborn-control");
  {
    auto pair = PrivatePair::Start("null:", interrupt_, {});
    ASSERT_EQ(std::get_if<Failure>(&pair), nullptr);
  }
  EXPECT_TRUE(NothingLeft());
}

TEST_F(PrivatePairTest, FailedDataplaneIsExplained) {
  const std::string path =
      dir_.Write("weir-dataplane", "#!/bin/sh\necho $$ > " + dir_.File("weir-dataplane.pid") +
                                       "\necho \"--port: no such device\" >&2\nexit 2\n");
  fs::permissions(path, fs::perms::owner_all);
  auto pair = PrivatePair::Start("af_packet:nosuch0", interrupt_, {});
  const auto* failure = std::get_if<Failure>(&pair);
  ASSERT_NE(failure, nullptr);
  EXPECT_EQ(failure->code, ExitCode::kUsage) << "a bad port is the caller's mistake";
  EXPECT_NE(failure->message.find("--port af_packet:nosuch0"), std::string::npos);
  EXPECT_NE(failure->message.find("no such device"), std::string::npos) << failure->message;
  EXPECT_TRUE(fs::is_empty(temp_));
}

TEST_F(PrivatePairTest, DataplaneThatEndsAfterItsSocketIsExplained) {
  const std::string self = fs::read_symlink("/proc/self/exe").string();
  const std::string path = dir_.Write(
      "weir-dataplane", "#!/bin/sh\necho $$ > " + dir_.File("weir-dataplane.pid") + "\ntimeout 1 " +
                            self + " --fake-dataplane \"$@\"\necho \"no link\" >&2\nexit 3\n");
  fs::permissions(path, fs::perms::owner_all);
  MakeProgram("weir-control", "--lone-control");
  auto pair = PrivatePair::Start("null:", interrupt_, {});
  const auto* failure = std::get_if<Failure>(&pair);
  ASSERT_NE(failure, nullptr);
  EXPECT_EQ(failure->code, ExitCode::kLocal);
  EXPECT_NE(failure->message.find("no link"), std::string::npos) << failure->message;
  EXPECT_TRUE(NothingLeft());
}

TEST_F(PrivatePairTest, FailedControlTakesTheDataplaneDown) {
  const std::string path = dir_.Write(
      "weir-control", "#!/bin/sh\necho $$ > " + dir_.File("weir-control.pid") + "\nexit 3\n");
  fs::permissions(path, fs::perms::owner_all);
  auto pair = PrivatePair::Start("null:", interrupt_, {});
  const auto* failure = std::get_if<Failure>(&pair);
  ASSERT_NE(failure, nullptr);
  EXPECT_EQ(failure->code, ExitCode::kLocal);
  EXPECT_TRUE(NothingLeft());
}

TEST_F(PrivatePairTest, MissingProgramIsExplained) {
  fs::remove(dir_.File("weir-dataplane"));
  auto pair = PrivatePair::Start("null:", interrupt_, {});
  const auto* failure = std::get_if<Failure>(&pair);
  ASSERT_NE(failure, nullptr);
  EXPECT_EQ(failure->code, ExitCode::kLocal);
  EXPECT_NE(failure->message.find("neither beside weir nor in PATH"), std::string::npos)
      << failure->message;
}

}  // namespace
}  // namespace weir::cli

// Programs under test, as processes of their own.
#ifndef WEIR_TESTS_IPC_PROCESS_H_
#define WEIR_TESTS_IPC_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace weir::test {

// Ends with the test at the latest: SIGTERM, then SIGKILL.
class Process {
 public:
  // `program` is the value of the environment variable of that name. What it writes goes to `log`.
  Process(const std::string& program, std::vector<std::string> arguments, const std::string& log);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  void Signal(int signal);
  // Exit status as of waitpid(2); the process must end within `seconds`, or it is killed and -1
  // returned.
  int Wait(int seconds = 10);

 private:
  pid_t pid_ = -1;
};

// What a program wrote so far.
std::string ReadLog(const std::string& path);

}  // namespace weir::test

#endif  // WEIR_TESTS_IPC_PROCESS_H_

#include "control/failpoint.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <string>

namespace weir::control {
namespace {

struct Armed {
  std::string name;
  long hits = 1;
};

Armed ReadEnvironment() {
  const char* text = std::getenv("WEIR_FAILPOINT");
  if (text == nullptr) return {};
  Armed armed{.name = text};
  if (const size_t colon = armed.name.find(':'); colon != std::string::npos) {
    armed.hits = std::strtol(armed.name.c_str() + colon + 1, nullptr, 10);
    armed.name.resize(colon);
  }
  return armed;
}

}  // namespace

void Failpoint(std::string_view name) {
  static const Armed armed = ReadEnvironment();
  static std::atomic<long> hits{0};
  if (armed.name.empty() || name != armed.name) return;
  if (++hits == armed.hits) kill(getpid(), SIGKILL);
}

}  // namespace weir::control

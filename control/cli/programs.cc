#include "control/cli/programs.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <vector>

namespace weir::cli {

std::optional<std::string> FindProgram(const std::string& name) {
  namespace fs = std::filesystem;
  std::vector<fs::path> directories;
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error).parent_path();
  if (!error) {
    directories = {self, self / "..", self / "../../dataplane", self / "../sbin"};
  }
  if (const char* path = std::getenv("PATH")) {
    std::istringstream list(path);
    for (std::string directory; std::getline(list, directory, ':');) {
      if (!directory.empty()) directories.emplace_back(directory);
    }
  }
  for (const char* standard : {"/usr/local/sbin", "/usr/sbin"}) directories.emplace_back(standard);
  for (const fs::path& directory : directories) {
    const fs::path candidate = directory / name;
    if (fs::is_regular_file(candidate, error) && access(candidate.c_str(), X_OK) == 0) {
      return fs::weakly_canonical(candidate, error).string();
    }
  }
  return std::nullopt;
}

}  // namespace weir::cli

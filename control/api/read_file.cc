#include "control/api/read_file.h"

#include <absl/strings/str_cat.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

namespace weir::control {

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) {
    return absl::NotFoundError(absl::StrCat(
        "cannot read '", path, "': ", errno != 0 ? std::strerror(errno) : "it is empty"));
  }
  return text.str();
}

}  // namespace weir::control

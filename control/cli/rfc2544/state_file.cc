#include "control/cli/rfc2544/state_file.h"

#include <fcntl.h>
#include <google/protobuf/util/json_util.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "control/cli/json.h"
#include "control/cli/rfc2544/parameters.h"

namespace weir::cli::rfc2544 {
namespace {

absl::Status Unusable(const std::string& path, const std::string& why) {
  return absl::InvalidArgumentError(
      absl::StrCat("--resume: ", path, " cannot be continued: ", why,
                   "; name the state file of an unfinished run as it was written, or begin anew "
                   "without --resume"));
}

absl::Status WriteWhole(const std::string& path, const std::string& text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  const auto failed = [&path] {
    return absl::InternalError(absl::StrCat("cannot write ", path, ": ", std::strerror(errno)));
  };
  if (fd < 0) return failed();
  absl::Status status;
  for (size_t at = 0; at < text.size() && status.ok();) {
    const ssize_t written = write(fd, text.data() + at, text.size() - at);
    if (written < 0 && errno != EINTR) status = failed();
    if (written > 0) at += static_cast<size_t>(written);
  }
  if (status.ok() && fsync(fd) != 0) status = failed();
  if (close(fd) != 0 && status.ok()) status = failed();
  return status;
}

}  // namespace

absl::Status SaveState(const std::string& path, const measurement::v1::Rfc2544Report& report) {
  const std::string next = path + ".new";
  absl::Status status = WriteWhole(next, ToJson(report) + "\n");
  if (status.ok() && std::rename(next.c_str(), path.c_str()) != 0) {
    status = absl::InternalError(absl::StrCat("cannot replace ", path, ": ", std::strerror(errno)));
  }
  if (!status.ok()) unlink(next.c_str());
  return status;
}

absl::StatusOr<measurement::v1::Rfc2544Report> LoadState(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  if (file) text << file.rdbuf();
  if (!file) return Unusable(path, absl::StrCat("it cannot be read: ", std::strerror(errno)));
  measurement::v1::Rfc2544Report report;
  const auto parsed = google::protobuf::util::JsonStringToMessage(text.str(), &report);
  if (!parsed.ok()) {
    return Unusable(path, absl::StrCat("it is damaged: ", std::string(parsed.message())));
  }
  if (report.format() != kReportFormat) {
    return Unusable(path, absl::StrCat("format: it is ", report.format(), ", this program reads ",
                                       kReportFormat));
  }
  absl::Status valid = Validate(report.parameters());
  if (valid.ok() && report.parameters().line_bps() == 0) {
    valid = absl::InvalidArgumentError("--line-rate: none");
  }
  if (!valid.ok()) {
    return Unusable(path, absl::StrCat("parameters: ", std::string(valid.message())));
  }
  return report;
}

absl::Status Replay(const std::string& path, const measurement::v1::Rfc2544Report& report,
                    Procedure* procedure) {
  for (const Rfc2544Trial& trial : report.trials()) {
    if (absl::Status status = procedure->Take(trial); !status.ok()) {
      return Unusable(path, std::string(status.message()));
    }
  }
  return absl::OkStatus();
}

}  // namespace weir::cli::rfc2544

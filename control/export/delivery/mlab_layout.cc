#include "control/export/delivery/mlab_layout.h"

#include <algorithm>
#include <regex>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"

namespace weir::control {
namespace {

absl::Status Wrong(const std::string& path, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat("path \"", path, "\": ", what));
}

bool IsAllowed(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' ||
         c == ':' || c == '.' || c == '_' || c == '-';
}

}  // namespace

std::string MlabPath(const MlabName& name) {
  const absl::Time time = absl::FromUnixNanos(static_cast<int64_t>(name.unix_ns));
  const auto format = [&](const char* how) {
    return absl::FormatTime(how, time, absl::UTCTimeZone());
  };
  return absl::StrCat(name.experiment, "/", name.datatype, "/", format("%Y/%m/%d/"), name.datatype,
                      "-", name.subtest, "-", format("%Y%m%dT%H%M%S"), ".",
                      absl::StrFormat("%09d", name.unix_ns % 1'000'000'000), "Z.", name.uuid,
                      ".json");
}

absl::Status ValidateMlabPath(const std::string& path) {
  if (!std::all_of(path.begin(), path.end(), IsAllowed)) {
    return Wrong(path, "only letters, digits and / : . _ - are taken");
  }
  const std::vector<std::string> parts = absl::StrSplit(path, '/');
  if (parts.size() != 6) {
    return Wrong(path, "not EXPERIMENT/DATATYPE/YYYY/MM/DD/FILE");
  }
  for (const std::string& part : parts) {
    if (part.empty() || part[0] == '.') return Wrong(path, "a component is empty or hidden");
  }
  static const std::regex* const kFile = new std::regex(
      "-([a-zA-Z0-9_]+)-([0-9]{8}T[0-9]{6})\\.([0-9]{9})Z\\.([a-zA-Z0-9:_-]+)\\.json");
  const std::string& datatype = parts[1];
  const std::string& file = parts[5];
  if (file.rfind(datatype, 0) != 0) return Wrong(path, "the file's name must begin with DATATYPE");
  std::smatch match;
  const std::string rest = file.substr(datatype.size());
  if (!std::regex_match(rest, match, *kFile)) {
    return Wrong(path, "the file must be DATATYPE-SUBTEST-YYYYMMDDThhmmss.nnnnnnnnnZ.UUID.json");
  }
  absl::Time time;
  std::string error;
  const std::string digits = match[2].str();
  // With separators: the parser's %Y takes as many digits as there are.
  const std::string text =
      absl::StrCat(digits.substr(0, 4), "-", digits.substr(4, 2), "-", digits.substr(6, 5), ":",
                   digits.substr(11, 2), ":", digits.substr(13, 2));
  // Reformatted, for what merely overflows into the next minute or day.
  if (!absl::ParseTime("%Y-%m-%dT%H:%M:%S", text, absl::UTCTimeZone(), &time, &error) ||
      absl::FormatTime("%Y%m%dT%H%M%S", time, absl::UTCTimeZone()) != digits) {
    return Wrong(path, absl::StrCat("no such time: ", match[2].str()));
  }
  if (absl::FormatTime("%Y/%m/%d", time, absl::UTCTimeZone()) !=
      absl::StrCat(parts[2], "/", parts[3], "/", parts[4])) {
    return Wrong(path, "its directories are of another day than its file");
  }
  return absl::OkStatus();
}

}  // namespace weir::control

#include "control/collector/calibration.h"

#include <absl/strings/str_cat.h>
#include <google/protobuf/text_format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <utility>

#include "control/config/text_proto.h"

namespace weir::control {
namespace {

using measurement::v1::Calibration;
using measurement::v1::CalibrationPoint;

absl::Status CheckCalibration(const Calibration& calibration) {
  if (calibration.points().empty()) {
    return absl::InvalidArgumentError("calibration.points: at least one");
  }
  uint32_t before = 0;
  for (const CalibrationPoint& point : calibration.points()) {
    const bool positive = std::isfinite(point.generate_pps()) && point.generate_pps() > 0 &&
                          std::isfinite(point.sink_pps()) && point.sink_pps() > 0;
    if (point.frame_bytes() <= before || !positive) {
      return absl::InvalidArgumentError(
          "calibration.points: by rising frame_bytes, with generate_pps and sink_pps above 0");
    }
    before = point.frame_bytes();
  }
  return absl::OkStatus();
}

double PacketsPerSecond(const Calibration& calibration, double frame_bytes,
                        double (CalibrationPoint::*pps)() const) {
  const auto& points = calibration.points();
  if (frame_bytes <= points[0].frame_bytes()) return (points[0].*pps)();
  for (int i = 1; i < points.size(); ++i) {
    if (frame_bytes > points[i].frame_bytes()) continue;
    const double left = points[i - 1].frame_bytes();
    const double share = (frame_bytes - left) / (points[i].frame_bytes() - left);
    return 1 / ((1 - share) / (points[i - 1].*pps)() + share / (points[i].*pps)());
  }
  return (points[points.size() - 1].*pps)();
}

}  // namespace

std::string CpuName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    // "model name" on x86, "CPU part" on Arm.
    const size_t colon = line.find(": ");
    if (colon == std::string::npos) continue;
    if (line.rfind("model name", 0) == 0 || line.rfind("CPU part", 0) == 0) {
      return line.substr(colon + 2);
    }
  }
  return "unknown";
}

CalibrationStore::CalibrationStore(std::string file) : file_(std::move(file)) {
  const absl::StatusOr<std::string> text = ReadTextFile(file_);
  if (absl::IsNotFound(text.status())) return;
  auto calibration = std::make_shared<Calibration>();
  absl::Status status = text.status();
  if (status.ok()) status = ParseTextProto(file_, *text, calibration.get());
  if (status.ok()) status = CheckCalibration(*calibration);
  if (status.ok() && calibration->cpu() != CpuName()) {
    status =
        absl::FailedPreconditionError(absl::StrCat("it is of another CPU, ", calibration->cpu()));
  }
  if (!status.ok()) {
    spdlog::warn("calibration: {} is not used: {}; run weir calibrate", file_,
                 std::string(status.message()));
    return;
  }
  calibration_ = std::move(calibration);
}

std::shared_ptr<const Calibration> CalibrationStore::Get() const {
  std::lock_guard lock(mutex_);
  return calibration_;
}

absl::Status CalibrationStore::Set(Calibration calibration) {
  if (absl::Status status = CheckCalibration(calibration); !status.ok()) return status;
  calibration.set_cpu(CpuName());
  std::string text;
  google::protobuf::TextFormat::PrintToString(calibration, &text);
  std::lock_guard lock(mutex_);
  const std::string next = file_ + ".new";
  std::ofstream file(next, std::ios::trunc);
  file << "# What this host can generate and sink by itself; written by weir calibrate.\n" << text;
  file.close();
  if (!file || rename(next.c_str(), file_.c_str()) != 0) {
    const std::string why = std::strerror(errno);
    unlink(next.c_str());
    return absl::ResourceExhaustedError(absl::StrCat("cannot write ", file_, ": ", why));
  }
  calibration_ = std::make_shared<const Calibration>(std::move(calibration));
  return absl::OkStatus();
}

TesterCapability CalibrationStore::For(double frame_bytes) const {
  const std::shared_ptr<const Calibration> calibration = Get();
  if (calibration == nullptr) return {};
  return {
      .generate_pps = PacketsPerSecond(*calibration, frame_bytes, &CalibrationPoint::generate_pps),
      .sink_pps = PacketsPerSecond(*calibration, frame_bytes, &CalibrationPoint::sink_pps)};
}

}  // namespace weir::control

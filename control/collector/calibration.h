// What this host can generate and sink by itself, as `weir calibrate` measured it.
#ifndef WEIR_CONTROL_COLLECTOR_CALIBRATION_H_
#define WEIR_CONTROL_COLLECTOR_CALIBRATION_H_

#include <absl/status/status.h>

#include <memory>
#include <mutex>
#include <string>

#include "measurement/v1/admin.pb.h"

namespace weir::control {

// Packets/s of one worker; 0: not known.
struct TesterCapability {
  double generate_pps = 0;
  double sink_pps = 0;
};

// The file, and what is in it. Thread-safe.
class CalibrationStore {
 public:
  // Reads the file if there is one. One that cannot be read, is not one, or is of another CPU, is
  // left alone and not used; the log says so.
  explicit CalibrationStore(std::string file);

  const std::string& file() const { return file_; }
  // Null: there is none.
  std::shared_ptr<const measurement::v1::Calibration> Get() const;
  // Replaces the file in one step. InvalidArgument: it has no points, or senseless ones.
  absl::Status Set(measurement::v1::Calibration calibration);

  // For frames of this size (Ethernet with FCS), by the time a packet takes, which is linear in
  // its size between two points; beyond them, as at the nearest.
  TesterCapability For(double frame_bytes) const;

 private:
  const std::string file_;
  mutable std::mutex mutex_;
  std::shared_ptr<const measurement::v1::Calibration> calibration_;  // Guarded by mutex_.
};

// The kernel's name of this host's CPU.
std::string CpuName();

}  // namespace weir::control

#endif  // WEIR_CONTROL_COLLECTOR_CALIBRATION_H_

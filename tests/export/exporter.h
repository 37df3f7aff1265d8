// A store and what weir-control serves of it, for weir-export processes that are started, killed
// and started again.
#ifndef WEIR_TESTS_EXPORT_EXPORTER_H_
#define WEIR_TESTS_EXPORT_EXPORTER_H_

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "control/admission/admission.h"
#include "control/api/export_service.h"
#include "control/metrics/metrics.h"
#include "control/store/store.h"
#include "tests/ipc/process.h"
#include "tests/unit/control/config/temp_dir.h"

namespace weir::test {

bool Eventually(const std::function<bool()>& holds, int seconds = 60);
// Killed by SIGKILL, as a failpoint does it.
bool DiesOfKill(Process* process);

class ExporterTest : public testing::Test {
 protected:
  ExporterTest();
  ~ExporterTest() override;
  void TearDown() override;

  void Serve();
  void StopServing();
  // The store takes so many bytes more before it is full.
  void LimitStore(uint64_t more_bytes);

  // The real weir-control serves the store instead of this process, which cannot look into it
  // until it takes it back. "" or the name of a failpoint.
  std::unique_ptr<Process> StartControl(const std::string& failpoint = "");
  void TakeBack();

  // A session with one record of this experiment, "open" (released at once), "later" (embargoed)
  // or "bench" (operator_only); its id is by its number. `jitter`: what its row says.
  std::string Keep(int number, const std::string& experiment = "open", double jitter = 0);
  // Many of them, at once.
  void KeepMany(int from, int to, int threads = 16);

  void WriteConfig(const std::string& destinations);
  // "" or the name of a failpoint.
  std::unique_ptr<Process> Start(const std::string& failpoint = "");
  delivery::v1::DestinationStatus Status(const std::string& destination = "archive");
  std::string Log() const { return ReadLog(dir_.File("export.log")); }

  static std::string policy_text();

  const control::TempDir dir_;
  std::shared_ptr<const control::Policy> policy_;
  std::unique_ptr<control::Store> store_;
  std::unique_ptr<control::Admission> admission_;
  control::Metrics metrics_{"test"};
  std::unique_ptr<control::ExportService> service_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace weir::test

#endif  // WEIR_TESTS_EXPORT_EXPORTER_H_

// The public API (proto/README.md section 2) on gRPC's callback API.
#ifndef WEIR_CONTROL_API_MEASUREMENT_SERVICE_H_
#define WEIR_CONTROL_API_MEASUREMENT_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include "config/v1/config.pb.h"
#include "control/api/reporter.h"
#include "control/api/served.h"
#include "control/session/ask_limit.h"
#include "control/session/manager.h"
#include "control/session/work_queue.h"
#include "measurement/v1/measurement.grpc.pb.h"

namespace weir::control {

class MeasurementService final : public measurement::v1::Measurement::CallbackService {
 public:
  // What it is given must outlive it.
  MeasurementService(const config::v1::Config* config, const Served& served)
      : manager_(served.manager), reporter_(config, served.admission, served.store) {}

  grpc::ServerUnaryReactor* GetServerInfo(grpc::CallbackServerContext* context,
                                          const measurement::v1::GetServerInfoRequest* request,
                                          measurement::v1::ServerInfo* reply) override;
  grpc::ServerUnaryReactor* Negotiate(grpc::CallbackServerContext* context,
                                      const measurement::v1::NegotiateRequest* request,
                                      measurement::v1::NegotiateReply* reply) override;
  grpc::ServerBidiReactor<measurement::v1::RunRequest, measurement::v1::RunReply>* Run(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* GetResult(grpc::CallbackServerContext* context,
                                      const measurement::v1::GetResultRequest* request,
                                      measurement::v1::GetResultReply* reply) override;
  grpc::ServerUnaryReactor* Lookup(grpc::CallbackServerContext* context,
                                   const measurement::v1::LookupRequest* request,
                                   measurement::v1::LookupReply* reply) override;
  grpc::ServerUnaryReactor* GetReport(grpc::CallbackServerContext* context,
                                      const measurement::v1::PublicReportRequest* request,
                                      measurement::v1::PublicReport* reply) override;

 private:
  SessionManager* const manager_;
  const Reporter reporter_;
  // A report reads all records of its time: strangers get few, one after the other, and the
  // operator's do not wait for them.
  AskLimit reports_{"reports", {.of_network = 3, .of_all = 12}};
  WorkQueue report_calls_{1, 4};
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_API_MEASUREMENT_SERVICE_H_

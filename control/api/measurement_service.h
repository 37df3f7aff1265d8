// The public API (proto/README.md section 2) on gRPC's callback API.
#ifndef WEIR_CONTROL_API_MEASUREMENT_SERVICE_H_
#define WEIR_CONTROL_API_MEASUREMENT_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include "control/session/manager.h"
#include "measurement/v1/measurement.grpc.pb.h"

namespace weir::control {

class MeasurementService final : public measurement::v1::Measurement::CallbackService {
 public:
  explicit MeasurementService(SessionManager* manager) : manager_(manager) {}

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

 private:
  SessionManager* const manager_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_API_MEASUREMENT_SERVICE_H_

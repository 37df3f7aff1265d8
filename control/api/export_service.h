// What weir-export asks (proto/README.md section 10).
#ifndef WEIR_CONTROL_API_EXPORT_SERVICE_H_
#define WEIR_CONTROL_API_EXPORT_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "control/admission/admission.h"
#include "control/export/disclosure.h"
#include "control/metrics/metrics.h"
#include "control/store/store.h"
#include "export/v1/export.grpc.pb.h"

namespace weir::control {

// Thread-safe.
class ExportService final : public delivery::v1::Export::CallbackService {
 public:
  // `node`: what this one is called.
  ExportService(const Admission* admission, Store* store, Metrics* metrics, std::string node)
      : admission_(admission), store_(store), metrics_(metrics), node_(std::move(node)) {}

  grpc::ServerUnaryReactor* Pull(grpc::CallbackServerContext* context,
                                 const delivery::v1::PullRequest* request,
                                 delivery::v1::PullReply* reply) override;
  grpc::ServerUnaryReactor* Acknowledge(grpc::CallbackServerContext* context,
                                        const delivery::v1::AcknowledgeRequest* request,
                                        delivery::v1::AcknowledgeReply* reply) override;
  grpc::ServerUnaryReactor* Refuse(grpc::CallbackServerContext* context,
                                   const delivery::v1::RefuseRequest* request,
                                   delivery::v1::RefuseReply* reply) override;
  grpc::ServerUnaryReactor* Lose(grpc::CallbackServerContext* context,
                                 const delivery::v1::LoseRequest* request,
                                 delivery::v1::LoseReply* reply) override;
  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* context,
                                      const delivery::v1::GetStatusRequest* request,
                                      delivery::v1::Status* reply) override;

  // For the admin API as well.
  absl::Status Describe(const delivery::v1::GetStatusRequest& request,
                        delivery::v1::Status* status);
  // For the admin API.
  absl::Status Retry(const delivery::v1::RetryRequest& request, delivery::v1::RetryReply* reply);

  // A destination that weir-export does not have any more.
  absl::Status Forget(const std::string& destination);

 private:
  struct Seen {
    delivery::v1::Destination destination;
    int64_t at_unix_ns = 0;
    std::string trouble;
  };

  absl::Status PullItems(const delivery::v1::PullRequest& request, delivery::v1::PullReply* reply);
  absl::Status Settle(const delivery::v1::Destination& destination,
                      const std::vector<Delivery>& deliveries);
  absl::Status Reopen(const delivery::v1::LoseRequest& request);

  const Admission* const admission_;
  Store* const store_;
  Metrics* const metrics_;
  const std::string node_;
  std::mutex mutex_;
  std::map<std::string, Seen> seen_;  // By destination.
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_API_EXPORT_SERVICE_H_

// The local API of this node (proto/README.md section 2.4).
#ifndef WEIR_CONTROL_API_ADMIN_SERVICE_H_
#define WEIR_CONTROL_API_ADMIN_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include "config/v1/config.pb.h"
#include "control/api/contact_view.h"
#include "control/api/export_service.h"
#include "control/api/record_view.h"
#include "control/api/reporter.h"
#include "control/api/served.h"
#include "control/session/work_queue.h"
#include "measurement/v1/admin.grpc.pb.h"

namespace weir::control {

class AdminService final : public measurement::v1::Admin::CallbackService {
 public:
  AdminService(const config::v1::Config* config, const Served& served, ExportService* exporting)
      : manager_(served.manager),
        store_(served.store),
        policy_(served.policy),
        exporting_(exporting),
        reporter_(config, served.admission, served.store),
        records_(served.admission, served.store, served.contacts),
        contacts_(served.contacts, served.store) {}

  grpc::ServerUnaryReactor* GetNode(grpc::CallbackServerContext* context,
                                    const measurement::v1::GetNodeRequest* request,
                                    measurement::v1::NodeInfo* reply) override;
  grpc::ServerUnaryReactor* GetRemoteInfo(grpc::CallbackServerContext* context,
                                          const measurement::v1::GetRemoteInfoRequest* request,
                                          measurement::v1::ServerInfo* reply) override;
  grpc::ServerWriteReactor<measurement::v1::RunTestUpdate>* RunTest(
      grpc::CallbackServerContext* context,
      const measurement::v1::RunTestRequest* request) override;
  grpc::ServerUnaryReactor* ListSessions(grpc::CallbackServerContext* context,
                                         const measurement::v1::ListSessionsRequest* request,
                                         measurement::v1::ListSessionsReply* reply) override;
  grpc::ServerUnaryReactor* ListRecords(grpc::CallbackServerContext* context,
                                        const measurement::v1::ListRecordsRequest* request,
                                        measurement::v1::ListRecordsReply* reply) override;
  grpc::ServerUnaryReactor* GetRecord(grpc::CallbackServerContext* context,
                                      const measurement::v1::GetRecordRequest* request,
                                      measurement::v1::GetRecordReply* reply) override;
  grpc::ServerUnaryReactor* ReleaseRecord(grpc::CallbackServerContext* context,
                                          const measurement::v1::ReleaseRecordRequest* request,
                                          measurement::v1::ChangeRecordReply* reply) override;
  grpc::ServerUnaryReactor* AnonymiseRecord(grpc::CallbackServerContext* context,
                                            const measurement::v1::AnonymiseRecordRequest* request,
                                            measurement::v1::ChangeRecordReply* reply) override;
  grpc::ServerUnaryReactor* RetryDeadLetters(grpc::CallbackServerContext* context,
                                             const delivery::v1::RetryRequest* request,
                                             delivery::v1::RetryReply* reply) override;
  grpc::ServerUnaryReactor* GetExportStatus(grpc::CallbackServerContext* context,
                                            const delivery::v1::GetStatusRequest* request,
                                            delivery::v1::Status* reply) override;
  grpc::ServerUnaryReactor* ListContacts(grpc::CallbackServerContext* context,
                                         const measurement::v1::ListContactsRequest* request,
                                         measurement::v1::ListContactsReply* reply) override;
  grpc::ServerUnaryReactor* ForgetDestination(
      grpc::CallbackServerContext* context,
      const measurement::v1::ForgetDestinationRequest* request,
      measurement::v1::ForgetDestinationReply* reply) override;
  grpc::ServerUnaryReactor* ReloadPolicy(grpc::CallbackServerContext* context,
                                         const measurement::v1::ReloadPolicyRequest* request,
                                         measurement::v1::ReloadPolicyReply* reply) override;
  grpc::ServerUnaryReactor* ListAudit(grpc::CallbackServerContext* context,
                                      const measurement::v1::ListAuditRequest* request,
                                      measurement::v1::ListAuditReply* reply) override;
  grpc::ServerUnaryReactor* VerifyAudit(grpc::CallbackServerContext* context,
                                        const measurement::v1::VerifyAuditRequest* request,
                                        measurement::v1::VerifyAuditReply* reply) override;
  grpc::ServerWriteReactor<measurement::v1::RunTestUpdate>* Generate(
      grpc::CallbackServerContext* context, const measurement::v1::BenchRequest* request) override;
  grpc::ServerWriteReactor<measurement::v1::RunTestUpdate>* Sink(
      grpc::CallbackServerContext* context, const measurement::v1::BenchRequest* request) override;
  grpc::ServerUnaryReactor* GetActivity(grpc::CallbackServerContext* context,
                                        const measurement::v1::GetActivityRequest* request,
                                        measurement::v1::NodeActivity* reply) override;
  grpc::ServerUnaryReactor* SetCalibration(grpc::CallbackServerContext* context,
                                           const measurement::v1::SetCalibrationRequest* request,
                                           measurement::v1::SetCalibrationReply* reply) override;
  grpc::ServerUnaryReactor* ListNotices(grpc::CallbackServerContext* context,
                                        const measurement::v1::ListNoticesRequest* request,
                                        measurement::v1::ListNoticesReply* reply) override;
  grpc::ServerUnaryReactor* GetReport(grpc::CallbackServerContext* context,
                                      const measurement::v1::PublicReportRequest* request,
                                      measurement::v1::PublicReport* reply) override;
  grpc::ServerUnaryReactor* GetRemoteReport(grpc::CallbackServerContext* context,
                                            const measurement::v1::RemoteReportRequest* request,
                                            measurement::v1::PublicReport* reply) override;
  grpc::ServerUnaryReactor* LookupFlow(grpc::CallbackServerContext* context,
                                       const measurement::v1::LookupFlowRequest* request,
                                       measurement::v1::LookupReply* reply) override;

 private:
  SessionManager* const manager_;
  Store* const store_;
  PolicyReloader* const policy_;
  ExportService* const exporting_;
  const Reporter reporter_;
  const RecordView records_;
  const ContactView contacts_;
  WorkQueue remote_calls_{2, 16};
  WorkQueue slow_calls_{1, 4};
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_API_ADMIN_SERVICE_H_

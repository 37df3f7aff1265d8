#include "control/api/admin_service.h"

#include <absl/strings/escaping.h>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "control/api/answer_later.h"
#include "control/api/grpc_status.h"
#include "control/api/outbox.h"
#include "control/session/session.h"

namespace weir::control {
namespace {

namespace ms = measurement::v1;

constexpr char kRemoteCallsUnderWay[] =
    "too many requests to remote servers are under way; try later";

// Streams one test. The test's thread may outlive the stream, and the other way round.
class TestStream final : public grpc::ServerWriteReactor<ms::RunTestUpdate> {
 public:
  using Box = Outbox<ms::RunTestUpdate>;

  // Begins the test, of whichever kind.
  using Starter = std::function<absl::StatusOr<std::shared_ptr<LocalTest>>(
      LocalTest::Sink sink, std::function<void()> done)>;

  explicit TestStream(const Starter& start)
      : outbox_(std::make_shared<Box>(
            Box::Stream{.write = [this](const ms::RunTestUpdate* update) { StartWrite(update); },
                        .finish = [this] { Finish(grpc::Status::OK); }})) {
    std::shared_ptr<Box> outbox = outbox_;
    absl::StatusOr<std::shared_ptr<LocalTest>> test =
        start([outbox](ms::RunTestUpdate update) { outbox->Send(std::move(update)); },
              [outbox] { outbox->Close(); });
    if (!test.ok()) {
      ms::RunTestUpdate update;
      update.mutable_failure()->set_kind(ms::TestFailure::LOCAL);
      update.mutable_failure()->set_message(std::string(test.status().message()));
      outbox_->Send(std::move(update));
      outbox_->Close();
      return;
    }
    std::lock_guard lock(mutex_);
    test_ = *test;
    if (cancelled_) test_->Cancel("cancelled");
  }

  void OnWriteDone(bool ok) override { outbox_->OnWritten(ok); }
  void OnCancel() override {
    std::lock_guard lock(mutex_);
    cancelled_ = true;
    if (test_ != nullptr) test_->Cancel("cancelled");
  }
  void OnDone() override {
    outbox_->Detach();
    delete this;
  }

 private:
  const std::shared_ptr<Box> outbox_;
  std::mutex mutex_;
  bool cancelled_ = false;
  std::shared_ptr<LocalTest> test_;
};

}  // namespace

grpc::ServerUnaryReactor* AdminService::GetNode(grpc::CallbackServerContext* context,
                                                const ms::GetNodeRequest*, ms::NodeInfo* reply) {
  *reply = manager_->NodeInfo();
  return Finish(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* AdminService::GetRemoteInfo(grpc::CallbackServerContext* context,
                                                      const ms::GetRemoteInfoRequest* request,
                                                      ms::ServerInfo* reply) {
  return AnswerLater(
      context, reply, &remote_calls_, kRemoteCallsUnderWay,
      [this, remote = request->remote()] { return manager_->GetRemoteInfo(remote); });
}

grpc::ServerUnaryReactor* AdminService::GetReport(grpc::CallbackServerContext* context,
                                                  const ms::PublicReportRequest* request,
                                                  ms::PublicReport* reply) {
  return AnswerLater(context, reply, &slow_calls_, kReportsUnderWay,
                     [this, asked = *request] { return reporter_.Make(asked); });
}

grpc::ServerUnaryReactor* AdminService::GetRemoteReport(grpc::CallbackServerContext* context,
                                                        const ms::RemoteReportRequest* request,
                                                        ms::PublicReport* reply) {
  return AnswerLater(context, reply, &remote_calls_, kRemoteCallsUnderWay,
                     [this, asked = *request] { return manager_->GetRemoteReport(asked); });
}

grpc::ServerUnaryReactor* AdminService::ListNotices(grpc::CallbackServerContext* context,
                                                    const ms::ListNoticesRequest* request,
                                                    ms::ListNoticesReply* reply) {
  absl::StatusOr<std::vector<ms::Notice>> notices = manager_->ListNotices(request->limit());
  if (notices.ok()) reply->mutable_notices()->Add(notices->begin(), notices->end());
  return Finish(context, notices.status());
}

grpc::ServerUnaryReactor* AdminService::LookupFlow(grpc::CallbackServerContext* context,
                                                   const ms::LookupFlowRequest* request,
                                                   ms::LookupReply* reply) {
  return AnswerLater(context, reply, &remote_calls_, kRemoteCallsUnderWay,
                     [this, asked = *request] { return manager_->LookupFlow(asked); });
}

grpc::ServerWriteReactor<ms::RunTestUpdate>* AdminService::RunTest(
    grpc::CallbackServerContext*, const ms::RunTestRequest* request) {
  return new TestStream([&](LocalTest::Sink sink, std::function<void()> done) {
    return manager_->RunTest(*request, std::move(sink), std::move(done));
  });
}

grpc::ServerWriteReactor<ms::RunTestUpdate>* AdminService::Generate(
    grpc::CallbackServerContext*, const ms::BenchRequest* request) {
  return new TestStream([&](LocalTest::Sink sink, std::function<void()> done) {
    return manager_->RunBench(BenchSession::End::kGenerate, *request, std::move(sink),
                              std::move(done));
  });
}

grpc::ServerWriteReactor<ms::RunTestUpdate>* AdminService::Sink(grpc::CallbackServerContext*,
                                                                const ms::BenchRequest* request) {
  return new TestStream([&](LocalTest::Sink sink, std::function<void()> done) {
    return manager_->RunBench(BenchSession::End::kSink, *request, std::move(sink), std::move(done));
  });
}

grpc::ServerUnaryReactor* AdminService::GetActivity(grpc::CallbackServerContext* context,
                                                    const ms::GetActivityRequest*,
                                                    ms::NodeActivity* reply) {
  *reply = manager_->Activity();
  return Finish(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* AdminService::SetCalibration(grpc::CallbackServerContext* context,
                                                       const ms::SetCalibrationRequest* request,
                                                       ms::SetCalibrationReply* reply) {
  absl::StatusOr<std::string> file = manager_->SetCalibration(request->calibration());
  if (file.ok()) reply->set_file(*file);
  return Finish(context, file.status());
}

grpc::ServerUnaryReactor* AdminService::ListSessions(grpc::CallbackServerContext* context,
                                                     const ms::ListSessionsRequest* request,
                                                     ms::ListSessionsReply* reply) {
  absl::StatusOr<std::vector<ms::SessionInfo>> sessions =
      manager_->List(request->active_only(), request->limit());
  if (sessions.ok()) reply->mutable_sessions()->Add(sessions->begin(), sessions->end());
  return Finish(context, sessions.status());
}

grpc::ServerUnaryReactor* AdminService::ListRecords(grpc::CallbackServerContext* context,
                                                    const ms::ListRecordsRequest* request,
                                                    ms::ListRecordsReply* reply) {
  return Finish(context, records_.List(*request, reply));
}

grpc::ServerUnaryReactor* AdminService::GetRecord(grpc::CallbackServerContext* context,
                                                  const ms::GetRecordRequest* request,
                                                  ms::GetRecordReply* reply) {
  return Finish(context, records_.Get(*request, reply));
}

grpc::ServerUnaryReactor* AdminService::ReleaseRecord(grpc::CallbackServerContext* context,
                                                      const ms::ReleaseRecordRequest* request,
                                                      ms::ChangeRecordReply* reply) {
  return Finish(context, records_.Release(*request, reply));
}

grpc::ServerUnaryReactor* AdminService::AnonymiseRecord(grpc::CallbackServerContext* context,
                                                        const ms::AnonymiseRecordRequest* request,
                                                        ms::ChangeRecordReply* reply) {
  return Finish(context, records_.Anonymise(*request, reply));
}

grpc::ServerUnaryReactor* AdminService::RetryDeadLetters(grpc::CallbackServerContext* context,
                                                         const delivery::v1::RetryRequest* request,
                                                         delivery::v1::RetryReply* reply) {
  return Finish(context, exporting_->Retry(*request, reply));
}

grpc::ServerUnaryReactor* AdminService::GetExportStatus(
    grpc::CallbackServerContext* context, const delivery::v1::GetStatusRequest* request,
    delivery::v1::Status* reply) {
  return Finish(context, exporting_->Describe(*request, reply));
}

grpc::ServerUnaryReactor* AdminService::ListContacts(grpc::CallbackServerContext* context,
                                                     const ms::ListContactsRequest* request,
                                                     ms::ListContactsReply* reply) {
  return Finish(context, contacts_.List(*request, reply));
}

grpc::ServerUnaryReactor* AdminService::ForgetDestination(
    grpc::CallbackServerContext* context, const ms::ForgetDestinationRequest* request,
    ms::ForgetDestinationReply*) {
  return Finish(context, exporting_->Forget(request->name()));
}

grpc::ServerUnaryReactor* AdminService::ReloadPolicy(grpc::CallbackServerContext* context,
                                                     const ms::ReloadPolicyRequest*,
                                                     ms::ReloadPolicyReply* reply) {
  *reply = policy_->Reload("weir policy reload");
  return Finish(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* AdminService::ListAudit(grpc::CallbackServerContext* context,
                                                  const ms::ListAuditRequest* request,
                                                  ms::ListAuditReply* reply) {
  const absl::StatusOr<std::vector<AuditRow>> rows =
      store_->ListAudit({.limit = request->limit(),
                         .before_id = request->before_id(),
                         .event = request->event(),
                         .session_id = request->session_id()});
  if (!rows.ok()) return Finish(context, rows.status());
  for (const AuditRow& row : *rows) {
    ms::AuditEntry& entry = *reply->add_entries();
    entry.set_id(row.id);
    entry.set_at(FormatTime(static_cast<uint64_t>(row.at_unix_ns)));
    entry.set_event(row.event);
    entry.set_session_id(row.session_id);
    entry.set_stage(row.stage);
    entry.set_rule(row.rule);
    entry.set_field(row.field);
    entry.set_netblock(row.netblock);
    entry.set_detail(row.detail);
    entry.set_count(row.count);
    if (!row.trace.empty()) entry.mutable_trace()->ParseFromString(row.trace);
    entry.set_hash(absl::BytesToHexString(row.hash));
  }
  return Finish(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* AdminService::VerifyAudit(grpc::CallbackServerContext* context,
                                                    const ms::VerifyAuditRequest* request,
                                                    ms::VerifyAuditReply* reply) {
  const AuditHead anchor{.id = request->head().id(),
                         .hash = absl::HexStringToBytes(request->head().hash())};
  // A long log takes its time, which is not gRPC's to spend.
  return AnswerLater(context, reply, &slow_calls_, "the log is being verified already; try later",
                     [this, anchor]() -> absl::StatusOr<ms::VerifyAuditReply> {
                       const absl::StatusOr<AuditVerdict> verdict = store_->VerifyAudit(anchor);
                       if (!verdict.ok()) return verdict.status();
                       ms::VerifyAuditReply found;
                       found.set_intact(verdict->intact);
                       found.set_rows(verdict->rows);
                       found.mutable_head()->set_id(verdict->head.id);
                       found.mutable_head()->set_hash(absl::BytesToHexString(verdict->head.hash));
                       found.set_first_broken_id(verdict->first_broken_id);
                       found.set_why(verdict->why);
                       return found;
                     });
}

}  // namespace weir::control

// An admin service that answers what the test tells it to.
#ifndef WEIR_TESTS_UNIT_CLI_FAKE_ADMIN_H_
#define WEIR_TESTS_UNIT_CLI_FAKE_ADMIN_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "measurement/v1/admin.grpc.pb.h"

namespace weir::cli {

class FakeAdmin final : public measurement::v1::Admin::Service {
 public:
  explicit FakeAdmin(const std::string& socket) {
    node.set_dataplane_connected(true);
    auto* port = node.add_ports();
    port->set_name("data");
    port->set_link_up(true);
    server.set_protocol_version(1);
    server.set_node("lab");
    server.set_operator_("Example Lab");
    server.set_contact("noc@example.net");
    // It may be asked at once.
    grpc::ServerBuilder builder;
    builder.AddListeningPort("unix:" + socket, grpc::InsecureServerCredentials());
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~FakeAdmin() override { server_->Shutdown(std::chrono::system_clock::now()); }

  measurement::v1::NodeInfo node;
  measurement::v1::ServerInfo server;
  grpc::Status remote_status = grpc::Status::OK;
  std::vector<measurement::v1::RunTestUpdate> updates;
  // What an end of a bench run ends with; without it, `updates`. Called on several threads, and a
  // call that was cancelled may outlive it: it must own what it uses.
  using BenchAnswer = std::function<measurement::v1::RunTestUpdate(
      bool sink, const measurement::v1::BenchRequest&)>;
  void SetBench(BenchAnswer bench) {
    std::lock_guard lock(bench_mutex_);
    bench_ = std::move(bench);
  }
  bool hang_after_updates = false;  // Until the caller cancels.
  grpc::Status test_status = grpc::Status::OK;
  measurement::v1::ListRecordsReply records;
  measurement::v1::ListSessionsReply sessions;
  measurement::v1::ReloadPolicyReply reload;
  measurement::v1::ListAuditReply audit;
  measurement::v1::VerifyAuditReply verdict;
  measurement::v1::NodeActivity activity;

  // What was asked last.
  measurement::v1::ListAuditRequest audit_request;
  measurement::v1::VerifyAuditRequest verify_request;
  measurement::v1::RunTestRequest test_request;
  std::vector<measurement::v1::BenchRequest> bench_requests;
  measurement::v1::ListRecordsRequest records_request;
  measurement::v1::GetRecordRequest record_request;
  measurement::v1::ReleaseRecordRequest release_request;
  measurement::v1::AnonymiseRecordRequest anonymise_request;
  measurement::v1::ChangeRecordReply change;
  delivery::v1::GetStatusRequest export_request;
  delivery::v1::Status exported;
  std::atomic<bool> cancelled{false};

 private:
  grpc::Status GetNode(grpc::ServerContext*, const measurement::v1::GetNodeRequest*,
                       measurement::v1::NodeInfo* reply) override {
    *reply = node;
    return grpc::Status::OK;
  }
  grpc::Status GetRemoteInfo(grpc::ServerContext*, const measurement::v1::GetRemoteInfoRequest*,
                             measurement::v1::ServerInfo* reply) override {
    *reply = server;
    return remote_status;
  }
  grpc::Status RunTest(grpc::ServerContext* context, const measurement::v1::RunTestRequest* request,
                       grpc::ServerWriter<measurement::v1::RunTestUpdate>* writer) override {
    test_request = *request;
    return Stream(context, writer);
  }
  grpc::Status Generate(grpc::ServerContext* context, const measurement::v1::BenchRequest* request,
                        grpc::ServerWriter<measurement::v1::RunTestUpdate>* writer) override {
    return Bench(context, false, *request, writer);
  }
  grpc::Status Sink(grpc::ServerContext* context, const measurement::v1::BenchRequest* request,
                    grpc::ServerWriter<measurement::v1::RunTestUpdate>* writer) override {
    return Bench(context, true, *request, writer);
  }
  grpc::Status Bench(grpc::ServerContext* context, bool sink,
                     const measurement::v1::BenchRequest& request,
                     grpc::ServerWriter<measurement::v1::RunTestUpdate>* writer) {
    BenchAnswer bench;
    {
      std::lock_guard lock(bench_mutex_);  // Both ends may be asked at once.
      bench_requests.push_back(request);
      bench = bench_;
    }
    if (!bench) return Stream(context, writer);
    measurement::v1::RunTestUpdate waiting;
    waiting.mutable_progress()->set_state(sink ? "waiting" : "running");
    writer->Write(waiting);
    writer->Write(bench(sink, request));
    return grpc::Status::OK;
  }
  grpc::Status Stream(grpc::ServerContext* context,
                      grpc::ServerWriter<measurement::v1::RunTestUpdate>* writer) {
    for (const auto& update : updates) writer->Write(update);
    if (hang_after_updates) {
      while (!context->IsCancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
      cancelled = true;
    }
    return test_status;
  }
  grpc::Status GetActivity(grpc::ServerContext*, const measurement::v1::GetActivityRequest*,
                           measurement::v1::NodeActivity* reply) override {
    activity.set_at_unix_ns(activity.at_unix_ns() + 1'000'000'000);
    *reply = activity;
    return grpc::Status::OK;
  }
  grpc::Status ListSessions(grpc::ServerContext*, const measurement::v1::ListSessionsRequest*,
                            measurement::v1::ListSessionsReply* reply) override {
    *reply = sessions;
    return grpc::Status::OK;
  }
  grpc::Status ListRecords(grpc::ServerContext*, const measurement::v1::ListRecordsRequest* request,
                           measurement::v1::ListRecordsReply* reply) override {
    records_request = *request;
    *reply = records;
    return grpc::Status::OK;
  }
  grpc::Status GetRecord(grpc::ServerContext*, const measurement::v1::GetRecordRequest* request,
                         measurement::v1::GetRecordReply* reply) override {
    record_request = *request;
    for (int i = 0; i < records.records_size(); ++i) {
      if (records.records(i).record_id() != request->record_id()) continue;
      *reply->mutable_record() = records.records(i);
      if (i < records.standings_size()) *reply->mutable_standing() = records.standings(i);
      return grpc::Status::OK;
    }
    return grpc::Status(grpc::StatusCode::NOT_FOUND, "no record " + request->record_id());
  }

  grpc::Status GetExportStatus(grpc::ServerContext*, const delivery::v1::GetStatusRequest* request,
                               delivery::v1::Status* reply) override {
    export_request = *request;
    *reply = exported;
    return grpc::Status::OK;
  }
  grpc::Status ReleaseRecord(grpc::ServerContext*,
                             const measurement::v1::ReleaseRecordRequest* request,
                             measurement::v1::ChangeRecordReply* reply) override {
    release_request = *request;
    *reply = change;
    return grpc::Status::OK;
  }
  grpc::Status AnonymiseRecord(grpc::ServerContext*,
                               const measurement::v1::AnonymiseRecordRequest* request,
                               measurement::v1::ChangeRecordReply* reply) override {
    anonymise_request = *request;
    *reply = change;
    return grpc::Status::OK;
  }

  grpc::Status ReloadPolicy(grpc::ServerContext*, const measurement::v1::ReloadPolicyRequest*,
                            measurement::v1::ReloadPolicyReply* reply) override {
    *reply = reload;
    return grpc::Status::OK;
  }

  grpc::Status ListAudit(grpc::ServerContext*, const measurement::v1::ListAuditRequest* request,
                         measurement::v1::ListAuditReply* reply) override {
    audit_request = *request;
    *reply = audit;
    return grpc::Status::OK;
  }
  grpc::Status VerifyAudit(grpc::ServerContext*, const measurement::v1::VerifyAuditRequest* request,
                           measurement::v1::VerifyAuditReply* reply) override {
    verify_request = *request;
    *reply = verdict;
    return grpc::Status::OK;
  }

  std::mutex bench_mutex_;
  BenchAnswer bench_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace weir::cli

#endif  // WEIR_TESTS_UNIT_CLI_FAKE_ADMIN_H_

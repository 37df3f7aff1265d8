#include "control/cli/test_command.h"

#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "control/cli/calibrate_command.h"
#include "control/cli/consent.h"
#include "control/cli/contacts/leave_contact.h"
#include "control/cli/json.h"
#include "control/cli/partial_result.h"
#include "control/cli/private_pair.h"
#include "control/cli/render_result.h"
#include "control/cli/render_server.h"
#include "control/cli/test_stream.h"
#include "control/cli/units.h"

namespace weir::cli {
namespace {

constexpr uint32_t kApiVersion = 1;  // proto/README.md, protocol_version.

class TestRun {
 public:
  TestRun(Context context, measurement::v1::RunTestRequest request,
          std::unique_ptr<AdminStub> admin)
      : context_(std::move(context)), request_(std::move(request)), admin_(std::move(admin)) {}

  // `contact`: to be sealed to the experiment's key; may be empty.
  ExitCode Run(bool accept_notice, const std::string& contact) {
    measurement::v1::ServerInfo server;
    if (auto failure = GetServer(&server)) return Report(context_, *failure);
    if (auto failure = GetConsent(context_, server, accept_notice)) {
      return Report(context_, *failure);
    }
    request_.set_accepted_notice_digest(server.notice_digest());
    if (!contact.empty()) {
      auto sealed = SealContact(contact, request_.experiment(), server);
      if (const auto* failure = std::get_if<Failure>(&sealed)) return Report(context_, *failure);
      request_.set_sealed_contact(std::get<std::string>(std::move(sealed)));
    }
    return Stream();
  }

 private:
  std::optional<Failure> GetServer(measurement::v1::ServerInfo* server) {
    grpc::ClientContext call;
    SetDeadline(&call, 30);
    const CancelOnInterrupt guard(&context_.interrupt, &call);
    measurement::v1::GetRemoteInfoRequest request;
    *request.mutable_remote() = request_.remote();
    context_.terminal.ShowLine(absl::StrCat("connecting to ", request_.remote().address()));
    const grpc::Status status = admin_->GetRemoteInfo(&call, request, server);
    context_.terminal.ClearLine();
    if (context_.interrupt.requested()) {
      return Failure{ExitCode::kAborted, "interrupted; nothing was sent"};
    }
    if (!status.ok()) {
      return ExplainStatus(status, absl::StrCat("cannot ask ", request_.remote().address()));
    }
    if (server->protocol_version() != kApiVersion) {
      return Failure{ExitCode::kVersion,
                     absl::StrCat(request_.remote().address(), " speaks protocol version ",
                                  server->protocol_version(), ", this weir speaks version ",
                                  kApiVersion, "; use the release of weir the server uses")};
    }
    return std::nullopt;
  }

  ExitCode Stream() {
    grpc::ClientContext call;
    const CancelOnInterrupt guard(&context_.interrupt, &call);
    const auto reader = admin_->RunTest(&call, request_);
    measurement::v1::RunTestUpdate update;
    std::optional<ExitCode> end;
    while (reader->Read(&update)) {
      if (auto code = Handle(update)) end = code;
    }
    const grpc::Status status = reader->Finish();
    context_.terminal.ClearLine();
    if (end) return *end;
    if (context_.interrupt.requested()) return Interrupted();
    if (status.ok()) {
      return Report(context_,
                    {ExitCode::kInternal, "weir-control ended the test without a result"});
    }
    Failure failure = ExplainStatus(status, "the test broke off");
    // It was reached when the test began: its end is a failure on this side.
    if (failure.code == ExitCode::kUnreachable) failure.code = ExitCode::kLocal;
    return Report(context_, failure);
  }

  // Returns the exit code once the test has ended.
  std::optional<ExitCode> Handle(const measurement::v1::RunTestUpdate& update) {
    switch (update.body_case()) {
      case measurement::v1::RunTestUpdate::kServer:
        server_ = update.server();
        return std::nullopt;
      case measurement::v1::RunTestUpdate::kGrant:
        partial_.SetGrant(update.grant());
        context_.terminal.ClearLine();
        if (!context_.json) context_.out << RenderGrant(update.grant()) << std::flush;
        return std::nullopt;
      case measurement::v1::RunTestUpdate::kProgress:
        partial_.Add(update.progress());
        context_.terminal.ShowLine(
            RenderProgress(update.progress(), request_.parameters().duration_ns()));
        return std::nullopt;
      case measurement::v1::RunTestUpdate::kResult:
        return Show(update.result());
      case measurement::v1::RunTestUpdate::kRejection:
        return ShowRejection(context_, update.rejection());
      case measurement::v1::RunTestUpdate::kFailure:
        return ShowFailure(context_, update.failure());
      default:
        return std::nullopt;
    }
  }

  ExitCode Show(const measurement::v1::TestResult& result) {
    context_.terminal.ClearLine();
    if (context_.json) {
      context_.out << ToJson(result) << std::endl;
    } else {
      context_.out << RenderResult(result, context_.terminal) << std::flush;
    }
    return result.outcome() == record::v1::COMPLETED ? ExitCode::kOk : ExitCode::kAborted;
  }

  ExitCode Interrupted() {
    context_.err << "weir: interrupted" << std::endl;
    if (!partial_.granted()) return ExitCode::kAborted;
    measurement::v1::TestResult result = partial_.Finish(admin_.get(), "interrupted");
    *result.mutable_server() = server_;
    *result.mutable_requested() = request_.parameters();
    return Show(result);
  }

  std::string RenderGrant(const measurement::v1::Grant& grant) const {
    const auto row = [&](const char* name, const std::string& value) {
      return absl::StrFormat("%-10s %s\n", name, value);
    };
    std::string text = absl::StrCat(
        row("server", absl::StrCat(server_.node(), " at ", request_.remote().address())),
        row("operator", absl::StrCat(server_.operator_(), " (", server_.contact(), ")")),
        row("session", grant.session_id()),
        row("admitted", absl::StrCat("by rule \"", grant.admission_rule(), "\"")));
    for (const auto& direction : grant.directions()) {
      const auto& parameters = direction.parameters();
      absl::StrAppend(
          &text,
          row(Name(direction.direction()),
              absl::StrCat(parameters.rate_max() ? "max, at most " : "",
                           FormatRate(static_cast<double>(parameters.rate_bps())), " for ",
                           FormatDurationNs(static_cast<double>(parameters.duration_ns())),
                           ", payload ", FormatPayload(parameters), ", ", parameters.streams(),
                           parameters.streams() == 1 ? " stream" : " streams", ", ",
                           FormatPacing(parameters), ", IPv", parameters.ip_version())));
    }
    if (grant.reduced_by_size() != 0) {
      absl::StrAppend(&text, row("", context_.terminal.Paint(
                                         Style::kYellow,
                                         absl::StrCat("less than asked for, reduced by ",
                                                      absl::StrJoin(grant.reduced_by(), ", ")))));
    }
    return text + "\n";
  }

  Context context_;
  measurement::v1::RunTestRequest request_;
  const std::unique_ptr<AdminStub> admin_;
  measurement::v1::ServerInfo server_;
  PartialResult partial_;
};

}  // namespace

ExitCode RunTest(Context context, const TestOptions& options) {
  auto request = MakeTestRequest(options);
  if (!request.ok()) {
    return Report(context, {ExitCode::kUsage, std::string(request.status().message())});
  }
  const auto contact = ReadContact(options.contact, options.contact_file);
  if (const auto* failure = std::get_if<Failure>(&contact)) return Report(context, *failure);
  std::unique_ptr<PrivatePair> pair;  // Outlives the test; takes its processes down with it.
  if (options.WantsPrivatePair()) {
    context.terminal.ShowLine(absl::StrCat("starting a dataplane on ", options.port));
    auto started = PrivatePair::Start(options.port, context.interrupt,
                                      {.calibration_file = kDefaultCalibration});
    context.terminal.ClearLine();
    if (auto* failure = std::get_if<Failure>(&started)) return Report(context, *failure);
    pair = std::get<std::unique_ptr<PrivatePair>>(std::move(started));
    context.admin = pair->admin_socket();
  } else {
    request->set_port(options.port);
  }
  auto admin = ConnectAdmin(context.admin);
  if (auto* failure = std::get_if<Failure>(&admin)) return Report(context, *failure);
  return TestRun(std::move(context), *std::move(request),
                 std::get<std::unique_ptr<AdminStub>>(std::move(admin)))
      .Run(options.accept_notice, std::get<std::string>(contact));
}

}  // namespace weir::cli

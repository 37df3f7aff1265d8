// weir-control: negotiates sessions, samples the dataplane, stores records.
#include <absl/strings/str_cat.h>
#include <signal.h>
#include <sodium.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <exception>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/admission/access_token.h"
#include "control/admission/admission.h"
#include "control/admission/check.h"
#include "control/admission/policy.h"
#include "control/admission/policy_reloader.h"
#include "control/api/grpc_remote.h"
#include "control/api/server.h"
#include "control/collector/calibration.h"
#include "control/config/config.h"
#include "control/export/explain.h"
#include "control/metrics/http_server.h"
#include "control/metrics/metrics.h"
#include "control/session/flow_lookup.h"
#include "control/session/manager.h"
#include "control/session/notices.h"
#include "control/store/contact_store.h"
#include "control/store/release_keeper.h"
#include "control/store/store.h"

namespace weir::control {
namespace {

constexpr int kExitUsage = 2;
constexpr int kExitCannotStart = 3;
constexpr int kExitAtOnce = 1;

constexpr std::chrono::seconds kAwaitDataplane{2};

struct Arguments {
  std::string config = "/etc/weir/control.textproto";
  bool allow_plaintext = false;
  bool check_config = false;
  std::string log_level = "info";
};

// `where` in front of what is wrong, e.g. the configuration and its field.
absl::Status At(std::string_view where, const absl::Status& status) {
  return {status.code(), absl::StrCat(std::string(where), ": ", status.message())};
}

int Fail(int code, const absl::Status& status) {
  std::cerr << "weir-control: " << status.message() << "\n";
  return code;
}

// SIGHUP reloads the policy, the others stop.
sigset_t OurSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  return signals;
}

// SIGHUP reloads the policy. The first other signal drains, the second ends the process at once:
// what still runs then is ended by the dataplane's control lease and recorded at the next start.
void ServeUntilStopped(SessionManager* manager, PolicyReloader* policy) {
  const sigset_t signals = OurSignals();
  bool draining = false;
  while (!draining || !manager->Idle()) {
    const timespec wait{0, 50'000'000};
    const int signal =
        draining ? sigtimedwait(&signals, nullptr, &wait) : sigwaitinfo(&signals, nullptr);
    if (signal < 0) continue;
    if (signal == SIGHUP) {
      policy->Reload("SIGHUP");
      continue;
    }
    if (draining) {
      spdlog::warn("stopped at once, with sessions running");
      _exit(kExitAtOnce);
    }
    draining = true;
    manager->Drain();
  }
}

// Whoever the policy lets have a record is waited for. Of class operator_only only operators have
// any.
RetentionTerms RetentionOf(const Policy& policy) {
  RetentionTerms terms{.policy_digest = policy.digest()};
  for (const Holder& holder : policy.holders()) {
    terms.public_recipients.push_back(holder.recipient);
    if (holder.role == "operator") terms.operator_recipients.push_back(holder.recipient);
  }
  return terms;
}

int Serve(const Arguments& arguments) {
  absl::StatusOr<config::v1::Config> config = LoadConfig(arguments.config);
  if (!config.ok()) return Fail(kExitUsage, config.status());
  absl::StatusOr<std::shared_ptr<const Policy>> policy =
      LoadPolicy({config->policy_file().begin(), config->policy_file().end()});
  if (!policy.ok()) {
    const bool parsed = absl::IsInvalidArgument(policy.status());  // It then names file and line.
    return Fail(kExitUsage,
                parsed ? policy.status() : At(arguments.config + ": policy_file", policy.status()));
  }
  if (absl::Status transport = ApiServer::CheckTransport(*config, arguments.allow_plaintext);
      !transport.ok()) {
    return Fail(kExitUsage, At(arguments.config, transport));
  }
  const absl::StatusOr<std::unique_ptr<TokenVerifier>> tokens =
      TokenVerifier::Load(config->token_issuer());
  if (!tokens.ok()) return Fail(kExitUsage, At(arguments.config, tokens.status()));
  for (const std::string& warning : (*policy)->warnings()) spdlog::warn("policy: {}", warning);
  if (arguments.check_config) {
    std::cout << arguments.config << ": ok\n";
    return 0;
  }

  Admission::Options options{.operator_name = config->operator_(),
                             .contact = config->contact(),
                             .max_sessions = config->max_sessions()};
  if (!config->token_issuer().empty()) options.tokens = tokens->get();
  for (const config::v1::PortBudget& port : config->port()) {
    options.port_budgets[port.name()] = port.budget_bps();
  }
  Admission admission(std::move(options), *policy);
  Metrics metrics(WEIR_VERSION);
  CalibrationStore calibration(config->calibration_file());
  absl::StatusOr<std::unique_ptr<Store>> store =
      Store::Open({.path = config->store(),
                   .max_bytes = config->store_max_bytes(),
                   .audited = [&metrics](const std::string& event, int64_t count) {
                     metrics.CountAudited(event, count);
                   }});
  if (!store.ok()) {
    return Fail(kExitCannotStart, At(arguments.config + ": store", store.status()));
  }

  absl::StatusOr<std::unique_ptr<FlowLookup>> lookup =
      FlowLookup::Open(config->store() + ".lookup-key");
  if (!lookup.ok()) return Fail(kExitCannotStart, lookup.status());

  ContactStore contacts(config->contact_store());
  if (absl::Status usable = contacts.Check(); !usable.ok()) {
    return Fail(kExitCannotStart, At(arguments.config + ": contact_store", usable));
  }

  PolicyReloader reloader({config->policy_file().begin(), config->policy_file().end()}, &admission,
                          store->get(), &metrics);

  Node node;
  node.config = &*config;
  node.admission = &admission;
  node.store = store->get();
  node.metrics = &metrics;
  node.calibration = &calibration;
  node.lookup = lookup->get();
  Notices notices(node.Identity(), store->get(), &metrics, config->notice_webhook());
  node.notices = &notices;
  node.contacts = &contacts;
  node.connect_remote = MakeConnectRemote(config->client());
  SessionManager manager(std::move(node), config->dataplane_socket());

  manager.AwaitDataplane(kAwaitDataplane);
  absl::StatusOr<std::unique_ptr<ApiServer>> api =
      ApiServer::Start(*config, arguments.allow_plaintext,
                       {.manager = &manager,
                        .store = store->get(),
                        .contacts = &contacts,
                        .policy = &reloader,
                        .admission = &admission,
                        .metrics = &metrics});
  if (!api.ok()) {
    return Fail(absl::IsInvalidArgument(api.status()) ? kExitUsage : kExitCannotStart,
                api.status());
  }
  std::unique_ptr<HttpServer> http;
  if (!config->metrics().listen().empty()) {
    absl::StatusOr<std::unique_ptr<HttpServer>> started = HttpServer::Start(
        config->metrics().listen(), metrics.registry(), [&manager] { return manager.Health(); });
    if (!started.ok()) return Fail(kExitCannotStart, started.status());
    http = *std::move(started);
  }
  const ReleaseKeeper releases(
      store->get(), {.retention = [&admission] { return RetentionOf(*admission.policy()); },
                     .contacts = &contacts,
                     .held = [&metrics](int64_t held) { metrics.SetRetentionHeld(held); }});
  spdlog::info("weir-control {} serves node {}, policy {} ({})", WEIR_VERSION, config->node(),
               (*policy)->profile(), (*policy)->digest());

  ServeUntilStopped(&manager, &reloader);
  (*api)->Shutdown();
  spdlog::info("stopped");
  return 0;
}

int Main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app{"weir-control negotiates test sessions, samples the dataplane and stores records."};
  app.set_version_flag("--version", "weir-control " WEIR_VERSION);
  app.add_option("--config", arguments.config, "Configuration file (protobuf text format)")
      ->capture_default_str();
  app.add_flag("--allow-plaintext", arguments.allow_plaintext,
               "Serve the API without TLS; on loopback addresses only");
  app.add_flag("--check-config", arguments.check_config,
               "Check the configuration and the policy it names, then exit");
  app.add_option("--log-level", arguments.log_level)
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "off"}))
      ->capture_default_str();

  std::vector<std::string> policies;
  bool json = false;
  CLI::App* check = app.add_subcommand("check-policy", "Check policy files, then exit");
  check->add_option("FILE", policies)->required();
  check->add_flag("--json", json, "Machine-readable output");
  ExplainOptions explained;
  CLI::App* explain = app.add_subcommand(
      "explain-policy", "Show how policy files judge a request or a record, then exit");
  explain->add_option("FILE", explained.files)->required();
  explain->add_option("--request", explained.request,
                      "A weir.measurement.v1.AdmissionQuery in JSON");
  explain->add_option("--record", explained.record, "A weir.record.v1.Record in JSON");
  explain->add_flag("--json", explained.json, "Machine-readable output");
  app.require_subcommand(0, 1);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  if (explain->parsed()) return ExplainPolicy(explained, std::cout, std::cerr);
  if (check->parsed()) return CheckPolicies(policies, json, std::cout, std::cerr);

  spdlog::set_default_logger(spdlog::stderr_logger_mt("weir-control"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  spdlog::set_level(spdlog::level::from_str(arguments.log_level));
  if (sodium_init() < 0) return Fail(kExitCannotStart, absl::InternalError("no random numbers"));
  // Blocked before any thread exists, so that only the main thread takes them.
  const sigset_t signals = OurSignals();
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return Serve(arguments);
}

}  // namespace
}  // namespace weir::control

int main(int argc, char** argv) {
  try {
    return weir::control::Main(argc, argv);
  } catch (const std::exception& error) {  // Out of memory, or a library's.
    std::fprintf(stderr, "weir-control: %s\n", error.what());
    return weir::control::kExitCannotStart;
  }
}

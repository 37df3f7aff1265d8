// weir-export: delivers approved records to where they may go.
#include <grpcpp/grpcpp.h>
#include <signal.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <tbb/global_control.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "control/export/delivery/delivery_run.h"
#include "control/export/delivery/destination_runner.h"
#include "control/export/delivery/export_config.h"
#include "control/export/delivery/jetstream_engine.h"
#include "control/export/delivery/postgres_engine.h"
#include "control/export/delivery/spool_engine.h"
#include "export/v1/export.grpc.pb.h"

namespace weir::control {
namespace {

constexpr int kExitUsage = 2;
constexpr int kExitCannotStart = 3;

std::unique_ptr<Engine> MakeEngine(const config::v1::ExportConfig& config,
                                   const config::v1::Destination& destination) {
  const std::string ledger = config.state_directory() + "/" + destination.name() + ".ledger";
  if (destination.has_jetstream()) {
    return std::make_unique<JetStreamEngine>(destination.jetstream(), ledger);
  }
  if (destination.has_postgres()) return std::make_unique<PostgresEngine>(destination.postgres());
  return std::make_unique<SpoolEngine>(destination.spool(), ledger);
}

delivery::v1::Destination Describe(const config::v1::Destination& configured,
                                   const Engine& engine) {
  delivery::v1::Destination destination;
  destination.set_name(configured.name());
  destination.set_engine(engine.name());
  destination.set_recipient(configured.recipient());
  destination.set_purpose(configured.purpose());
  return destination;
}

int Run(const config::v1::ExportConfig& config, const sigset_t& signals) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);  // A day of intervals is larger than gRPC's default.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS,
                   static_cast<int>(kLongestControlWait.count()));
  const std::shared_ptr<grpc::Channel> control = grpc::CreateCustomChannel(
      "unix:" + config.control_socket(), grpc::InsecureChannelCredentials(), arguments);
  // Stages wait for others much more than they compute: one thread a stage, whatever the cores.
  const tbb::global_control threads(
      tbb::global_control::max_allowed_parallelism,
      static_cast<size_t>(kBatchesUnderWay) * static_cast<size_t>(config.destination_size()));
  std::vector<std::unique_ptr<DestinationRunner>> runners;
  for (const config::v1::Destination& destination : config.destination()) {
    std::unique_ptr<Engine> engine = MakeEngine(config, destination);
    delivery::v1::Destination described = Describe(destination, *engine);
    runners.push_back(
        std::make_unique<DestinationRunner>(std::move(described), std::move(engine), control));
  }
  spdlog::info("weir-export {} serves {} destinations", WEIR_VERSION, runners.size());
  while (true) {
    const timespec wait{0, 200'000'000};
    if (sigtimedwait(&signals, nullptr, &wait) > 0) break;
    for (const auto& runner : runners) {
      const std::string wrong = runner->misconfigured();
      if (wrong.empty()) continue;
      std::cerr << "weir-export: " << wrong << "\n";
      return kExitUsage;
    }
  }
  for (const auto& runner : runners) runner->Stop();
  runners.clear();
  spdlog::info("stopped");
  return 0;
}

int Main(int argc, char** argv) {
  std::string file = "/etc/weir/export.textproto", log_level = "info";
  bool check = false;
  CLI::App app{"weir-export takes approved records from the local weir-control and delivers them."};
  app.set_version_flag("--version", "weir-export " WEIR_VERSION);
  app.add_option("--config", file, "Configuration file (protobuf text format)")
      ->capture_default_str();
  app.add_flag("--check-config", check, "Check the configuration, then exit");
  app.add_option("--log-level", log_level)
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "off"}))
      ->capture_default_str();
  app.footer(
      "Engines: spool (files for M-Lab's uploader), jetstream (a replicated stream of NATS),\n"
      "postgres (tables of PostgreSQL 15 or newer).\n"
      "deploy/docs/export.md walks through each.\n"
      "Nothing is lost or delivered twice if it is killed: what weir-control has no\n"
      "acknowledgement of comes again. `weir export status` shows how far each destination is.\n"
      "Exit codes: 0 stopped by a signal, 2 usage, configuration, or a recipient or purpose that\n"
      "weir-control's policy does not declare, 3 cannot start.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  spdlog::set_default_logger(spdlog::stderr_logger_mt("weir-export"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  spdlog::set_level(spdlog::level::from_str(log_level));
  const auto config = LoadExportConfig(file);
  if (!config.ok()) {
    std::cerr << "weir-export: " << config.status().message() << "\n";
    return kExitUsage;
  }
  if (check) {
    std::cout << file << ": ok\n";
    return 0;
  }
  // Blocked before any thread exists, so that only the main thread takes them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return Run(*config, signals);
}

}  // namespace
}  // namespace weir::control

int main(int argc, char** argv) {
  try {
    return weir::control::Main(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "weir-export: %s\n", error.what());
    return weir::control::kExitCannotStart;
  }
}

#include "dataplane/options.h"

#include <CLI/CLI.hpp>

#include "dataplane/eal/cpu_list.h"
#include "dataplane/privileges/privileges.h"

namespace weir::dataplane {
namespace {

constexpr const char* kDescription =
    "weir-dataplane: sends, receives and counts Weir's test packets on ports it owns.\n"
    "It does nothing by itself: weir-control tells it what to do, over --socket.";

constexpr const char* kFooter = R"(
Ports: NAME=DEVICE[,key=value...]
  pci:0000:3b:00.0     a NIC bound to vfio-pci ("weir-nic up pci:0000:3b:00.0")
  af_xdp:eth1          a kernel interface, by AF_XDP; queues=2-3: those alone
  af_packet:eth1       any kernel interface, by packet sockets
  tap:weir0            an interface that Weir makes
  memif:/run/a.sock    shared memory to another process; role=server (default) or client, id=N;
                       both ends need the same number of queues (for Weir: --workers)
  ring: null: pcap:F   for tests: a loop, a sink, a file to write to (rx=F2: one to read)
  ip4=A/len gw4=A ip6=A/len gw6=A   its addresses and gateways
  vlan=N mtu=N mac=M                802.1Q tag, IP packet bytes, MAC address
  bench=on                          this port is wired to a bench of your own: `weir generate`
                                    may load it without asking who is at the other end

Examples:
  weir-dataplane --port p0=af_packet:eth1,ip4=192.0.2.10/24,gw4=192.0.2.1
  weir-dataplane --port p0=pci:0000:3b:00.0,ip6=2001:db8::10/64 --workers 4 --lcores 2-5
  weir-dataplane --no-huge --port p0=memif:/tmp/a.sock,role=client,ip4=10.0.0.2/24

Exit codes: 0 stopped on request, 2 bad command line, 3 cannot start, 4 a port vanished.)";

Error BadFlag(const std::string& flag, const std::string& message) {
  return {v1::INVALID_ARGUMENT, flag, message};
}

// Flags as given, before they are understood.
struct Raw {
  std::vector<std::string> ports;
  std::string lcores;
  std::string main_cpus;
};

Status Interpret(const Raw& raw, Options* options) {
  if (raw.ports.empty()) {
    return BadFlag("--port", "name at least one, like --port p0=af_packet:eth1,ip4=192.0.2.1/24");
  }
  for (const std::string& value : raw.ports) {
    auto spec = ParsePortSpec(value);
    if (!spec.ok()) return spec.error();
    for (const PortSpec& other : options->ports) {
      if (other.name == spec->name) {
        return BadFlag("--port " + spec->name, "the name is used twice");
      }
      if (other.device == spec->device && !spec->argument.empty() && spec->kind != "memif") {
        return BadFlag("--port " + spec->name, "port " + other.name + " has this device already");
      }
    }
    options->ports.push_back(std::move(*spec));
  }
  const auto cpus = [](const char* flag, const std::string& text, std::vector<int>* out) -> Status {
    if (text.empty()) return Ok{};
    auto list = ParseCpuList(text);
    if (!list.ok()) return BadFlag(flag, list.error().message);
    *out = std::move(*list);
    return Ok{};
  };
  Status status = cpus("--lcores", raw.lcores, &options->eal.worker_cpus);
  if (!status.ok()) return status;
  status = cpus("--main-cpus", raw.main_cpus, &options->eal.main_cpus);
  if (!status.ok()) return status;
  if (options->user.empty()) options->user = DefaultUser();
  return Ok{};
}

}  // namespace

Result<std::variant<Options, HelpText>> ParseOptions(int argc, const char* const* argv) {
  Options options;
  Raw raw;
  CLI::App app(kDescription, "weir-dataplane");
  app.footer(kFooter);
  app.set_version_flag("--version", "weir-dataplane " WEIR_VERSION);
  app.add_option("--port", raw.ports, "A port; repeat for each (see below)")
      ->type_name("NAME=DEVICE[,...]")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--socket", options.socket, "Where weir-control reaches this process")
      ->capture_default_str();
  app.add_option("--socket-group", options.socket_group, "Group that may use the socket");
  app.add_option("--workers", options.workers_per_port, "Workers for each port")
      ->check(CLI::Range(1u, 64u))
      ->capture_default_str();
  app.add_option("--lcores", raw.lcores, "CPUs for the workers, like 2-5; default: all but one");
  app.add_option("--main-cpus", raw.main_cpus,
                 "CPUs for everything else; default: those without a worker");
  app.add_option("--flows", options.slots,
                 "Flow slots, up to 1048576; memory is taken as they are used: 0.5 KiB in each "
                 "for the packet path, 2.5 KiB for session and duplicates")
      ->check(CLI::Range(1u, 1u << 20))
      ->capture_default_str();
  app.add_option("--histograms", options.histograms, "Delay histograms for each worker")
      ->check(CLI::Range(0u, 1u << 16))
      ->capture_default_str();
  app.add_option("--memory", options.eal.memory_mb,
                 "MiB for packets; default: as needed, with --no-huge 512")
      ->check(CLI::Range(64u, 1u << 20));
  app.add_flag("--no-huge", options.eal.no_huge, "Do without hugepages: slower, needs no set-up");
  app.add_option("--user", options.user,
                 "User to become once devices are open; default: weir if it exists, else nobody");
  app.add_option("--log-level", options.eal.log_level, "debug, info, notice, warning or error")
      ->check(CLI::IsMember({"debug", "info", "notice", "warning", "error"}))
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return std::variant<Options, HelpText>(HelpText{app.help()});
  } catch (const CLI::CallForVersion& version) {
    return std::variant<Options, HelpText>(HelpText{std::string(version.what()) + "\n"});
  } catch (const CLI::ParseError& error) {
    return BadFlag("", std::string(error.what()) + "; see --help");
  }
  const Status status = Interpret(raw, &options);
  if (!status.ok()) return status.error();
  return std::variant<Options, HelpText>(std::move(options));
}

}  // namespace weir::dataplane

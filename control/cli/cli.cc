#include "control/cli/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>

#include "control/cli/audit_commands.h"
#include "control/cli/bench_command.h"
#include "control/cli/calibrate_command.h"
#include "control/cli/completion.h"
#include "control/cli/contacts/contacts_commands.h"
#include "control/cli/export_commands.h"
#include "control/cli/lookup_command.h"
#include "control/cli/query_commands.h"
#include "control/cli/records_commands.h"
#include "control/cli/report_command.h"
#include "control/cli/rfc2544/rfc2544_command.h"
#include "control/cli/test_command.h"
#include "control/cli/top_command.h"

namespace weir::cli {
namespace {

constexpr char kExitCodes[] =
    "--json and --admin may stand anywhere.\n"
    "Exit codes: 0 ok, 1 internal error, 2 usage, 3 refused by policy, 4 server or local\n"
    "weir-control unreachable, 5 aborted, 6 other protocol version, 7 local dataplane or\n"
    "store failed.";

constexpr char kTestHelp[] =
    "Examples:\n"
    "  weir test lab.example.net --rate 1G                    both directions for 10 s\n"
    "  weir test lab.example.net --direction down --rate max --duration 30s\n"
    "  weir test 192.0.2.1:4040 --payload imix --streams 4 --json > result.json\n"
    "  weir test lab.example.net --port af_packet:eth1,ip4=198.51.100.2/24,gw4=198.51.100.1\n"
    "      no daemon needed: starts a dataplane on eth1 for the length of the test (as root)\n"
    "\n"
    "Rates are bit/s at the IP layer. The server may grant less than you ask for; it says which\n"
    "rule did so. Ctrl-C ends the test and shows what was measured.\n"
    "\n";

constexpr char kGenerateHelp[] =
    "Loads a path of your own bench from the local node; nobody at the other end is asked. Needs\n"
    "a policy of the profile \"lab\", and a port that weir-dataplane was started with bench=on\n"
    "for. Every run is recorded. A `weir sink` with the same --key, --streams and --frame at the\n"
    "other end counts what arrives; start it first.\n"
    "\n"
    "Examples:\n"
    "  weir generate --to 198.18.0.2 --frame rfc2544 --rate 100% --duration 10s\n"
    "  weir generate --to 198.18.0.2 --frame 64 --rate 1Mpps --count 100000\n"
    "  weir generate --port data --to 198.18.0.2 --to-mac 02:00:00:00:00:02 --rate max\n"
    "\n";

constexpr char kSinkHelp[] =
    "Counts what a `weir generate` with the same --key, --streams and --frame sends to the local\n"
    "node: loss, reordering, duplicates and delay of each flow. Ends when the generator says it\n"
    "was the last packet. Needs what `weir generate` needs.\n"
    "\n"
    "Examples:\n"
    "  weir sink --from 198.18.0.1 --frame rfc2544\n"
    "  weir sink --from 198.18.0.1 --key left --streams 8 --duration 5m --json\n"
    "\n";

constexpr char kLookupHelp[] =
    "You saw UDP packets and want to know whose measurement they are: ask the Weir server at one\n"
    "of their ends. It answers for an exact pair of addresses and ports, give or take two "
    "seconds,\n"
    "with the session's id and the operator's contact, and nothing about a person. A few "
    "questions\n"
    "a minute are answered.\n"
    "\n"
    "Examples:\n"
    "  weir lookup 198.51.100.7:40001 192.0.2.1:50000 2026-11-25T12:00:03Z --server "
    "lab.example.net\n"
    "  weir lookup '[2001:db8::7]:40001' '[2001:db8::1]:50000' now\n"
    "\n";

constexpr char kRfc2544Help[] =
    "Benchmarks a device under test (DUT) between two ports of the local node, as RFC 2544 says:\n"
    "for each frame size throughput, latency, frame loss rate and back-to-back frames. Needs what\n"
    "`weir generate` needs, on both ports. Loss is what the receiving port counted of what was\n"
    "sent; every trial is recorded. The RFC's own times make a run of all sizes take a day: the\n"
    "estimate is shown first, and what was shortened is noted in the report.\n"
    "\n"
    "The state is written after every trial. Ctrl-C (or a crash) leaves a file that --resume\n"
    "continues, with the parameters it was begun with.\n"
    "\n"
    "Examples:\n"
    "  weir rfc2544 --out left --in right --html report.html\n"
    "  weir rfc2544 --out left --in right --tests throughput --frame 64,1518 --trial 10s\n"
    "  weir rfc2544 --out left --in right --line-rate 1G --repeat 5 --json > report.json\n"
    "  weir rfc2544 --resume weir-rfc2544-20260101-120000.json\n"
    "\n"
    "A quick look, a minute for each frame size:\n"
    "  weir rfc2544 --out left --in right --trial 2s --resolution 2% --settle 0s\n"
    "      --residual 500ms --latency-trials 2 --bursts 2\n"
    "\n";

constexpr char kCalibrateHelp[] =
    "Starts a dataplane of its own on null: and on ring:, and measures what one worker of this\n"
    "host generates and sinks at 64 and 1518 byte frames. The local weir-control keeps it in\n"
    "calibration.textproto beside its store (calibration_file in its configuration); without one\n"
    "it goes to /var/lib/weir/calibration.textproto. Results then say when the tester, not the\n"
    "path, was the limit. Run it while nothing else runs.\n"
    "\n"
    "Examples:\n"
    "  weir calibrate\n"
    "  weir calibrate --show --json\n"
    "\n";

class Parser {
 public:
  explicit Parser(std::string* chosen_admin, bool* json) : json_(json) {
    app_.require_subcommand(1);
    app_.set_version_flag("--version", "weir " WEIR_VERSION);
    app_.failure_message([](const CLI::App* app, const CLI::Error& error) {
      const CLI::App* at = app;
      std::string path = "weir";
      while (!at->get_subcommands().empty()) {
        at = at->get_subcommands().front();
        path += " " + at->get_name();
      }
      return std::string("weir: ") + error.what() + "; see " + path + " --help\n";
    });
    app_.add_option("--admin", *chosen_admin, "Admin socket of the weir-control to use")
        ->type_name("SOCKET")
        ->capture_default_str();
    app_.footer(std::string("Start with `weir info`, then `weir test SERVER`.\n\n") + kExitCodes);
    app_.fallthrough();
    AddJson(&app_);
  }

  CLI::App* Add(CLI::App* parent, const char* name, const char* help, const char* footer,
                std::function<ExitCode()> run = nullptr) {
    CLI::App* command = parent->add_subcommand(name, help);
    command->footer(footer);
    command->fallthrough();
    if (run) {
      command->callback([this, run = std::move(run)] { run_ = run; });
    } else {
      command->require_subcommand(1);
    }
    return command;
  }

  CLI::App& app() { return app_; }
  const std::function<ExitCode()>& run() const { return run_; }

 private:
  void AddJson(CLI::App* app) {
    app->add_flag("--json", *json_,
                  "Machine-readable output: protobuf's canonical JSON, one object");
  }

  CLI::App app_{"Measures network paths between Weir servers.", "weir"};
  bool* const json_;
  std::function<ExitCode()> run_;
};

void AddRemoteFlags(CLI::App* command, std::string* ca, bool* plaintext) {
  command->add_option("--ca", *ca, "PEM file of the CA that signed the server's certificate")
      ->type_name("FILE");
  command->add_flag("--plaintext", *plaintext, "Speak without TLS; only to a loopback address");
}

// Whom to ask instead of this node.
void AddServerFlags(CLI::App* command, std::string* server, std::string* ca, bool* plaintext) {
  command->add_option("--server", *server,
                      "HOST, HOST:PORT or [IPv6]:PORT to ask; default: this node");
  AddRemoteFlags(command, ca, plaintext);
}

void AddTest(Parser* parser, TestOptions* options, const std::function<ExitCode()>& run) {
  static const std::string footer = std::string(kTestHelp) + kExitCodes;
  CLI::App* test =
      parser->Add(&parser->app(), "test", "Measure the path to a server", footer.c_str(), run);
  test->add_option("SERVER", options->server, "HOST, HOST:PORT or [IPv6]:PORT; default port 4040")
      ->required();
  test->add_option("--direction", options->direction,
                   "down (server to you), up, or both at the same time")
      ->type_name("WAY")
      ->capture_default_str();
  test->add_option("--rate", options->rate,
                   "Load of each direction: 5G, 200M, 1.5G or max; default 100M")
      ->type_name("RATE");
  test->add_option("--duration", options->duration, "Length of the test: 10s, 500ms or 1m")
      ->type_name("TIME")
      ->capture_default_str();
  test->add_option("--payload", options->payload,
                   "UDP payload: bytes from 18, or imix; default: what fills a 1518-byte frame")
      ->type_name("SIZE");
  test->add_option("--pacing", options->pacing,
                   "When packets leave within the rate: cbr (equal gaps), poisson (exponentially "
                   "distributed gaps), burst:N (N at once, then a gap), or in place of --rate "
                   "ramp:FROM-TO (the rate grows over the duration: ramp:0-1G)")
      ->type_name("HOW")
      ->capture_default_str();
  test->add_option("--streams", options->streams, "Flows that share the rate of a direction")
      ->type_name("N")
      ->capture_default_str();
  test->add_option("--ip", options->ip, "IP version: 4 or 6")
      ->type_name("4|6")
      ->capture_default_str();
  test->add_option("--dscp", options->dscp, "DSCP of the test packets, 0 to 63")
      ->type_name("N")
      ->capture_default_str();
  test->add_option("--port", options->port,
                   "A port of the running dataplane, or DRIVER:DEVICE[,key=value...] to start one "
                   "for this test")
      ->type_name("PORT");
  AddRemoteFlags(test, &options->ca, &options->plaintext);
  test->add_option("--experiment", options->experiment,
                   "Registered experiment this test is part of")
      ->type_name("NAME");
  test->add_option("--purpose", options->purpose,
                   "What the test is for, as the server's policy names it")
      ->type_name("NAME");
  test->add_option("--metadata", options->metadata,
                   "What describes your side, published with the result: access=fiber. No personal "
                   "data")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  test->add_option("--contact", options->contact,
                   "How the experiment's researchers may reach you, if the server takes that: "
                   "sealed to their key here, so that nobody else can read it")
      ->type_name("TEXT");
  test->add_option("--contact-file", options->contact_file,
                   "Likewise, from a file, so that it is not in the list of processes")
      ->type_name("FILE");
  test->add_option("--access-token", options->access_token, "Token the server's operator gave you")
      ->type_name("TOKEN");
  test->add_flag("--accept-notice", options->accept_notice,
                 "You have read what the server collects (weir info SERVER) and agree");
}

// What both ends of a bench run take.
void AddBenchFlags(CLI::App* command, BenchOptions* options) {
  command->add_option("--port", options->port, "Port of the local dataplane; default: what fits")
      ->type_name("NAME");
  command->add_option("--key", options->key, "Any text; the same at both ends")
      ->type_name("TEXT")
      ->capture_default_str();
  command
      ->add_option("--frame", options->frame,
                   "Frame sizes in bytes with FCS, one run each: 64 or 64,512,1518 or rfc2544")
      ->type_name("LIST");
  command->add_option("--payload", options->payload, "Instead of --frame: UDP payload, or imix")
      ->type_name("SIZE");
  command->add_option("--streams", options->streams, "Flows that share the rate")
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--ip", options->ip, "IP version on a port without a peer (null:, ring:)")
      ->type_name("4|6")
      ->capture_default_str();
  command->add_option("--experiment", options->experiment, "Recorded with the result")
      ->type_name("NAME");
  command
      ->add_option("--purpose", options->purpose, "Recorded with the result; default: the command")
      ->type_name("NAME");
}

void AddGenerate(Parser* parser, BenchOptions* options, const std::function<ExitCode()>& run) {
  static const std::string footer = std::string(kGenerateHelp) + kExitCodes;
  CLI::App* command =
      parser->Add(&parser->app(), "generate", "Load a path of your own bench from this node",
                  footer.c_str(), run);
  command
      ->add_option("--to", options->peer,
                   "Address of the other end, and its UDP port; not needed on null: and ring:")
      ->type_name("IP[:PORT]");
  command->add_option("--to-mac", options->mac, "Its MAC address, if it answers neither ARP nor ND")
      ->type_name("MAC");
  command
      ->add_option("--rate", options->rate,
                   "5G (bit/s at the IP layer), 1Mpps, 50% of the line, or max; default 100M")
      ->type_name("RATE");
  command
      ->add_option("--duration", options->duration,
                   "Of each run; default 10s, with --count at most 10m")
      ->type_name("TIME");
  command->add_option("--count", options->count, "Stop after exactly so many packets: 100000 or 1M")
      ->type_name("N");
  command
      ->add_option(
          "--pacing", options->pacing,
          "When packets leave within the rate: cbr, poisson, burst:N, or in place of --rate "
          "ramp:FROM-TO (ramp:0-1G)")
      ->type_name("HOW")
      ->capture_default_str();
  command->add_option("--pause", options->pause, "Between the runs of a --frame list")
      ->type_name("TIME")
      ->capture_default_str();
  command->add_option("--dscp", options->dscp, "DSCP of the packets, 0 to 63")->type_name("N");
  AddBenchFlags(command, options);
}

void AddSink(Parser* parser, BenchOptions* options, const std::function<ExitCode()>& run) {
  static const std::string footer = std::string(kSinkHelp) + kExitCodes;
  CLI::App* command = parser->Add(
      &parser->app(), "sink", "Count what a generator on your bench sends", footer.c_str(), run);
  command->add_option("--from", options->peer, "Address the packets come from; not needed on ring:")
      ->type_name("IP");
  command
      ->add_option("--udp-port", options->udp_port,
                   "As the generator's --to says; default: by --key")
      ->type_name("PORT");
  command
      ->add_option("--duration", options->duration,
                   "How long to wait for each run's end; default 60s")
      ->type_name("TIME");
  command
      ->add_option("--trials", options->trials, "Runs in turn, if --frame does not tell how many")
      ->type_name("N")
      ->capture_default_str();
  command
      ->add_option("--rate", options->rate,
                   "The most that is to come, so that others may have the rest; default max")
      ->type_name("RATE");
  command->add_flag("--synchronised", options->clocks_synchronised,
                    "You know that both ends' clocks are, so delays are absolute");
  AddBenchFlags(command, options);
}

void AddAs(CLI::App* command, std::string* as_role) {
  command
      ->add_option("--as", *as_role,
                   "See no more than this reader would: public, partner:NAME or "
                   "researcher:EXPERIMENT. It never shows more than the operator may see")
      ->type_name("READER");
}

void AddRecordChanges(Parser* parser, CLI::App* group, const Context& context,
                      RecordOptions* options) {
  const auto add_id = [&](CLI::App* command) {
    command->add_option("ID", options->id, "A record's, or a session's for all of its records")
        ->required();
    command->add_option("--reason", options->reason, "Kept in the audit log; no personal data")
        ->type_name("TEXT");
  };
  add_id(parser->Add(group, "release", "Release a record before its embargo is over",
                     "Released is for good: public destinations get it.\n\n"
                     "Example:\n  weir records release ID --reason 'the paper is out'",
                     [&context, options] { return ReleaseRecord(context, *options); }));
  add_id(parser->Add(group, "anonymise", "Take the client's address out of a record, for good",
                     "Everybody the record was delivered to is told to do the same.\n\n"
                     "Example:\n  weir records anonymise ID",
                     [&context, options] { return AnonymiseRecord(context, *options); }));
  CLI::App* erase = parser->Add(
      group, "erase-request", "Anonymise because the person tested asks for it",
      "Do it only for who has shown that the address was theirs at the time of the test, and say\n"
      "how, not who: it stays in the audit log.\n\n"
      "Example:\n  weir records erase-request ID --proof 'provider letter, ticket 17'",
      [&context, options] { return AnonymiseRecord(context, *options); });
  add_id(erase);
  erase->add_option("--proof", options->proof, "What showed that the address was theirs")
      ->type_name("TEXT")
      ->required();
}

void AddContacts(Parser* parser, const Context& context, ContactsOptions* options) {
  CLI::App* group = parser->Add(
      &parser->app(), "contacts", "Contact details people left for an experiment's researchers",
      "Off unless the policy names the experiment's key (contact). A person may then leave some\n"
      "with a test (weir test --contact), sealed on their side: the operator keeps and hands on\n"
      "what only the researchers can open. Each hand-out is in the audit log.\n"
      "\n"
      "The researcher, anywhere:   weir contacts keygen --out broadband.key\n"
      "The operator, here:         weir contacts export --experiment broadband > sealed.json\n"
      "The researcher:             weir contacts open --key broadband.key sealed.json");
  const auto add_experiment = [&](CLI::App* command) {
    command->add_option("--experiment", options->experiment, "Only of this one; default: all")
        ->type_name("NAME");
  };
  add_experiment(parser->Add(group, "list", "List who left some: sessions, sizes and times",
                             "Example:\n  weir contacts list --experiment broadband",
                             [&context, options] { return ListContacts(context, *options); }));
  add_experiment(
      parser->Add(group, "export", "Print them sealed, in JSON, for the researchers",
                  "Example:\n  weir contacts export --experiment broadband > sealed.json",
                  [&context, options] { return ExportContacts(context, *options); }));
  CLI::App* command = parser->Add(
      group, "keygen", "Make the researchers' key; print its public half for the policy",
      "Asks no server. Whoever has the file can open all that is sealed to it, and without it\n"
      "nobody can.\n\nExample:\n  weir contacts keygen --out broadband.key",
      [&context, options] { return MakeContactKey(context, *options); });
  command->add_option("--out", options->key, "Where to keep the secret half")
      ->type_name("FILE")
      ->required();
  command = parser->Add(group, "open", "Open what was exported, with the researchers' key",
                        "Asks no server. Exit code 3: none of it is sealed to this key.\n\n"
                        "Example:\n  weir contacts open --key broadband.key sealed.json",
                        [&context, options] { return OpenContacts(context, *options); });
  command->add_option("--key", options->key, "As `weir contacts keygen` made it")
      ->type_name("FILE")
      ->required();
  command->add_option("FILE", options->file, "What `weir contacts export` printed; default: stdin");
}

void AddReport(Parser* parser, ReportOptions* options, const std::function<ExitCode()>& run) {
  CLI::App* command = parser->Add(
      &parser->app(), "report", "Summarise what was released: rate, loss and delay",
      "Medians, p5 and p95 by time, by the client's prefix and by its autonomous system, over\n"
      "released records alone. Groups of few clients are folded into \"other\" by the node, so\n"
      "that what is printed may be published; the notes below the tables say how to read it.\n"
      "\n"
      "Examples:\n"
      "  weir report                            the last 30 days\n"
      "  weir report --since 36h --by time      hour by hour\n"
      "  weir report --since 2026-01-01 --until 2026-04-01 --html report.html\n"
      "  weir report --by prefix --experiment weir --json\n"
      "  weir report --server lab.example.net   what another node has released",
      run);
  command
      ->add_option("--since", options->since,
                   "2026-11-28, 2026-11-28T12:00:00Z, or how long ago: 36h; default 30d")
      ->type_name("TIME");
  command->add_option("--until", options->until, "Likewise, not included; default: now")
      ->type_name("TIME");
  command->add_option("--by", options->by, "time, prefix, asn; default: all")
      ->delimiter(',')
      ->type_name("LIST")
      ->check(CLI::IsMember({"time", "prefix", "asn"}));
  command->add_option("--experiment", options->experiment, "Only of this one")->type_name("NAME");
  command->add_option("--html", options->html, "Also write a page with plots")->type_name("FILE");
  AddServerFlags(command, &options->server, &options->ca, &options->plaintext);
}

void AddRfc2544(Parser* parser, rfc2544::Options* options, const std::function<ExitCode()>& run) {
  static const std::string footer = std::string(kRfc2544Help) + kExitCodes;
  CLI::App* command =
      parser->Add(&parser->app(), "rfc2544", "Benchmark a device between two ports of this node",
                  footer.c_str(), run);
  const auto add = [command](const char* flag, std::string* value, const char* type,
                             const char* help) {
    command->add_option(flag, *value, help)->type_name(type);
  };
  add("--out", &options->out_port, "NAME", "Port the tester sends on");
  add("--in", &options->in_port, "NAME", "Port it receives on, behind the DUT");
  add("--tests", &options->tests, "LIST",
      "throughput, latency, loss, back-to-back, with commas; default: all");
  add("--frame", &options->frames, "LIST",
      "Frame sizes in bytes with FCS; default: 64,128,256,512,1024,1280,1518 (on IPv6 84 for 64)");
  add("--line-rate", &options->line_rate, "RATE",
      "What the line carries, preamble and gap included; default: the slower port's speed");
  add("--trial", &options->trial, "TIME", "Of each trial; default 60s, as the RFC says");
  add("--resolution", &options->resolution, "SHARE",
      "Of the throughput search, of the line rate; default 0.1%");
  add("--loss", &options->loss, "SHARE", "Loss with which throughput passes; default 0");
  add("--repeat", &options->repeat, "N",
      "Throughput searches and loss curves for each frame size; default 1");
  add("--latency-trials", &options->latency_trials, "N", "For each frame size; default 20");
  add("--latency-trial", &options->latency_trial, "TIME", "Of each; default twice --trial");
  add("--loss-step", &options->loss_step, "SHARE", "Of the loss curve, at most 10%; default 10%");
  add("--bursts", &options->bursts, "N", "Back-to-back searches for each frame size; default 50");
  add("--longest-burst", &options->longest_burst, "TIME", "At the line rate; default 2s");
  add("--burst-resolution", &options->burst_resolution, "SHARE", "Of a burst's length; default 1%");
  add("--learning", &options->learning, "TIME",
      "Of light load before each frame size, so that the DUT learns; default 1s, 0s: none");
  add("--ramp-up", &options->ramp_up, "TIME",
      "At 25, 50 and 75% of the line before each frame size, not judged; default 1s, 0s: none");
  add("--residual", &options->residual, "TIME",
      "Wait for frames the DUT still holds after the last one sent; default 2s");
  add("--settle", &options->settle, "TIME", "Pause between trials; default 5s");
  add("--streams", &options->streams, "N", "Flows that share the rate; default 1");
  add("--ip", &options->ip, "4|6", "IP version; default 4");
  add("--dscp", &options->dscp, "N", "DSCP of the frames, 0 to 63");
  add("--to-mac", &options->to_mac, "MAC", "Of the next hop, if it answers neither ARP nor ND");
  add("--state", &options->state, "FILE",
      "Where the state is kept; default: weir-rfc2544-TIME.json here");
  add("--resume", &options->resume, "FILE", "Continue the run of a state file");
  add("--html", &options->html, "FILE", "A page with plots, rewritten after every trial");
  add("--experiment", &options->experiment, "NAME", "Recorded with each trial");
  add("--purpose", &options->purpose, "NAME", "Likewise; default: rfc2544");
}

}  // namespace

int RunCli(const std::vector<std::string>& arguments, const Terminal& terminal, std::ostream& out,
           std::ostream& err, Interrupt* interrupt) {
  Context context{.terminal = terminal, .out = out, .err = err, .interrupt = *interrupt};
  TestOptions test;
  BenchOptions generate;
  BenchOptions sink;
  CalibrateOptions calibrate;
  rfc2544::Options benchmark;
  TopOptions top;
  InfoOptions info;
  LookupOptions lookup;
  SessionsOptions sessions;
  RecordsOptions records;
  AuditOptions audit;
  ExportOptions exporting;
  RetryOptions retry;
  RecordOptions record_options;
  uint32_t notices_limit = 0;
  ReportOptions report;
  ContactsOptions contacts;
  std::string forgotten;
  std::string shell, audit_head;
  std::vector<std::string> files;
  ExplainOptions explain;

  Parser parser(&context.admin, &context.json);
  CLI::App* root = &parser.app();
  AddTest(&parser, &test, [&] { return RunTest(context, test); });
  AddGenerate(&parser, &generate, [&] { return RunBench(context, generate, BenchEnd::kGenerate); });
  AddSink(&parser, &sink, [&] { return RunBench(context, sink, BenchEnd::kSink); });
  AddRfc2544(&parser, &benchmark, [&] { return rfc2544::RunRfc2544(context, benchmark); });

  CLI::App* command =
      parser.Add(root, "info", "Show a server, or this node",
                 "Examples:\n"
                 "  weir info                      this node: ports, sessions, policy\n"
                 "  weir info lab.example.net      a server: who runs it, what it\n"
                 "                                 collects, what it allows",
                 [&] { return ShowInfo(context, info); });
  command->add_option("SERVER", info.server, "HOST, HOST:PORT or [IPv6]:PORT; default: this node");
  AddRemoteFlags(command, &info.ca, &info.plaintext);

  static const std::string lookup_footer = std::string(kLookupHelp) + kExitCodes;
  command = parser.Add(root, "lookup", "Find the session a packet was of, and whom to ask",
                       lookup_footer.c_str(), [&] { return LookUp(context, lookup); });
  command->add_option("SOURCE", lookup.source, "ADDRESS:PORT or [IPv6]:PORT of the packet's sender")
      ->required();
  command->add_option("DESTINATION", lookup.destination, "Likewise of its receiver")->required();
  command
      ->add_option("TIME", lookup.time,
                   "When it was seen: 2026-11-25T12:00:00Z, seconds since 1970, or now")
      ->required();
  AddServerFlags(command, &lookup.server, &lookup.ca, &lookup.plaintext);

  static const std::string calibrate_footer = std::string(kCalibrateHelp) + kExitCodes;
  command = parser.Add(root, "calibrate", "Measure what this host can generate and sink by itself",
                       calibrate_footer.c_str(), [&] { return RunCalibrate(context, calibrate); });
  command->add_option("--duration", calibrate.duration, "Of each of four runs")
      ->type_name("TIME")
      ->capture_default_str();
  command->add_option("--output", calibrate.output, "Keep it in this file instead")
      ->type_name("FILE");
  command->add_flag("--show", calibrate.show, "Show what the local node keeps");

  command =
      parser.Add(root, "top", "Watch what this node is doing",
                 "Ports, workers (share of time busy, cycles a packet), sessions and drops by\n"
                 "cause, until q or Ctrl-C. With --json an object a line.\n\n"
                 "Examples:\n  weir top --interval 500ms\n  weir top --once --json",
                 [&] { return RunTop(context, top); });
  command->add_option("--interval", top.interval, "From one look to the next")
      ->type_name("TIME")
      ->capture_default_str();
  command->add_flag("--once", top.once, "One look, after one interval");

  command = parser.Add(root, "sessions", "List this node's sessions, newest first",
                       "Example:\n  weir sessions --active --json",
                       [&] { return ListSessions(context, sessions); });
  command->add_flag("--active", sessions.active_only, "Only those that have not ended");
  command->add_option("--limit", sessions.limit, "At most this many; default 100")->type_name("N");

  command =
      parser.Add(root, "notices", "List what this node sent that nobody admitted, newest first",
                 "There should be none. A session that did it was stopped; if a port did it\n"
                 "without one, another program uses that device.\n"
                 "\n"
                 "Example:\n  weir notices --json",
                 [&] { return ListNotices(context, notices_limit); });
  command->add_option("--limit", notices_limit, "At most this many; default 100")->type_name("N");

  CLI::App* group = parser.Add(
      root, "records", "Look at stored results, and let them go",
      "Examples:\n  weir records list --limit 10\n"
      "  weir records show 0192f0c8-6b7a-7e4e-9d3a-4f1f5a2b7c10-down --json\n"
      "  weir records release ID --reason 'the paper is out'\n"
      "\n"
      "A public record is embargoed as long as its policy says, then released; a record\n"
      "of class operator_only stays collected. Before its release only researchers of\n"
      "its experiment read all of it. A released record whose client's address was\n"
      "taken out is anonymised.\n");
  command = parser.Add(group, "list", "List records, newest first",
                       "Example, the next page:\n  weir records list --before RECORD_ID",
                       [&] { return ListRecords(context, records); });
  AddAs(command, &records.as_role);
  command->add_option("--limit", records.limit, "At most this many; default 100")->type_name("N");
  command->add_option("--before", records.before_id, "Only records older than this one")
      ->type_name("RECORD_ID");
  command = parser.Add(group, "show", "Show one record with its intervals",
                       "Example:\n  weir records show RECORD_ID",
                       [&] { return ShowRecord(context, record_options); });
  AddAs(command, &record_options.as_role);
  command->add_option("RECORD_ID", record_options.id, "As `weir records list` prints it")
      ->required();
  AddRecordChanges(&parser, group, context, &record_options);

  AddContacts(&parser, context, &contacts);
  AddReport(&parser, &report, [&] { return ShowReport(context, report); });

  group =
      parser.Add(root, "policy", "Work with policy files", "Example:\n  weir policy check FILE");
  command = parser.Add(
      group, "check", "Check policy files: faults, and rules that can never decide",
      "Exit code 0 if weir-control would start with every file, each of its rules can be\n"
      "reached and names the sentence it serves, else 2.",
      [&] { return CheckPolicy(context, files); });
  command->add_option("FILE", files, "Policy files (protobuf text format)")->required();

  command = parser.Add(
      group, "explain", "Show stage by stage how policy files judge a request or a record",
      "Several files are stacked, the site's own first. Examples:\n"
      "  weir policy explain site.textproto upstream.textproto --request R.json\n"
      "  weir records show ID --json > R.json && weir policy explain FILE --record R.json\n"
      "\n"
      "A request is a weir.measurement.v1.AdmissionQuery in protobuf's JSON:\n"
      "  {\"request\": {\"experiment\": \"weir\", \"purpose\": \"interactive\",\n"
      "     \"client_ends\": [{\"ip\": \"203.0.113.7\"}],\n"
      "     \"directions\": [{\"direction\": \"DOWN\", \"parameters\": {\"rate_bps\": "
      "\"1000000000\",\n"
      "       \"duration_ns\": \"10000000000\", \"streams\": 1, \"ip_version\": 4,\n"
      "       \"payload\": [{\"udp_payload_bytes\": 1472, \"weight\": 1}]}}]},\n"
      "   \"link\": {\"budget_bps\": \"10000000000\"}}\n"
      "\n"
      "Exit code 0 admitted or approved, 3 refused or withheld, 2 no policy, request or record.",
      [&] { return ExplainPolicy(context, explain); });
  command->add_option("FILE", explain.files, "Policy files (protobuf text format)")->required();
  CLI::Option* request =
      command->add_option("--request", explain.request, "The request, in JSON")->type_name("FILE");
  CLI::Option* record =
      command->add_option("--record", explain.record, "The record, in JSON")->type_name("FILE");
  request->excludes(record);

  parser.Add(group, "reload", "Put the node's policy files in force as they are now",
             "Running sessions keep the policy they were admitted under. A fault in a file leaves\n"
             "the last good policy in force and is shown; exit code 2. SIGHUP does the same.",
             [&] { return ReloadPolicy(context); });

  group = parser.Add(root, "export", "See what was delivered, and to whom",
                     "Examples:\n  weir export status\n  weir export dead --json\n"
                     "  weir export retry mlab");
  parser.Add(group, "status", "Show each destination of weir-export and how far it is",
             "BEHIND counts changes of records that it has not been shown yet; 0: it has all it\n"
             "may have.",
             [&] { return ShowExportStatus(context, exporting); });
  command = parser.Add(group, "dead", "List what a destination will never take, newest first",
                       "These records stay in the store; the reason says what was wrong.",
                       [&] { return ListDeadLetters(context, exporting); });
  command->add_option("--limit", exporting.limit, "At most this many; default 100")->type_name("N");
  command = parser.Add(group, "retry", "Have dead letters tried again, all or some",
                       "When what the reason says was mended. Noted in the audit log.\n"
                       "Exit code 2 if there is no such dead letter.",
                       [&] { return RetryDeadLetters(context, retry); });
  command->add_option("DESTINATION", retry.destination, "As `weir export dead` shows it")
      ->required();
  command->add_option("ID", retry.record_ids, "Of records; default: all of the destination's");

  command = parser.Add(
      group, "forget", "Forget a destination that weir-export does not have any more",
      "What it did not get keeps no record from being deleted (keep_days) after that. If it comes\n"
      "back under this name it gets everything from the beginning.",
      [&] { return ForgetDestination(context, forgotten); });
  command->add_option("NAME", forgotten, "As `weir export status` prints it")->required();

  group = parser.Add(root, "audit", "Look at the audit log, and verify it",
                     "Examples:\n  weir audit list --event rejected --trace\n"
                     "  weir audit verify --head 1234:9f86d081884c7d65...");
  command = parser.Add(
      group, "list", "List what was admitted, refused and changed, newest first",
      "Refusals of one minute with one cause are one entry, which appears when the\n"
      "minute is over. Addresses are netblocks, never full.\n"
      "Events: session_begun, session_finished, rejected, policy_applied,\n"
      "policy_unchanged, policy_kept, record_embargoed, record_released,\n"
      "record_anonymised, record_address_erased, record_deleted, address_read (of an\n"
      "unreleased record), contact_kept, contacts_listed, contacts_read, contact_erased,\n"
      "contact_expired, destination_forgotten,\n"
      "records_withheld, delivered,\n"
      "erasure_delivered, delivery_refused.",
      [&] { return ListAudit(context, audit); });
  command->add_option("--limit", audit.limit, "At most this many; default 100")->type_name("N");
  command->add_option("--before", audit.before_id, "Only entries older than this one")
      ->type_name("ID");
  command->add_option("--event", audit.event, "Only entries of this kind")->type_name("NAME");
  command->add_option("--session", audit.session_id, "Only entries of this session")
      ->type_name("SESSION_ID");
  command->add_flag("--trace", audit.trace, "Show stage by stage how each decision came about");
  command =
      parser.Add(group, "verify", "Recompute the log's hash chain",
                 "Exit code 0 intact, 7 not: a row was changed, taken out or put in. Only a head\n"
                 "noted elsewhere shows that rows were cut off at the end.",
                 [&] { return VerifyAudit(context, audit_head); });
  command->add_option("--head", audit_head, "A head printed earlier, which must be part of the log")
      ->type_name("ID:HASH");

  command = parser.Add(root, "completion", "Print a completion script for your shell",
                       "Examples:\n"
                       "  source <(weir completion bash)\n"
                       "  weir completion fish > ~/.config/fish/completions/weir.fish",
                       [&] {
                         out << CompletionScript(*root, shell) << std::flush;
                         return ExitCode::kOk;
                       });
  command->add_option("SHELL", shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));

  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    root->parse(std::move(reversed));
  } catch (const CLI::ParseError& error) {
    const bool asked = root->exit(error, out, err) == 0;  // --help and --version.
    return static_cast<int>(asked ? ExitCode::kOk : ExitCode::kUsage);
  }
  return static_cast<int>(parser.run()());
}

}  // namespace weir::cli

#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <sstream>

#include "control/cli/cli.h"
#include "control/cli/exit_code.h"
#include "control/cli/interrupt.h"
#include "control/cli/rfc2544/state_file.h"
#include "measurement/v1/rfc2544.pb.h"
#include "tests/unit/cli/fake_admin.h"
#include "tests/unit/control/config/temp_dir.h"

namespace weir::cli::rfc2544 {
namespace {

using measurement::v1::BenchRequest;
using measurement::v1::Rfc2544Report;
using measurement::v1::RunTestUpdate;

// A DUT that forwards so many frames a second, seen by both ends.
class FakeDut {
 public:
  explicit FakeDut(double fps) : fps_(fps) {}

  RunTestUpdate Run(bool sink, const BenchRequest& request) {
    return sink ? Sink(request) : Generate(request);
  }

 private:
  struct Trial {
    uint64_t sent = 0;
    double fps = 0;
  };

  static RunTestUpdate Completed(const char* id) {
    RunTestUpdate update;
    update.mutable_result()->set_outcome(record::v1::COMPLETED);
    update.mutable_result()->add_record_ids(id);
    update.mutable_result()->add_results();
    return update;
  }

  RunTestUpdate Generate(const BenchRequest& request) {
    const auto& parameters = request.parameters();
    const double ip_bytes = parameters.payload(0).udp_payload_bytes() + 28;
    Trial trial;
    trial.fps = static_cast<double>(parameters.rate_bps()) / 8 / ip_bytes;
    trial.sent = parameters.packets() != 0
                     ? parameters.packets()
                     : static_cast<uint64_t>(trial.fps *
                                             static_cast<double>(parameters.duration_ns()) / 1e9);
    {
      std::lock_guard lock(mutex_);
      trials_[request.trial()] = trial;
    }
    changed_.notify_all();
    RunTestUpdate update = Completed("id-down");
    auto* result = update.mutable_result()->mutable_results(0);
    result->set_sent(trial.sent);
    result->set_achieved_ethernet_bps(trial.fps * 8 * (ip_bytes + 18));
    return update;
  }

  // Hears the generator of the same trial.
  RunTestUpdate Sink(const BenchRequest& request) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, std::chrono::seconds(20),
                           [&] { return trials_.contains(request.trial()); })) {
      return {};
    }
    const Trial trial = trials_[request.trial()];
    const double passes = trial.fps <= 0 ? 0 : std::min(1.0, fps_ / trial.fps);
    const auto received =
        static_cast<uint64_t>(std::floor(static_cast<double>(trial.sent) * passes + 1e-6));
    RunTestUpdate update = Completed("id-up");
    if (received == 0) {
      update.mutable_result()->set_outcome(record::v1::ABORTED);
      update.mutable_result()->set_end_reason("no_packets");
    }
    auto* result = update.mutable_result()->mutable_results(0);
    result->set_received(received);
    result->set_lost(trial.sent - received);
    return update;
  }

  const double fps_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<uint32_t, Trial> trials_;
};

class Rfc2544CommandTest : public testing::Test {
 protected:
  Rfc2544CommandTest() {
    admin_.node.clear_ports();
    for (const char* name : {"left", "right"}) {
      auto* port = admin_.node.add_ports();
      port->set_name(name);
      port->set_device(std::string("null:") + name);
      port->set_ip4(name == std::string("left") ? "198.18.0.1/24" : "198.18.0.2/24");
      port->set_link_bps(1'000'000'000);
      port->set_mtu(1500);
    }
    Use(1e12);
  }

  static FakeAdmin::BenchAnswer Through(double fps) {
    return [dut = std::make_shared<FakeDut>(fps)](bool sink, const BenchRequest& request) {
      return dut->Run(sink, request);
    };
  }
  void Use(double fps) { admin_.SetBench(Through(fps)); }

  ExitCode Run(const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"--admin", socket_, "rfc2544"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    out_.str("");
    err_.str("");
    return static_cast<ExitCode>(RunCli(arguments, terminal_, out_, err_, &interrupt_));
  }

  // With everything short; the DUT knows no time.
  ExitCode RunQuick(std::vector<std::string> more) {
    more.insert(more.begin(),
                {"--out", "left", "--in", "right", "--settle", "0s", "--frame", "64,1518",
                 "--resolution", "5%", "--bursts", "2", "--latency-trials", "2"});
    return Run(more);
  }

  Rfc2544Report Json() const {
    Rfc2544Report report;
    EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(out_.str(), &report).ok())
        << out_.str() << err_.str();
    return report;
  }

  bool OutHas(const std::string& text) const { return out_.str().find(text) != std::string::npos; }
  bool ErrHas(const std::string& text) const { return err_.str().find(text) != std::string::npos; }

  Interrupt interrupt_;  // Before gRPC's threads.
  const control::TempDir dir_;
  const std::string socket_ = dir_.File("admin.sock");
  const std::string state_ = dir_.File("state.json");
  FakeAdmin admin_{socket_};
  Terminal terminal_{false, false, false};
  std::ostringstream out_, err_;
};

TEST_F(Rfc2544CommandTest, MeasuresBothFrameSizesAndKeepsTheReport) {
  const double line64 = 1e9 / 8 / 84;
  Use(0.62 * line64);
  ASSERT_EQ(RunQuick({"--state", state_, "--json"}), ExitCode::kOk) << err_.str();
  const Rfc2544Report report = Json();
  EXPECT_TRUE(report.complete());
  ASSERT_EQ(report.results_size(), 2);
  EXPECT_NEAR(report.results(0).throughput_load(), 0.60, 1e-9);
  EXPECT_NEAR(report.results(0).throughput_fps(), 0.60 * line64, 1);
  EXPECT_EQ(report.results(0).latency().trials(), 2u);
  EXPECT_NEAR(report.results(0).frame_loss(0).points(0).frame_loss_rate(), 38, 0.01);
  EXPECT_EQ(report.results(0).back_to_back().frames_size(), 2);
  EXPECT_EQ(report.results(1).throughput_load(), 1);
  EXPECT_EQ(report.trials(0).record_ids_size(), 2);
  const auto kept = LoadState(state_);
  ASSERT_TRUE(kept.ok());
  EXPECT_EQ(kept->trials_size(), report.trials_size());
  EXPECT_TRUE(kept->complete());
  // Both ends are of one node: addresses of the ports, one clock, a key of the run's own.
  for (const BenchRequest& request : admin_.bench_requests) {
    const bool sink = request.port() == "right";
    EXPECT_EQ(request.peer_ip(), sink ? "198.18.0.1" : "198.18.0.2");
    EXPECT_EQ(request.clocks_synchronised(), sink);
    EXPECT_EQ(request.key(), admin_.bench_requests[0].key());
    EXPECT_EQ(request.residual_ns(), sink ? 2'000'000'000u : 0u);
  }
}

TEST_F(Rfc2544CommandTest, TablesTeachAndPipedOutputIsQuiet) {
  Use(0.62 * 1e9 / 8 / 84);
  ASSERT_EQ(RunQuick({"--state", state_, "--trial", "2s"}), ExitCode::kOk) << err_.str();
  for (const char* text :
       {"takes      at most", "state", "THROUGHPUT", "26.1", "the DUT", "the line rate", "LATENCY",
        "FRAME LOSS", "BACK-TO-BACK", "RFC 9004", "trials: 2 s, shorter than the 60 s",
        "2 latency trials, fewer than the 20", "departure time stamp"}) {
    EXPECT_TRUE(OutHas(text)) << text << "\n" << out_.str();
  }
  EXPECT_EQ(err_.str(), "");
  EXPECT_FALSE(OutHas("trial 1"));
}

TEST_F(Rfc2544CommandTest, ThePageNeedsNothingElse) {
  const std::string page = dir_.File("report.html");
  Use(0.62 * 1e9 / 8 / 84);
  ASSERT_EQ(RunQuick({"--state", state_, "--html", page}), ExitCode::kOk) << err_.str();
  std::stringstream text;
  text << std::ifstream(page).rdbuf();
  const std::string html = text.str();
  for (const char* part : {"<svg", "prefers-color-scheme: dark", "Throughput", "Latency",
                           "Frame loss rate", "Back-to-back", "theoretical", "All "}) {
    EXPECT_NE(html.find(part), std::string::npos) << part;
  }
  for (const char* outside :
       {"<script", "http://", "https://", "src=", "@import", "nan", "inf\""}) {
    EXPECT_EQ(html.find(outside), std::string::npos) << outside;
  }
}

TEST_F(Rfc2544CommandTest, AnInterruptedRunIsContinuedToTheSameResult) {
  Use(0.62 * 1e9 / 8 / 84);
  ASSERT_EQ(RunQuick({"--state", dir_.File("whole.json"), "--json"}), ExitCode::kOk) << err_.str();
  const Rfc2544Report whole = Json();
  admin_.SetBench([&interrupt = interrupt_, generated = std::make_shared<std::atomic<int>>(0),
                   through = Through(0.62 * 1e9 / 8 / 84)](bool sink, const BenchRequest& request) {
    if (!sink && ++*generated == 9) {
      kill(getpid(), SIGINT);
      while (!interrupt.requested()) usleep(1000);
    }
    return through(sink, request);
  });
  EXPECT_EQ(RunQuick({"--state", state_, "--json"}), ExitCode::kAborted);
  EXPECT_TRUE(ErrHas("8 trials are kept") && ErrHas("weir rfc2544 --resume " + state_))
      << err_.str();
  EXPECT_FALSE(Json().complete());
  EXPECT_EQ(LoadState(state_)->trials_size(), 8);

  Interrupt fresh;
  Use(0.62 * 1e9 / 8 / 84);
  out_.str("");
  const std::vector<std::string> again = {"--admin", socket_,    "rfc2544", "--resume",
                                          state_,    "--settle", "0s",      "--json"};
  EXPECT_EQ(RunCli(again, terminal_, out_, err_, &fresh), 0) << err_.str();
  const Rfc2544Report continued = Json();
  EXPECT_TRUE(continued.complete());
  ASSERT_EQ(continued.trials_size(), whole.trials_size());
  for (int i = 0; i < whole.trials_size(); ++i) {
    EXPECT_EQ(continued.trials(i).SerializeAsString(), whole.trials(i).SerializeAsString()) << i;
  }
  ASSERT_EQ(continued.results_size(), whole.results_size());
  EXPECT_EQ(continued.results(0).SerializeAsString(), whole.results(0).SerializeAsString());
}

TEST_F(Rfc2544CommandTest, AFinishedFileIsShownAgainWithoutATrial) {
  ASSERT_EQ(RunQuick({"--state", state_}), ExitCode::kOk) << err_.str();
  admin_.bench_requests.clear();
  EXPECT_EQ(Run({"--resume", state_, "--json"}), ExitCode::kOk) << err_.str();
  EXPECT_TRUE(Json().complete());
  EXPECT_TRUE(admin_.bench_requests.empty());
}

TEST_F(Rfc2544CommandTest, AFileOfOtherParametersIsRefusedByName) {
  ASSERT_EQ(RunQuick({"--state", state_}), ExitCode::kOk) << err_.str();
  EXPECT_EQ(Run({"--resume", state_, "--trial", "5s"}), ExitCode::kUsage);
  EXPECT_TRUE(ErrHas("--trial: ") && ErrHas("60.000 s") && ErrHas("leave the flag out"))
      << err_.str();
  EXPECT_EQ(RunQuick({"--state", state_}), ExitCode::kUsage);
  EXPECT_TRUE(ErrHas("--state: ") && ErrHas("exists")) << err_.str();
  EXPECT_EQ(Run({"--resume", state_, "--state", dir_.File("other")}), ExitCode::kUsage);
  EXPECT_TRUE(ErrHas("--state: ")) << err_.str();
  admin_.node.mutable_ports(0)->set_device("null:elsewhere");
  EXPECT_EQ(Run({"--resume", state_}), ExitCode::kUsage);
  EXPECT_TRUE(ErrHas("--out: ") && ErrHas("null:elsewhere")) << err_.str();
}

TEST_F(Rfc2544CommandTest, ADamagedFileIsRefused) {
  ASSERT_EQ(RunQuick({"--state", state_}), ExitCode::kOk) << err_.str();
  std::stringstream text;
  text << std::ifstream(state_).rdbuf();
  const std::string good = text.str();
  const auto changed = [&good](const std::string& from, const std::string& to) {
    std::string other = good;
    other.replace(other.find(from), from.size(), to);
    return other;
  };
  const std::pair<std::string, const char*> damages[] = {
      {good.substr(0, good.size() / 2), "damaged"},
      {"", "damaged"},
      {"\"text\"", "damaged"},
      {changed("\"format\":1", "\"format\":9"), "format"},
      {changed("\"resolution\":0.05", "\"resolution\":0"), "--resolution"},
      {changed("\"streams\":1", "\"streams\":0"), "--streams"},
      {changed("\"phase\":\"LEARNING_PHASE\"", "\"phase\":\"LATENCY_PHASE\""), "trial 1: phase"},
      {changed("\"line_bps\":1000000000", "\"line_bps\":0"), "--line-rate"},
      {changed("\"lost\":\"0\"", "\"lost\":\"1\""), "trial 1: lost"},
      {changed("\"trials\":", "\"tests_run\":"), "tests_run"}};
  for (const auto& [content, named] : damages) {
    const std::string file = dir_.Write("damaged.json", content);
    EXPECT_EQ(Run({"--resume", file}), ExitCode::kUsage) << named;
    EXPECT_TRUE(ErrHas("cannot be continued") && ErrHas(named)) << named << ": " << err_.str();
  }
  EXPECT_EQ(Run({"--resume", dir_.File("nowhere")}), ExitCode::kUsage);
  EXPECT_TRUE(ErrHas("cannot be read")) << err_.str();
  std::filesystem::create_directory(dir_.File("directory"));
  EXPECT_EQ(Run({"--resume", dir_.File("directory")}), ExitCode::kUsage);
}

TEST_F(Rfc2544CommandTest, PortsAndLineAreChecked) {
  EXPECT_EQ(Run({"--out", "nosuch", "--in", "right"}), ExitCode::kUsage);
  EXPECT_TRUE(ErrHas("--out: ") && ErrHas("nosuch") && ErrHas("left, right")) << err_.str();
  EXPECT_EQ(Run({"--out", "left", "--in", "right", "--ip", "6"}), ExitCode::kUsage);
  EXPECT_TRUE(ErrHas("no IPv6 address")) << err_.str();
  EXPECT_EQ(Run({"--out", "left", "--in", "right", "--line-rate", "2G"}), ExitCode::kUsage);
  EXPECT_TRUE(ErrHas("--line-rate: ") && ErrHas("1.000 Gbit/s")) << err_.str();
  EXPECT_EQ(Run({"--out", "left", "--in", "right", "--frame", "64,1519"}), ExitCode::kUsage);
  EXPECT_TRUE(ErrHas("--frame: 1519") && ErrHas("64 to 1518")) << err_.str();
  admin_.node.mutable_ports(0)->set_vlan(7);
  EXPECT_EQ(Run({"--out", "left", "--in", "right"}), ExitCode::kUsage);
  EXPECT_TRUE(ErrHas("--frame: 64") && ErrHas("68 to")) << err_.str();
  admin_.node.mutable_ports(0)->set_link_bps(0);
  EXPECT_EQ(Run({"--out", "left", "--in", "right"}), ExitCode::kUsage);
  EXPECT_TRUE(ErrHas("--line-rate: required") && ErrHas("\"left\"")) << err_.str();
}

TEST_F(Rfc2544CommandTest, AStateThatCannotBeKeptIsSaidBeforeAnyTrial) {
  EXPECT_EQ(RunQuick({"--state", dir_.File("no/such/place")}), ExitCode::kLocal);
  EXPECT_TRUE(ErrHas("no/such/place")) << err_.str();
  EXPECT_EQ(RunQuick({"--state", state_, "--html", dir_.File("no/page")}), ExitCode::kLocal);
  EXPECT_TRUE(ErrHas("--html")) << err_.str();
  EXPECT_TRUE(admin_.bench_requests.empty());
}

TEST_F(Rfc2544CommandTest, NothingThroughTheDutEndsTheRunAtTheLearningPhase) {
  Use(0);
  EXPECT_EQ(RunQuick({"--state", state_}), ExitCode::kAborted);
  EXPECT_TRUE(ErrHas("learning phase") && ErrHas("\"left\"") && ErrHas("--resume")) << err_.str();
  EXPECT_EQ(LoadState(state_)->trials_size(), 0);
}

TEST_F(Rfc2544CommandTest, ARefusalIsShownWithItsRule) {
  admin_.SetBench([](bool, const BenchRequest&) {
    RunTestUpdate update;
    update.mutable_rejection()->set_stage("capacity");
    update.mutable_rejection()->set_rule("bench_port");
    return update;
  });
  EXPECT_EQ(RunQuick({"--state", state_}), ExitCode::kRefused);
  EXPECT_TRUE(ErrHas("bench_port")) << err_.str();
}

TEST_F(Rfc2544CommandTest, HelpTeaches) {
  EXPECT_EQ(Run({"--help"}), ExitCode::kOk);
  for (const char* text : {"Examples:", "--resume", "--line-rate", "Exit codes", "DUT"}) {
    EXPECT_TRUE(OutHas(text)) << text;
  }
}

}  // namespace
}  // namespace weir::cli::rfc2544

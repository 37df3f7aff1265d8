#include "dataplane/options.h"

#include <gtest/gtest.h>

namespace weir::dataplane {
namespace {

Result<std::variant<Options, HelpText>> Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "weir-dataplane");
  return ParseOptions(static_cast<int>(arguments.size()), arguments.data());
}

TEST(Options, ReadsEveryFlag) {
  const auto parsed = Parse({"--port",
                             "p0=ring:,ip4=192.0.2.1/24",
                             "--port=p1=null:",
                             "--socket",
                             "/tmp/s",
                             "--socket-group",
                             "weir",
                             "--workers",
                             "2",
                             "--lcores",
                             "0-1",
                             "--main-cpus",
                             "0",
                             "--flows",
                             "1024",
                             "--histograms",
                             "16",
                             "--memory",
                             "128",
                             "--no-huge",
                             "--user",
                             "nobody",
                             "--log-level",
                             "debug"});
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  const auto& options = std::get<Options>(parsed.value());
  ASSERT_EQ(options.ports.size(), 2u);
  EXPECT_EQ(options.ports[1].name, "p1");
  EXPECT_EQ(options.socket, "/tmp/s");
  EXPECT_EQ(options.socket_group, "weir");
  EXPECT_EQ(options.workers_per_port, 2u);
  EXPECT_EQ(options.eal.worker_cpus, (std::vector<int>{0, 1}));
  EXPECT_EQ(options.eal.main_cpus, (std::vector<int>{0}));
  EXPECT_EQ(options.slots, 1024u);
  EXPECT_EQ(options.histograms, 16u);
  EXPECT_EQ(options.eal.memory_mb, 128u);
  EXPECT_TRUE(options.eal.no_huge);
  EXPECT_EQ(options.user, "nobody");
  EXPECT_EQ(options.eal.log_level, "debug");
}

TEST(Options, HelpTeachesByExample) {
  const auto parsed = Parse({"--help"});
  ASSERT_TRUE(parsed.ok());
  const std::string& text = std::get<HelpText>(parsed.value()).text;
  EXPECT_NE(text.find("--port p0=af_packet:eth1"), std::string::npos);
  EXPECT_NE(text.find("Exit codes"), std::string::npos);
}

TEST(Options, RefusesWhatItDoesNotUnderstand) {
  EXPECT_EQ(Parse({}).error().field, "--port");
  EXPECT_EQ(Parse({"--port", "p0=ring:,x=1"}).error().field, "--port p0.x");
  EXPECT_EQ(Parse({"--port", "p0=ring:", "--port", "p0=null:"}).error().field, "--port p0");
  EXPECT_EQ(Parse({"--port", "a=af_packet:e", "--port", "b=af_packet:e"}).error().field,
            "--port b");
  EXPECT_EQ(Parse({"--port", "p0=ring:", "--lcores", "1-"}).error().field, "--lcores");
  EXPECT_FALSE(Parse({"--port", "p0=ring:", "--workers", "0"}).ok());
  EXPECT_FALSE(Parse({"--port", "p0=ring:", "--flows", "-1"}).ok());
  EXPECT_FALSE(Parse({"--port", "p0=ring:", "--log-level", "loud"}).ok());
  EXPECT_FALSE(Parse({"--port", "p0=ring:", "--nope"}).ok());
  EXPECT_FALSE(Parse({"--port", "p0=ring:", "stray"}).ok());
}

}  // namespace
}  // namespace weir::dataplane

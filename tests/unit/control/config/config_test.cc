#include "control/config/config.h"

#include <gtest/gtest.h>

#include "tests/unit/control/config/temp_dir.h"

namespace weir::control {
namespace {

constexpr char kMinimal[] =
    "operator: \"Example Lab\"\ncontact: \"noc@example.net\"\npolicy_file: \"lab.textproto\"\n";

std::string Error(const std::string& text) {
  const TempDir dir;
  const std::string path = dir.Write("weir.textproto", text);
  const auto config = LoadConfig(path);
  if (config.ok()) return "";
  std::string message(config.status().message());
  EXPECT_EQ(message.rfind(path, 0), 0u) << message;
  return message.substr(path.size());
}

TEST(ConfigTest, FillsDefaults) {
  const TempDir dir;
  const auto config = LoadConfig(dir.Write("weir.textproto", kMinimal));
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->operator_(), "Example Lab");
  ASSERT_EQ(config->policy_file_size(), 1);
  EXPECT_EQ(config->policy_file(0), dir.File("lab.textproto"));
  EXPECT_EQ(config->store(), kDefaultStore);
  EXPECT_EQ(config->dataplane_socket(), kDefaultDataplaneSocket);
  EXPECT_EQ(config->admin_socket(), kDefaultAdminSocket);
  EXPECT_EQ(config->store_max_bytes(), kDefaultStoreMaxBytes);
  EXPECT_EQ(config->max_sessions(), kDefaultMaxSessions);
  EXPECT_FALSE(config->node().empty());
  EXPECT_TRUE(config->api().listen().empty());
  EXPECT_TRUE(config->metrics().listen().empty());
}

TEST(ConfigTest, ResolvesPathsAndPorts) {
  const TempDir dir;
  dir.Write("cert.pem", "x");
  dir.Write("key.pem", "x");
  const auto config = LoadConfig(dir.Write(
      "weir.textproto",
      std::string(kMinimal) +
          "store: \"/srv/weir.db\"\nadmin_socket: \"run/admin.sock\"\n"
          "api { listen: \"[::]\" tls_certificate: \"cert.pem\" tls_key: \"key.pem\" }\n"
          "metrics { listen: \"127.0.0.1\" }\nport { name: \"p0\" budget_bps: 1000000000 }\n"));
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->store(), "/srv/weir.db");
  EXPECT_EQ(config->admin_socket(), dir.File("run/admin.sock"));
  EXPECT_EQ(config->api().listen(), "[::]:4040");
  EXPECT_EQ(config->api().tls_key(), dir.File("key.pem"));
  EXPECT_EQ(config->metrics().listen(), "127.0.0.1:9990");
}

TEST(ConfigTest, UnknownFieldHasLineColumnAndWhatIsAllowed) {
  const std::string error = Error(std::string(kMinimal) + "  opertor: \"x\"\n");
  EXPECT_EQ(error.rfind(":4:3: ", 0), 0u) << error;
  EXPECT_NE(error.find("\"opertor\""), std::string::npos) << error;
  EXPECT_NE(error.find("allowed: operator, contact, node, policy_file"), std::string::npos)
      << error;
}

TEST(ConfigTest, UnknownNestedFieldListsItsOwnMessage) {
  const std::string error = Error(std::string(kMinimal) + "api {\n  tls_cert: \"x\"\n}\n");
  EXPECT_EQ(error.rfind(":5:3: ", 0), 0u) << error;
  EXPECT_NE(error.find("allowed: listen, tls_certificate, tls_key, tls_client_ca"),
            std::string::npos)
      << error;
}

TEST(ConfigTest, MalformedValueHasLineAndColumn) {
  EXPECT_EQ(Error(std::string(kMinimal) + "max_sessions: many\n").rfind(":4:15: ", 0), 0u);
  EXPECT_EQ(Error(std::string(kMinimal) + "max_sessions: -1\n").rfind(":4:15: ", 0), 0u);
  EXPECT_EQ(Error("operator: \"x\n").rfind(":1:", 0), 0u);
  EXPECT_EQ(Error("operator: \"a\" operator: \"b\"").rfind(":1:", 0), 0u);
}

TEST(ConfigTest, TextMustBeUtf8) {
  EXPECT_EQ(Error("# fine\n# \xC3\n"), ":2:3: not UTF-8 text");
  EXPECT_NE(Error("operator: \"\\377\"\ncontact: \"x\"\npolicy_file: \"p\"\n"), "");
}

TEST(ConfigTest, RequiredFieldsAreNamed) {
  EXPECT_EQ(Error("contact: \"c\" policy_file: \"p\"").rfind(": operator: required", 0), 0u);
  EXPECT_EQ(Error("operator: \"o\" policy_file: \"p\"").rfind(": contact: required", 0), 0u);
  EXPECT_EQ(Error("operator: \"o\" contact: \"c\"").rfind(": policy_file: required", 0), 0u);
  EXPECT_NE(Error("operator: \"o\" contact: \"c\" policy_file: \"p\" policy_file: \"./p\"")
                .find("p is named twice"),
            std::string::npos);
}

TEST(ConfigTest, ChecksWhatItNames) {
  const std::string minimal = kMinimal;
  EXPECT_NE(Error(minimal + "api { listen: \"example.net:4040\" }").find(": api.listen: "),
            std::string::npos);
  EXPECT_NE(Error(minimal + "notice_webhook: \"ftp://example.org\"").find(": notice_webhook: "),
            std::string::npos);
  EXPECT_NE(Error(minimal + "metrics { listen: \"::1\" }").find(": metrics.listen: "),
            std::string::npos);
  EXPECT_NE(Error(minimal + "api { listen: \"[::]\" tls_key: \"k\" }")
                .find(": api.tls_certificate: required"),
            std::string::npos);
  EXPECT_NE(Error(minimal + "client { ca: \"no-such.pem\" }").find(": client.ca: cannot read"),
            std::string::npos);
  EXPECT_NE(Error(minimal + "port { budget_bps: 1 }").find(": port[0].name: required"),
            std::string::npos);
  EXPECT_NE(Error(minimal + "port { name: \"a\" } port { name: \"a\" }")
                .find(": port[1].name: \"a\" has a budget already"),
            std::string::npos);
  EXPECT_NE(
      Error(minimal + "admin_socket: \"/" + std::string(108, 'x') + "\"").find(": admin_socket: "),
      std::string::npos);
}

TEST(ConfigTest, MissingFileIsNotFound) {
  const auto config = LoadConfig("/nonexistent/weir.textproto");
  EXPECT_TRUE(absl::IsNotFound(config.status())) << config.status();
}

}  // namespace
}  // namespace weir::control

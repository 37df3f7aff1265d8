#include "tests/export/postgres_cluster.h"

#include <gtest/gtest.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <vector>

#include "tests/export/exporter.h"

namespace weir::test {
namespace {

// The server refuses to run as root.
constexpr char kServerUser[] = "postgres";

std::string BinaryOf(const std::string& program) {
  const char* directory = std::getenv("POSTGRES_BIN");
  return (directory == nullptr ? "/usr/lib/postgresql/15/bin" : std::string(directory)) + "/" +
         program;
}

// `command` as the server's user, ended with this thread at the latest.
Process RunAsServer(std::vector<std::string> command, const std::string& log) {
  if (geteuid() != 0) {
    setenv("WEIR_TEST_COMMAND", command[0].c_str(), 1);
    command.erase(command.begin());
    return Process("WEIR_TEST_COMMAND", std::move(command), log);
  }
  const std::string user = kServerUser;
  std::vector<std::string> arguments{"--reuid=" + user, "--regid=" + user, "--clear-groups",
                                     "--pdeathsig=KILL"};
  arguments.insert(arguments.end(), command.begin(), command.end());
  setenv("WEIR_TEST_COMMAND", "/usr/bin/setpriv", 1);
  return Process("WEIR_TEST_COMMAND", std::move(arguments), log);
}

void GiveToServer(const std::string& path) {
  if (geteuid() != 0) return;
  const passwd* user = getpwnam(kServerUser);
  if (user == nullptr || chown(path.c_str(), user->pw_uid, user->pw_gid) != 0) {
    throw std::runtime_error(path + ": cannot be given to user postgres; is postgresql-15 there?");
  }
}

bool HasEnded(pid_t pid) {
  siginfo_t ended{};
  return waitid(P_PID, static_cast<id_t>(pid), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         ended.si_pid == pid;
}

std::vector<pid_t> ChildrenOf(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid) + "/children");
  std::vector<pid_t> children;
  for (pid_t child = 0; file >> child;) children.push_back(child);
  return children;
}

}  // namespace

PostgresCluster::PostgresCluster() {
  char name[] = "/tmp/weir-postgres-XXXXXX";
  if (mkdtemp(name) == nullptr) throw std::runtime_error("no directory for a cluster");
  directory_ = name;
  chmod(name, 0755);  // The socket is in it.
  GiveToServer(directory_);
  const std::string log = directory_ + "/initdb.log";
  const int status =
      RunAsServer({BinaryOf("initdb"), "--no-sync", "--pgdata", directory_ + "/data", "--username",
                   "postgres", "--auth", "trust", "--encoding", "UTF8", "--locale", "C"},
                  log)
          .Wait(120);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) throw std::runtime_error(ReadLog(log));
  std::ofstream(directory_ + "/data/pg_hba.conf") << "local all weir_export scram-sha-256\n"
                                                     "local all all trust\n";
  Start();
  const char* roles = std::getenv("WEIR_POSTGRES_ROLES");
  if (roles == nullptr) throw std::runtime_error("WEIR_POSTGRES_ROLES must name roles.sql");
  std::string sql = ReadLog(roles);
  const size_t meta = sql.find("\\set ON_ERROR_STOP on\n");  // For psql alone.
  if (meta != std::string::npos) sql.erase(meta, sizeof("\\set ON_ERROR_STOP on\n") - 1);
  Query("postgres", sql);
  Query("postgres", std::string("ALTER ROLE weir_export PASSWORD '") + kPassword + "'");
}

PostgresCluster::~PostgresCluster() {
  Kill();
  std::error_code none;
  std::filesystem::remove_all(directory_, none);
}

void PostgresCluster::Start() {
  // Until the last process of a killed server is gone, the next refuses.
  const bool started = Eventually([this] {
    const auto answers = [this] {
      return control::PostgresConnection::Open(Conninfo("postgres", "postgres"), "").ok();
    };
    if (server_ && !HasEnded(server_->pid())) return answers();
    server_.reset();
    // A kill takes from the kernel nothing that was written: it need not be synced.
    server_.reset(
        new Process(RunAsServer({BinaryOf("postgres"), "-D", directory_ + "/data", "-k", directory_,
                                 "-c", "listen_addresses=", "-c", "fsync=off"},
                                directory_ + "/server.log")));
    return false;
  });
  if (!started) throw std::runtime_error(ReadLog(directory_ + "/server.log"));
}

void PostgresCluster::Kill() {
  if (!server_) return;
  server_->Signal(SIGSTOP);  // It starts no more.
  const std::vector<pid_t> children = ChildrenOf(server_->pid());
  server_->Signal(SIGKILL);
  for (const pid_t child : children) kill(child, SIGKILL);
  server_->Wait();
  server_.reset();
}

std::string PostgresCluster::MakeDirectory(const std::string& name) const {
  const std::string path = directory_ + "/" + name;
  std::filesystem::create_directory(path);
  GiveToServer(path);
  return path;
}

std::string PostgresCluster::Conninfo(const std::string& database, const std::string& user) const {
  return "host=" + directory_ + " dbname=" + database + " user=" + user;
}

control::PostgresRows PostgresCluster::Query(const std::string& database, const std::string& sql,
                                             const std::string& user) const {
  auto connection = control::PostgresConnection::Open(Conninfo(database, user), "");
  EXPECT_TRUE(connection.ok()) << connection.status();
  if (!connection.ok()) return {};
  auto rows = connection->Execute(sql);
  EXPECT_TRUE(rows.ok()) << sql << ": " << rows.status();
  return rows.ok() ? *std::move(rows) : control::PostgresRows{};
}

std::string PostgresCluster::Value(const std::string& database, const std::string& sql,
                                   const std::string& user) const {
  const control::PostgresRows rows = Query(database, sql, user);
  return rows.empty() || rows[0].empty() ? "" : rows[0][0];
}

PostgresCluster& SharedCluster() {
  static PostgresCluster cluster;
  return cluster;
}

}  // namespace weir::test

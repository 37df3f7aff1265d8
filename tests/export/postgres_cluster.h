// A PostgreSQL server of the test's own: on a Unix socket, in a directory that goes with it.
#ifndef WEIR_TESTS_EXPORT_POSTGRES_CLUSTER_H_
#define WEIR_TESTS_EXPORT_POSTGRES_CLUSTER_H_

#include <memory>
#include <string>

#include "control/export/delivery/postgres_connection.h"
#include "tests/ipc/process.h"

namespace weir::test {

// Everybody is let in by name, but weir_export, who needs kPassword. It has Weir's roles.
class PostgresCluster {
 public:
  static constexpr char kPassword[] = "a secret of the test";

  PostgresCluster();  // Throws if there is no server to start.
  ~PostgresCluster();
  PostgresCluster(const PostgresCluster&) = delete;
  PostgresCluster& operator=(const PostgresCluster&) = delete;

  void Start();  // Returns when it answers.
  void Kill();   // SIGKILL to all of its processes.

  // A directory of the server's user.
  std::string MakeDirectory(const std::string& name) const;
  // "host=... dbname=... user=..."
  std::string Conninfo(const std::string& database, const std::string& user) const;
  // One statement, as the superuser or another; a failure is one of the test.
  control::PostgresRows Query(const std::string& database, const std::string& sql,
                              const std::string& user = "postgres") const;
  std::string Value(const std::string& database, const std::string& sql,
                    const std::string& user = "postgres") const;

 private:
  std::string directory_;
  std::unique_ptr<Process> server_;
};

// One for the whole test program: starting it takes seconds.
PostgresCluster& SharedCluster();

}  // namespace weir::test

#endif  // WEIR_TESTS_EXPORT_POSTGRES_CLUSTER_H_

// Real nats-servers with JetStream on loopback, and a look into their streams.
#ifndef WEIR_TESTS_EXPORT_NATS_CLUSTER_H_
#define WEIR_TESTS_EXPORT_NATS_CLUSTER_H_

#include <nats/nats.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/ipc/process.h"
#include "tests/unit/control/config/temp_dir.h"

namespace weir::test {

struct StreamEntry {
  std::string subject = {};
  std::string body = {};
  std::map<std::string, std::string> headers = {};
};

// Killed at its end.
class NatsCluster {
 public:
  // `settings`: more of each server's configuration. One node is a server without a cluster.
  explicit NatsCluster(int nodes = 3, const std::string& settings = "");
  ~NatsCluster();

  void Start(int node);
  void Kill(int node);  // SIGKILL.
  // JetStream answers, with all nodes.
  bool Ready();

  // `server: "nats://..."` of each node, for weir-export's configuration.
  std::string ServerFields(const std::string& scheme = "nats") const;
  // The node that leads the stream; -1: none now.
  int Leader(const std::string& stream);
  // Everything the stream has, as a consumer reads it.
  std::vector<StreamEntry> ReadAll(const std::string& stream);
  uint64_t Count(const std::string& stream);
  void Remove(const std::string& stream);
  // Removes one message as if the servers had lost it.
  bool Lose(const std::string& stream, const std::string& subject);
  // Creates a stream from these settings, the rest being as the library has it.
  bool Create(jsStreamConfig settings);
  bool SetMaxBytes(const std::string& stream, int64_t bytes);
  // Of all nodes' files, those in which this text stands.
  std::vector<std::string> FilesWith(const std::string& text) const;
  std::string Log(int node) const { return ReadLog(dir_.File("log" + std::to_string(node))); }

 private:
  jsCtx* JetStream();  // Connected to some node that runs.
  void Disconnect();

  const control::TempDir dir_;
  std::vector<int> ports_;
  std::vector<std::unique_ptr<Process>> servers_;  // Null: killed.
  natsConnection* connection_ = nullptr;
  jsCtx* jetstream_ = nullptr;
};

}  // namespace weir::test

#endif  // WEIR_TESTS_EXPORT_NATS_CLUSTER_H_

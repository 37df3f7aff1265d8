#include "tests/export/nats_cluster.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace weir::test {
namespace {

constexpr int64_t kAnswerMs = 5000;

// Different ones, free when asked.
std::vector<int> FreePorts(size_t count) {
  std::vector<int> sockets, ports;
  for (size_t i = 0; i < count; ++i) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    sockets.push_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    bind(sockets.back(), reinterpret_cast<sockaddr*>(&address), length);
    getsockname(sockets.back(), reinterpret_cast<sockaddr*>(&address), &length);
    ports.push_back(ntohs(address.sin_port));
  }
  for (const int socket : sockets) close(socket);
  return ports;
}

struct InfoDeleter {
  void operator()(jsStreamInfo* info) const { jsStreamInfo_Destroy(info); }
};

std::unique_ptr<jsStreamInfo, InfoDeleter> InfoOf(jsCtx* jetstream, const std::string& stream) {
  jsStreamInfo* info = nullptr;
  if (jetstream != nullptr) {
    js_GetStreamInfo(&info, jetstream, stream.c_str(), nullptr, nullptr);
  }
  return std::unique_ptr<jsStreamInfo, InfoDeleter>(info);
}

StreamEntry ToEntry(natsMsg* message) {
  StreamEntry entry{
      .subject = natsMsg_GetSubject(message),
      .body = {natsMsg_GetData(message), static_cast<size_t>(natsMsg_GetDataLength(message))}};
  const char** keys = nullptr;
  int count = 0;
  if (natsMsgHeader_Keys(message, &keys, &count) != NATS_OK) return entry;
  for (int i = 0; i < count; ++i) {
    const char* value = nullptr;
    if (natsMsgHeader_Get(message, keys[i], &value) == NATS_OK) entry.headers[keys[i]] = value;
  }
  free(keys);
  return entry;
}

}  // namespace

NatsCluster::NatsCluster(int nodes, const std::string& settings)
    : servers_(static_cast<size_t>(nodes)) {
  ports_ = FreePorts(static_cast<size_t>(2 * nodes));
  std::string routes;
  for (int i = 0; i < nodes; ++i) {
    absl::StrAppend(&routes, i == 0 ? "" : ", ",
                    "\"nats://127.0.0.1:", ports_[static_cast<size_t>(nodes + i)], "\"");
  }
  for (int i = 0; i < nodes; ++i) {
    std::string config =
        absl::StrCat("server_name: n", i, "\nlisten: \"127.0.0.1:", ports_[static_cast<size_t>(i)],
                     "\"\njetstream { store_dir: \"", dir_.File(absl::StrCat("data", i)),
                     "\", max_file_store: 4GB, max_memory_store: 64MB }\n", settings, "\n");
    if (nodes > 1) {
      absl::StrAppend(&config, "cluster { name: weir, listen: \"127.0.0.1:",
                      ports_[static_cast<size_t>(nodes + i)], "\", routes: [", routes, "] }\n");
    }
    dir_.Write(absl::StrCat("node", i, ".conf"), config);
    Start(i);
  }
}

NatsCluster::~NatsCluster() {
  Disconnect();
  for (int i = 0; i < static_cast<int>(servers_.size()); ++i) Kill(i);
}

void NatsCluster::Start(int node) {
  servers_[static_cast<size_t>(node)] = std::make_unique<Process>(
      "NATS_SERVER", std::vector<std::string>{"-c", dir_.File(absl::StrCat("node", node, ".conf"))},
      dir_.File(absl::StrCat("log", node)));
}

void NatsCluster::Kill(int node) {
  std::unique_ptr<Process>& server = servers_[static_cast<size_t>(node)];
  if (server == nullptr) return;
  server->Signal(SIGKILL);
  server->Wait();
  server.reset();
}

void NatsCluster::Disconnect() {
  jsCtx_Destroy(jetstream_);
  natsConnection_Destroy(connection_);
  jetstream_ = nullptr;
  connection_ = nullptr;
}

jsCtx* NatsCluster::JetStream() {
  if (connection_ != nullptr && natsConnection_Status(connection_) == NATS_CONN_STATUS_CONNECTED) {
    return jetstream_;
  }
  Disconnect();
  std::vector<std::string> urls;
  for (size_t i = 0; i < servers_.size(); ++i) {
    if (servers_[i] != nullptr) urls.push_back(absl::StrCat("nats://127.0.0.1:", ports_[i]));
  }
  std::vector<const char*> servers;
  for (const std::string& url : urls) servers.push_back(url.c_str());
  natsOptions* options = nullptr;
  natsOptions_Create(&options);
  natsOptions_SetServers(options, servers.data(), static_cast<int>(servers.size()));
  natsOptions_SetAllowReconnect(options, false);
  natsOptions_SetErrorHandler(
      options, [](natsConnection*, natsSubscription*, natsStatus, void*) {}, nullptr);
  const natsStatus status = natsConnection_Connect(&connection_, options);
  natsOptions_Destroy(options);
  if (status != NATS_OK) return nullptr;
  jsOptions js_options;
  jsOptions_Init(&js_options);
  js_options.Wait = kAnswerMs;
  natsConnection_JetStream(&jetstream_, connection_, &js_options);
  return jetstream_;
}

bool NatsCluster::Ready() {
  jsCtx* jetstream = JetStream();
  if (jetstream == nullptr) return false;
  // Takes a leader, and a place for each replica.
  const std::string name = "READY";
  const char* subjects[] = {"ready"};
  jsStreamConfig settings;
  jsStreamConfig_Init(&settings);
  settings.Name = name.c_str();
  settings.Subjects = subjects;
  settings.SubjectsLen = 1;
  settings.Replicas = static_cast<int64_t>(servers_.size());
  if (js_AddStream(nullptr, jetstream, &settings, nullptr, nullptr) != NATS_OK) return false;
  return js_DeleteStream(jetstream, name.c_str(), nullptr, nullptr) == NATS_OK;
}

std::string NatsCluster::ServerFields(const std::string& scheme) const {
  std::string fields;
  for (size_t i = 0; i < servers_.size(); ++i) {
    absl::StrAppend(&fields, "server: '", scheme, "://localhost:", ports_[i], "' ");
  }
  return fields;
}

int NatsCluster::Leader(const std::string& stream) {
  const auto info = InfoOf(JetStream(), stream);
  if (info == nullptr || info->Cluster == nullptr || info->Cluster->Leader == nullptr) return -1;
  const std::string leader = info->Cluster->Leader;  // n<node>
  return leader.empty() ? -1 : std::stoi(leader.substr(1));
}

uint64_t NatsCluster::Count(const std::string& stream) {
  const auto info = InfoOf(JetStream(), stream);
  return info == nullptr ? 0 : info->State.Msgs;
}

std::vector<StreamEntry> NatsCluster::ReadAll(const std::string& stream) {
  std::vector<StreamEntry> entries;
  const uint64_t count = Count(stream);
  natsSubscription* subscription = nullptr;
  jsSubOptions options;
  jsSubOptions_Init(&options);
  options.Stream = stream.c_str();
  options.Ordered = true;
  if (js_SubscribeSync(&subscription, JetStream(), ">", nullptr, &options, nullptr) != NATS_OK) {
    return entries;
  }
  while (entries.size() < count) {
    natsMsg* message = nullptr;
    if (natsSubscription_NextMsg(&message, subscription, kAnswerMs) != NATS_OK) break;
    entries.push_back(ToEntry(message));
    natsMsg_Destroy(message);
  }
  natsSubscription_Destroy(subscription);
  return entries;
}

void NatsCluster::Remove(const std::string& stream) {
  js_DeleteStream(JetStream(), stream.c_str(), nullptr, nullptr);
}

bool NatsCluster::Lose(const std::string& stream, const std::string& subject) {
  natsMsg* message = nullptr;
  if (js_GetLastMsg(&message, JetStream(), stream.c_str(), subject.c_str(), nullptr, nullptr) !=
      NATS_OK) {
    return false;
  }
  const uint64_t sequence = natsMsg_GetSequence(message);
  natsMsg_Destroy(message);
  return js_DeleteMsg(JetStream(), stream.c_str(), sequence, nullptr, nullptr) == NATS_OK;
}

bool NatsCluster::Create(jsStreamConfig settings) {
  return js_AddStream(nullptr, JetStream(), &settings, nullptr, nullptr) == NATS_OK;
}

bool NatsCluster::SetMaxBytes(const std::string& stream, int64_t bytes) {
  jsStreamInfo* info = nullptr;
  if (js_GetStreamInfo(&info, JetStream(), stream.c_str(), nullptr, nullptr) != NATS_OK) {
    return false;
  }
  info->Config->MaxBytes = bytes;
  const natsStatus status = js_UpdateStream(nullptr, JetStream(), info->Config, nullptr, nullptr);
  jsStreamInfo_Destroy(info);
  return status == NATS_OK;
}

std::vector<std::string> NatsCluster::FilesWith(const std::string& text) const {
  std::vector<std::string> found;
  std::error_code none;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir_.path(), none)) {
    if (!entry.is_regular_file(none)) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    std::ostringstream bytes;
    bytes << file.rdbuf();
    if (absl::StrContains(bytes.str(), text)) found.push_back(entry.path().string());
  }
  return found;
}

}  // namespace weir::test

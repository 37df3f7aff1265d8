#include "control/session/manager.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "control/session/activity.h"
#include "control/session/clock.h"
#include "control/session/end_reason.h"
#include "control/session/protocol.h"
#include "control/session/recovery.h"

namespace weir::control {
namespace {

namespace ms = measurement::v1;

constexpr std::chrono::milliseconds kHousekeepingPeriod{100};
constexpr std::chrono::seconds kRefreshPeriod{1};
// A node that starts without its dataplane ends what it left unfinished after this long.
constexpr std::chrono::seconds kRecoverWithout{10};
// A port that goes on sending what nobody admitted is told of once in this time.
constexpr std::chrono::minutes kStrayNoticePeriod{1};
constexpr size_t kNegotiators = 2;
constexpr size_t kQueuedNegotiations = 128;
constexpr uint32_t kDefaultListLimit = 100;
// Clocks of people who look at networks are not all exact.
constexpr int64_t kLookupSlackNs = int64_t{2} * 1'000'000'000;

std::string Prefixed(const std::string& ip, uint32_t prefix) {
  return ip.empty() ? "" : absl::StrCat(IpToText(ip), "/", prefix);
}

ms::NodePort ToNodePort(const dataplane::v1::PortInfo& info, const Segment& segment) {
  ms::NodePort port;
  port.set_name(info.name());
  port.set_device(info.device());
  port.set_driver(info.driver());
  std::vector<std::string> mac;
  for (const char byte : info.mac()) {
    mac.push_back(absl::StrCat(absl::Hex(static_cast<unsigned char>(byte), absl::kZeroPad2)));
  }
  port.set_mac(absl::StrJoin(mac, ":"));
  port.set_ip4(Prefixed(info.ip4(), info.prefix4()));
  port.set_ip6(Prefixed(info.ip6(), info.prefix6()));
  port.set_vlan(info.vlan());
  port.set_mtu(info.mtu());
  port.set_link_bps(info.link_bps());
  port.set_link_up(info.link_up());
  port.set_bench(info.bench());
  if (const std::optional<shm::PortCounters> counters = segment.Port(info.index())) {
    port.set_rx_packets(counters->rx_packets);
    port.set_tx_packets(counters->tx_packets);
    port.set_rx_missed(counters->rx_missed);
    port.set_rx_errors(counters->rx_errors);
    port.set_tx_errors(counters->tx_errors);
  }
  return port;
}

}  // namespace

SessionManager::SessionManager(Node node, const std::string& dataplane_socket)
    : node_(std::move(node)), use_(node_.admission, node_.store) {
  if (absl::Status status = use_.Restore(); !status.ok()) {
    spdlog::error("store: what quotas counted before cannot be read: {}",
                  std::string(status.message()));
  }
  dataplane_ = std::make_unique<Dataplane>(
      dataplane_socket,
      Dataplane::Callbacks{.flow_event =
                               [this](const dataplane::v1::FlowInfo& flow) {
                                 if (std::shared_ptr<Session> session =
                                         table_.Find(flow.session_id())) {
                                   session->mailbox().Post(FlowChanged{flow});
                                 }
                               },
                           .lost = [this] { table_.PostToAll([] { return DataplaneLost{}; }); }});
  node_.dataplane = dataplane_.get();
  node_.table = &table_;
  negotiations_ = std::make_unique<WorkQueue>(kNegotiators, kQueuedNegotiations);
  housekeeping_ = std::thread([this] { Housekeeping(); });
}

SessionManager::~SessionManager() {
  Drain();
  negotiations_.reset();
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const std::weak_ptr<LocalTest>& test : tests_) {
      if (std::shared_ptr<LocalTest> alive = test.lock()) alive->Cancel(end_reason::kShutdown);
    }
  }
  wake_.notify_all();
  housekeeping_.join();
  table_.PostToAll([] { return StopAsked{end_reason::kShutdown}; });
  JoinFinished(/*all=*/true);
  dataplane_.reset();
}

void SessionManager::StartThread(std::function<void()> work) {
  auto done = std::make_shared<std::atomic<bool>>(false);
  ++active_;
  std::lock_guard lock(mutex_);
  running_.push_back({std::thread([this, work = std::move(work), done]() mutable {
                        work();
                        work = nullptr;
                        --active_;
                        *done = true;
                        wake_.notify_all();
                      }),
                      done});
}

void SessionManager::JoinFinished(bool all) {
  std::list<Running> joinable;
  {
    std::lock_guard lock(mutex_);
    for (auto running = running_.begin(); running != running_.end();) {
      const auto next = std::next(running);
      if (all || *running->done) joinable.splice(joinable.end(), running_, running);
      running = next;
    }
    tests_.remove_if([](const std::weak_ptr<LocalTest>& test) { return test.expired(); });
  }
  for (Running& running : joinable) running.thread.join();
}

void SessionManager::Negotiate(ms::NegotiateRequest request, Caller caller,
                               const std::function<void(ms::NegotiateReply)>& reply) {
  const std::string peer = request.client_ends().empty() ? "" : request.client_ends(0).ip();
  // Copied into the work, so that the caller's message need not live on.
  auto work = [this, request = std::move(request), caller = std::move(caller), reply] {
    DoNegotiate(request, caller, reply);
  };
  if (negotiations_->Submit(std::move(work))) return;
  ms::NegotiateReply busy;
  *busy.mutable_rejection() = node_.admission->Reject(
      "capacity", "negotiations", "", "this server is negotiating as much as it can; try later");
  Keep(busy.rejection(), peer);
  reply(std::move(busy));
}

void SessionManager::Keep(const ms::Rejection& rejection, const std::string& peer) {
  node_.metrics->CountRejection(rejection.stage(), rejection.rule());
  node_.store->AuditRejection(rejection, peer);
}

void SessionManager::DoNegotiate(const ms::NegotiateRequest& request, const Caller& caller,
                                 const std::function<void(ms::NegotiateReply)>& reply) {
  ms::NegotiateReply answer;
  LookAtLinks();
  ServerSession::Outcome outcome =
      ServerSession::Negotiate(node_, request, caller, draining_.load());
  if (auto* rejection = std::get_if<ms::Rejection>(&outcome)) {
    Keep(*rejection, request.client_ends().empty() ? "" : request.client_ends(0).ip());
    WithoutSharedValues(rejection->mutable_trace());
    *answer.mutable_rejection() = std::move(*rejection);
    reply(std::move(answer));
    return;
  }
  std::shared_ptr<ServerSession> server =
      std::move(std::get<std::unique_ptr<ServerSession>>(outcome));
  *answer.mutable_grant() = server->grant();
  StartThread([server = std::move(server)] { server->Run(); });
  reply(std::move(answer));
}

absl::StatusOr<std::shared_ptr<Session>> SessionManager::AttachRun(const std::string& session_id,
                                                                   std::shared_ptr<PeerLink> link) {
  const std::optional<Uuid> id = Uuid::Parse(session_id);
  std::shared_ptr<Session> session = id.has_value() ? table_.Find(id->Bytes()) : nullptr;
  if (session == nullptr || session->role() != SessionRole::kServer) {
    return absl::NotFoundError(
        "start.session_id: no session of this server has this id; it may have ended, negotiate "
        "again");
  }
  if (!session->Attach(std::move(link))) {
    return absl::FailedPreconditionError(
        "start.session_id: the session was started before; negotiate a new one");
  }
  return session;
}

absl::StatusOr<ms::GetResultReply> SessionManager::GetResult(const std::string& session_id) {
  const std::optional<Uuid> id = Uuid::Parse(session_id);
  if (!id.has_value()) return absl::InvalidArgumentError("session_id: not a UUID");
  if (std::shared_ptr<Session> session = table_.FindRecent(*id)) return session->Result();
  ms::GetResultReply reply;
  for (const record::v1::Direction direction : {record::v1::DOWN, record::v1::UP}) {
    const std::string record_id = RecordId(*id, direction);
    absl::StatusOr<record::v1::Record> record = node_.store->GetRecord(record_id);
    if (absl::IsNotFound(record.status())) continue;
    if (!record.ok()) return record.status();
    reply.set_outcome(record->outcome());
    reply.set_end_reason(record->end_reason());
    reply.set_state(StateName(record->outcome() == record::v1::COMPLETED ? SessionState::kExported
                                                                         : SessionState::kAborted));
    reply.add_record_ids(record_id);
    *reply.add_results() = record->result();
  }
  if (reply.record_ids().empty()) {
    return absl::NotFoundError("session_id: this server has no result of that session");
  }
  return reply;
}

absl::StatusOr<ms::LookupReply> SessionManager::FindFlow(const ms::LookupRequest& packet) const {
  const absl::StatusOr<std::string> key = node_.lookup->KeyOf(packet);
  if (!key.ok()) return key.status();
  ms::LookupReply reply;
  const absl::StatusOr<std::string> session =
      node_.store->FindFlow(*key, static_cast<int64_t>(packet.at_unix_ns()), kLookupSlackNs);
  if (!session.ok() && !absl::IsNotFound(session.status())) return session.status();
  if (session.ok()) reply.set_session_id(*session);
  reply.set_node(node_.config->node());
  reply.set_operator_(node_.config->operator_());
  reply.set_contact(node_.config->contact());
  return reply;
}

absl::StatusOr<ms::LookupReply> SessionManager::Lookup(const ms::LookupRequest& packet,
                                                       const std::string& asker_ip) {
  if (absl::Status status = lookups_.Count(asker_ip, static_cast<int64_t>(NowUnixNs()));
      !status.ok()) {
    return status;
  }
  return FindFlow(packet);
}

absl::StatusOr<ms::PublicReport> SessionManager::GetRemoteReport(
    const ms::RemoteReportRequest& request) {
  absl::StatusOr<std::unique_ptr<Remote>> connected = node_.connect_remote(request.remote());
  if (!connected.ok()) return connected.status();
  return (*connected)->GetReport(request.report());
}

absl::StatusOr<ms::LookupReply> SessionManager::LookupFlow(const ms::LookupFlowRequest& request) {
  if (request.remote().address().empty()) return FindFlow(request.packet());
  absl::StatusOr<std::unique_ptr<Remote>> connected = node_.connect_remote(request.remote());
  if (!connected.ok()) return connected.status();
  return (*connected)->Lookup(request.packet());
}

ms::ServerInfo SessionManager::Info() const {
  const std::shared_ptr<const Policy> policy = node_.admission->policy();
  ms::ServerInfo info;
  info.set_protocol_version(kProtocolVersion);
  info.set_software("weir " WEIR_VERSION);
  info.set_node(node_.config->node());
  info.set_operator_(node_.config->operator_());
  info.set_contact(node_.config->contact());
  info.set_profile(policy->profile());
  info.set_policy_digest(policy->digest());
  info.set_notice(policy->notice());
  info.set_notice_digest(policy->notice_digest());
  for (const std::string& experiment : policy->ContactExperiments()) {
    const std::optional<ContactTerms> terms = policy->Contact(experiment);
    ms::ContactOffer* offer = info.add_contacts();
    offer->set_experiment(experiment);
    offer->set_public_key(terms->public_key);
    offer->set_max_bytes(terms->max_bytes);
    offer->set_keep_days(terms->keep_days);
  }
  *info.mutable_limits() = node_.admission->Limits();
  *info.mutable_clock() = ReadClockQuality();
  info.set_server_time_unix_ns(NowUnixNs());
  bool ip4 = false;
  bool ip6 = false;
  if (const std::shared_ptr<const PortTable> ports = dataplane_->ports()) {
    for (const dataplane::v1::PortInfo& port : ports->ports) {
      for (const std::string* ip : {&port.ip4(), &port.ip6()}) {
        if (ip->empty()) continue;
        ms::DataAddress* address = info.add_addresses();
        address->set_port(port.name());
        address->set_ip(IpToText(*ip));
      }
      ip4 |= !port.ip4().empty();
      ip6 |= !port.ip6().empty();
    }
  }
  if (ip4) info.add_capabilities("ipv4");
  if (ip6) info.add_capabilities("ipv6");
  info.add_capabilities("histogram");
  return info;
}

absl::StatusOr<std::shared_ptr<LocalTest>> SessionManager::RunTest(ms::RunTestRequest request,
                                                                   LocalTest::Sink sink,
                                                                   std::function<void()> done) {
  LookAtLinks();
  return StartTest(std::make_shared<ClientSession>(node_, std::move(request), std::move(sink)),
                   std::move(done));
}

absl::StatusOr<std::shared_ptr<LocalTest>> SessionManager::RunBench(BenchSession::End end,
                                                                    ms::BenchRequest request,
                                                                    LocalTest::Sink sink,
                                                                    std::function<void()> done) {
  LookAtLinks();
  return StartTest(std::make_shared<BenchSession>(node_, end, std::move(request), std::move(sink)),
                   std::move(done));
}

absl::StatusOr<std::shared_ptr<LocalTest>> SessionManager::StartTest(
    std::shared_ptr<LocalTest> test, std::function<void()> done) {
  {
    std::lock_guard lock(mutex_);
    if (tests_.size() >= node_.config->max_sessions()) {
      return absl::ResourceExhaustedError(
          absl::StrCat("this node already runs ", tests_.size(),
                       " tests (max_sessions in its configuration); try when one has ended"));
    }
    tests_.push_back(test);
  }
  StartThread([this, test, done = std::move(done)] {
    test->Run(draining_.load());
    done();
  });
  return test;
}

absl::StatusOr<ms::ServerInfo> SessionManager::GetRemoteInfo(const ms::RemoteServer& remote) {
  absl::StatusOr<std::unique_ptr<Remote>> connected = node_.connect_remote(remote);
  if (!connected.ok()) return connected.status();
  return (*connected)->GetServerInfo();
}

absl::StatusOr<std::vector<ms::SessionInfo>> SessionManager::List(bool active_only,
                                                                  uint32_t limit) {
  if (limit == 0) limit = kDefaultListLimit;
  std::vector<ms::SessionInfo> sessions;
  for (const std::shared_ptr<Session>& session : table_.Active())
    sessions.push_back(session->Info());
  // Ids are time-ordered: newest first.
  std::sort(sessions.begin(), sessions.end(),
            [](const auto& a, const auto& b) { return a.session_id() > b.session_id(); });
  if (sessions.size() < limit && !active_only) {
    absl::StatusOr<std::vector<FinishedSession>> finished =
        node_.store->ListFinished(limit - static_cast<uint32_t>(sessions.size()));
    if (!finished.ok()) return finished.status();
    for (const FinishedSession& session : *finished) {
      ms::SessionInfo& info = sessions.emplace_back();
      info.set_session_id(session.session_id);
      info.set_state(session.state);
      info.set_role(session.role);
      info.set_peer(session.peer);
      info.set_started_at(FormatTime(static_cast<uint64_t>(session.started_unix_ns)));
      info.set_end_reason(session.end_reason);
      info.set_admission_rule(session.admission_rule);
      ms::TestResult granted;
      if (granted.ParseFromString(session.granted)) *info.mutable_directions() = granted.granted();
    }
  }
  if (sessions.size() > limit) sessions.resize(limit);
  return sessions;
}

ms::NodeInfo SessionManager::NodeInfo() const {
  ms::NodeInfo node;
  *node.mutable_server() = Info();
  node.set_sessions_active(active_.load());
  node.set_records_stored(node_.store->RecordCount());
  node.set_draining(draining_.load());
  node.set_listen(node_.config->api().listen());
  if (node_.calibration != nullptr) {
    if (const auto calibration = node_.calibration->Get()) {
      *node.mutable_calibration() = *calibration;
    }
  }
  const std::shared_ptr<const PortTable> ports = dataplane_->ports();
  if (ports == nullptr) return node;
  node.set_dataplane_connected(true);
  node.set_dataplane_software(ports->connection->hello.software());
  node.set_dataplane_boot_id(ports->connection->hello.boot_id());
  for (const dataplane::v1::PortInfo& info : ports->ports)
    *node.add_ports() = ToNodePort(info, *ports->connection->segment);
  return node;
}

ms::NodeActivity SessionManager::Activity() const {
  ms::NodeActivity activity;
  activity.set_at_unix_ns(NowUnixNs());
  for (const std::shared_ptr<Session>& session : table_.Active()) {
    *activity.add_sessions() = session->Info();
  }
  if (const std::shared_ptr<const PortTable> ports = dataplane_->ports()) {
    ReadActivity(*ports, &activity);
  }
  return activity;
}

absl::StatusOr<std::string> SessionManager::SetCalibration(ms::Calibration calibration) {
  if (node_.calibration == nullptr) return absl::UnimplementedError("nowhere to keep it");
  calibration.set_software("weir " WEIR_VERSION);
  calibration.set_measured_at(FormatTime(NowUnixNs()));
  if (absl::Status status = node_.calibration->Set(std::move(calibration)); !status.ok()) {
    return status;
  }
  return node_.calibration->file();
}

absl::Status SessionManager::Health() const {
  if (draining_.load()) return absl::UnavailableError("draining");
  if (dataplane_->ports() == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("the dataplane is not connected: ", dataplane_->client().last_error()));
  }
  if (node_.store->Full()) return absl::ResourceExhaustedError("the store is full");
  return node_.store->Health();
}

void SessionManager::AwaitDataplane(std::chrono::milliseconds limit) const {
  const auto until = std::chrono::steady_clock::now() + limit;
  while (dataplane_->ports() == nullptr && !dataplane_->client().has_failed() &&
         std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

void SessionManager::Drain() {
  if (!draining_.exchange(true)) spdlog::info("draining: no new sessions");
  node_.metrics->SetDraining(true);
}

void SessionManager::Housekeeping() {
  using Steady = std::chrono::steady_clock;
  const Steady::time_point started = Steady::now();
  Steady::time_point refresh_at = started;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    JoinFinished(/*all=*/false);
    if (dataplane_->Untaken() != nullptr) TakeOverDataplane();
    const Steady::time_point now = Steady::now();
    if (!recovered_ && now > started + kRecoverWithout) {
      recovered_ = true;
      if (absl::Status status = FinishWithoutDataplane(node_); !status.ok()) {
        spdlog::error("store: {}", std::string(status.message()));
      }
    }
    if (now >= refresh_at) {
      refresh_at = now + kRefreshPeriod;
      if (dataplane_->ports() != nullptr) RefreshPortsOrWarn();
      UpdateMetrics();
    } else {
      LookAtLinks();
    }
    lock.lock();
    wake_.wait_for(lock, kHousekeepingPeriod);
  }
}

void SessionManager::TakeOverDataplane() {
  const std::shared_ptr<const Connection> connection = dataplane_->Untaken();
  if (connection == nullptr) return;
  absl::Status status = TakeOver(
      node_, connection,
      [this](const std::string& session) { return table_.Find(session) != nullptr; }, !recovered_);
  if (status.ok()) {
    recovered_ = true;
    status = RefreshPorts();
  }
  if (!status.ok() && !absl::IsUnavailable(status)) {
    spdlog::error("dataplane: cannot be taken over: {}", std::string(status.message()));
  }
}

absl::Status SessionManager::RefreshPorts() {
  if (absl::Status status = dataplane_->RefreshPorts(); !status.ok()) return status;
  const std::shared_ptr<const PortTable> ports = dataplane_->ports();
  if (ports == nullptr) return absl::OkStatus();
  std::vector<PortCapacity> capacities;
  for (const dataplane::v1::PortInfo& port : ports->ports) {
    capacities.push_back({.name = port.name(),
                          .link_bps = port.link_bps(),
                          .mtu = port.mtu(),
                          .link_up = port.link_up()});
  }
  node_.admission->SetPorts(std::move(capacities));
  return absl::OkStatus();
}

void SessionManager::RefreshPortsOrWarn() {
  if (absl::Status status = RefreshPorts(); !status.ok()) {
    spdlog::warn("dataplane: {}", std::string(status.message()));
  }
}

void SessionManager::LookAtLinks() {
  const std::shared_ptr<const PortTable> ports = dataplane_->ports();
  if (ports == nullptr) return;
  const bool may_differ =
      std::any_of(ports->ports.begin(), ports->ports.end(), [&](const auto& port) {
        if (!port.link_up()) return true;  // The counters are slower to say that it came up.
        const auto counters = ports->connection->segment->Port(port.index());
        return counters.has_value() && counters->link_up == 0;
      });
  if (may_differ) RefreshPortsOrWarn();
}

void SessionManager::UpdateMetrics() {
  Metrics& metrics = *node_.metrics;
  metrics.SetSessionsActive(active_.load());
  metrics.SetStore(node_.store->SizeBytes(), node_.config->store_max_bytes(),
                   node_.store->RecordCount(), node_.store->Full());
  if (const auto backlogs = node_.store->ListBacklogs(); backlogs.ok()) {
    for (const Backlog& one : *backlogs) metrics.SetBacklog(one.destination, one.behind, one.dead);
  }
  const std::shared_ptr<const PortTable> ports = dataplane_->ports();
  metrics.SetDataplaneConnected(ports != nullptr);
  if (ports == nullptr) return;
  const Segment& segment = *ports->connection->segment;
  for (const dataplane::v1::PortInfo& port : ports->ports) {
    const std::optional<shm::PortCounters> counters = segment.Port(port.index());
    if (!counters.has_value()) continue;
    use_.Observe(port.name(), ports->connection->hello.boot_id(), counters->tx_bytes);
    metrics.SetPort(port.name(), {.rx_packets = counters->rx_packets,
                                  .rx_bytes = counters->rx_bytes,
                                  .tx_packets = counters->tx_packets,
                                  .tx_bytes = counters->tx_bytes,
                                  .rx_missed = counters->rx_missed,
                                  .rx_errors = counters->rx_errors,
                                  .tx_errors = counters->tx_errors,
                                  .link_up = counters->link_up != 0});
  }
  LookForStrayEgress(*ports);
  if (worker_samples_of_ != ports->connection->number) {
    worker_samples_of_ = ports->connection->number;
    worker_samples_.assign(segment.header().workers, std::nullopt);
  }
  for (uint32_t worker = 0; worker < segment.header().workers; ++worker) {
    const std::optional<shm::WorkerCounters> now = segment.Worker(worker);
    const std::optional<shm::WorkerCounters> before = std::exchange(worker_samples_[worker], now);
    if (!now.has_value() || !before.has_value()) continue;
    const uint64_t busy = now->busy_cycles - before->busy_cycles;
    const uint64_t all = busy + now->idle_cycles - before->idle_cycles;
    if (all > 0) {
      metrics.SetWorkerBusy(worker, static_cast<double>(busy) / static_cast<double>(all));
    }
  }
}

void SessionManager::LookForStrayEgress(const PortTable& ports) {
  const Segment& segment = *ports.connection->segment;
  const auto now = std::chrono::steady_clock::now();
  for (const dataplane::v1::PortInfo& port : ports.ports) {
    // The flows after the port: they can only be further than it knew of.
    const std::optional<shm::PortCounters> sent = segment.Port(port.index());
    if (!sent.has_value()) continue;
    uint64_t flow_packets = 0;
    bool stale = false;
    for (uint32_t worker = 0; worker < segment.header().workers; ++worker) {
      const std::optional<shm::WorkerCounters> counters = segment.Worker(worker);
      stale |= !counters.has_value();
      if (counters.has_value() && counters->port == port.index()) {
        flow_packets += counters->tx_packets;
      }
    }
    if (stale) continue;
    Watched& watched = watched_[port.name()];
    const std::optional<Unusual> unusual =
        watched.stray.Observe(sent->tx_packets, sent->tx_bytes, flow_packets, NowUnixNs(),
                              std::chrono::nanoseconds(now.time_since_epoch()).count());
    if (!unusual.has_value() || now < watched.quiet_until) continue;
    watched.quiet_until = now + kStrayNoticePeriod;
    node_.notices->Raise(*unusual, {.port = port.name(),
                                    .action = "none: no session of this node sends it; look for "
                                              "another program on that device"});
  }
}

}  // namespace weir::control

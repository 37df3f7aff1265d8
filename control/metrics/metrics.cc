#include "control/metrics/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <mutex>
#include <utility>

namespace weir::control {
namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Registry;

Family<Counter>& CounterFamily(Registry& registry, const char* name, const char* help) {
  return BuildCounter().Name(name).Help(help).Register(registry);
}

Gauge& SingleGauge(Registry& registry, const char* name, const char* help) {
  return BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

std::string Name(record::v1::Direction direction) {
  return direction == record::v1::DOWN ? "down" : "up";
}

// LIMIT_SENDER_CPU is "sender_cpu" here.
std::string Name(record::v1::Limit limit) {
  std::string name = record::v1::Limit_Name(limit);
  name.erase(0, std::string("LIMIT_").size());
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

// Audit events, and what of the families below counts them.
constexpr std::pair<const char*, const char*> kTransitions[] = {{"record_embargoed", "embargoed"},
                                                                {"record_released", "released"},
                                                                {"record_anonymised", "anonymised"},
                                                                {"record_address_erased", "erased"},
                                                                {"record_deleted", "deleted"}};
constexpr std::pair<const char*, const char*> kContactActions[] = {{"contact_kept", "kept"},
                                                                   {"contacts_read", "read"},
                                                                   {"contact_erased", "erased"},
                                                                   {"contact_expired", "expired"}};

}  // namespace

struct Metrics::Families {
  std::shared_ptr<Registry> registry = std::make_shared<Registry>();

  Family<Counter>& tests =
      CounterFamily(*registry, "weir_tests_total", "Directions tested, by how they ended.");
  Family<Counter>& rejections = CounterFamily(*registry, "weir_rejections_total",
                                              "Requests refused, by stage and rule of the policy.");
  Family<Counter>& limits = CounterFamily(*registry, "weir_test_limits_total",
                                          "Directions tested, by what limited the rate.");
  Family<Counter>& sent =
      CounterFamily(*registry, "weir_test_packets_sent_total", "Test packets the port accepted.");
  Family<Counter>& unsent = CounterFamily(*registry, "weir_test_packets_unsent_total",
                                          "Test packets due that never left the sender.");
  Family<Counter>& received = CounterFamily(*registry, "weir_test_packets_received_total",
                                            "Distinct test packets that arrived.");
  Family<Counter>& lost =
      CounterFamily(*registry, "weir_test_packets_lost_total", "Test packets that never arrived.");
  Family<Counter>& reordered = CounterFamily(*registry, "weir_test_packets_reordered_total",
                                             "Test packets reordered (RFC 4737).");
  Family<Counter>& duplicated = CounterFamily(*registry, "weir_test_packets_duplicated_total",
                                              "Copies of test packets (RFC 5560).");
  Family<Counter>& late = CounterFamily(*registry, "weir_test_packets_late_total",
                                        "Test packets beyond the duplicate window.");
  Family<Counter>& bytes = CounterFamily(*registry, "weir_test_received_ip_bytes_total",
                                         "Bytes of received test packets, IP layer.");

  Family<Counter>& unusual_activity =
      CounterFamily(*registry, "weir_unusual_activity_total",
                    "Notices that this node sent what nobody admitted, by trigger.");
  Family<Counter>& policy_reloads = CounterFamily(
      *registry, "weir_policy_reloads_total",
      "Reloads of the policy: applied, unchanged, or kept (the last good one stays in force).");
  Gauge& policy_current =
      SingleGauge(*registry, "weir_policy_current",
                  "0 from a reload that failed to the next good one: the files are not in force.");
  Gauge& policy_since = SingleGauge(*registry, "weir_policy_since_seconds",
                                    "Unix time at which the policy in force was applied.");
  Family<Gauge>& policy_info =
      BuildGauge()
          .Name("weir_policy_info")
          .Help("1, labelled with profile and digest of the policy in force.")
          .Register(*registry);
  std::mutex policy_mutex;
  Gauge* policy = nullptr;  // The one series of policy_info.

  Family<Counter>& audited = CounterFamily(*registry, "weir_audit_rows_total",
                                           "What the audit log has a row of, by event.");
  Family<Counter>& transitions =
      CounterFamily(*registry, "weir_record_transitions_total",
                    "Records that were embargoed, released, anonymised, had their client's address "
                    "erased, or were deleted by retention.");
  Family<Counter>& contacts = CounterFamily(
      *registry, "weir_contacts_total",
      "Sealed contact details that were kept, handed out (read), erased, or expired.");
  Family<Counter>& deliveries = CounterFamily(
      *registry, "weir_deliveries_total",
      "What a destination of weir-export settled: records and erasures, delivered or refused.");
  Family<Gauge>& backlog = BuildGauge()
                               .Name("weir_export_backlog_changes")
                               .Help("Changes of records a destination has not settled yet.")
                               .Register(*registry);
  Family<Gauge>& dead_letters = BuildGauge()
                                    .Name("weir_export_dead_letters")
                                    .Help("What a destination will never take.")
                                    .Register(*registry);
  Gauge& retention_held =
      SingleGauge(*registry, "weir_retention_held_records",
                  "Records that are due to be deleted and that a destination does not have yet.");

  Gauge& sessions =
      SingleGauge(*registry, "weir_sessions_active", "Sessions admitted and not yet ended.");
  Gauge& dataplane = SingleGauge(*registry, "weir_dataplane_connected",
                                 "1 while this control has the dataplane's seat.");
  Gauge& draining = SingleGauge(*registry, "weir_draining", "1 while no new session is admitted.");
  Gauge& store_bytes =
      SingleGauge(*registry, "weir_store_bytes", "Size of the store, its log included.");
  Gauge& store_max_bytes = SingleGauge(*registry, "weir_store_max_bytes",
                                       "High-water mark: above it no session is admitted.");
  Gauge& store_records = SingleGauge(*registry, "weir_store_records", "Records in the store.");
  Gauge& store_full = SingleGauge(*registry, "weir_store_full",
                                  "1 while the store admits no session: full or failing.");

  Family<Counter>& port_rx_packets =
      CounterFamily(*registry, "weir_port_rx_packets_total", "Packets the port received.");
  Family<Counter>& port_rx_bytes =
      CounterFamily(*registry, "weir_port_rx_bytes_total", "Bytes the port received.");
  Family<Counter>& port_tx_packets =
      CounterFamily(*registry, "weir_port_tx_packets_total", "Packets the port sent.");
  Family<Counter>& port_tx_bytes =
      CounterFamily(*registry, "weir_port_tx_bytes_total", "Bytes the port sent.");
  Family<Counter>& port_rx_missed = CounterFamily(*registry, "weir_port_rx_missed_total",
                                                  "Packets the port dropped for want of room.");
  Family<Counter>& port_rx_errors =
      CounterFamily(*registry, "weir_port_rx_errors_total", "Erroneous packets received.");
  Family<Counter>& port_tx_errors =
      CounterFamily(*registry, "weir_port_tx_errors_total", "Packets the port failed to send.");
  Family<Gauge>& port_link_up = BuildGauge()
                                    .Name("weir_port_link_up")
                                    .Help("1 while the port has a link.")
                                    .Register(*registry);
  Family<Gauge>& worker_busy = BuildGauge()
                                   .Name("weir_worker_busy_ratio")
                                   .Help("Share of time a dataplane worker was busy, 0 to 1.")
                                   .Register(*registry);

  std::mutex ports_mutex;
  std::map<std::string, PortCounters> ports;  // As last seen.
};

Metrics::Metrics(const std::string& version) : families_(std::make_unique<Families>()) {
  BuildGauge()
      .Name("weir_build_info")
      .Help("1, labelled with the version.")
      .Register(*families_->registry)
      .Add({{"version", version}})
      .Set(1);
  // Series exist before the first event, so that rates have a zero to start from.
  for (const char* direction : {"down", "up"}) {
    for (const char* status : {"completed", "aborted"}) {
      families_->tests.Add({{"direction", direction}, {"status", status}});
    }
  }
  for (const char* result : {"applied", "unchanged", "kept"}) {
    families_->policy_reloads.Add({{"result", result}});
  }
  for (const char* trigger : {"egress_without_session", "egress_over_budget", "load_to_unproven",
                              "sending_to_silent_peer"}) {
    families_->unusual_activity.Add({{"trigger", trigger}});
  }
  families_->policy_current.Set(1);
  for (const auto& [event, state] : kTransitions) families_->transitions.Add({{"state", state}});
  for (const auto& [event, action] : kContactActions) families_->contacts.Add({{"action", action}});
}

Metrics::~Metrics() = default;

void Metrics::CountAudited(const std::string& event, int64_t count) {
  const auto value = static_cast<double>(count);
  families_->audited.Add({{"event", event}}).Increment(value);
  for (const auto& [name, state] : kTransitions) {
    if (event == name) families_->transitions.Add({{"state", state}}).Increment(value);
  }
  for (const auto& [name, action] : kContactActions) {
    if (event == name) families_->contacts.Add({{"action", action}}).Increment(value);
  }
}

void Metrics::CountDelivery(const std::string& destination, bool erasure, bool refused) {
  families_->deliveries
      .Add({{"destination", destination},
            {"kind", erasure ? "erasure" : "record"},
            {"outcome", refused ? "refused" : "delivered"}})
      .Increment();
}

void Metrics::SetBacklog(const std::string& destination, int64_t behind, int64_t dead) {
  families_->backlog.Add({{"destination", destination}}).Set(static_cast<double>(behind));
  families_->dead_letters.Add({{"destination", destination}}).Set(static_cast<double>(dead));
}

void Metrics::ForgetBacklog(const std::string& destination) {
  const prometheus::Labels labels{{"destination", destination}};
  families_->backlog.Remove(&families_->backlog.Add(labels));
  families_->dead_letters.Remove(&families_->dead_letters.Add(labels));
}

void Metrics::SetRetentionHeld(int64_t records) {
  families_->retention_held.Set(static_cast<double>(records));
}

void Metrics::CountUnusualActivity(const std::string& trigger) {
  families_->unusual_activity.Add({{"trigger", trigger}}).Increment();
}

std::shared_ptr<Registry> Metrics::registry() const { return families_->registry; }

void Metrics::CountTest(record::v1::Direction direction, record::v1::Outcome outcome) {
  families_->tests
      .Add({{"direction", Name(direction)},
            {"status", outcome == record::v1::COMPLETED ? "completed" : "aborted"}})
      .Increment();
}

void Metrics::CountResult(const record::v1::DirectionResult& result) {
  const prometheus::Labels labels{{"direction", Name(result.direction())}};
  const auto add = [&](Family<Counter>& family, uint64_t count) {
    family.Add(labels).Increment(static_cast<double>(count));
  };
  add(families_->sent, result.sent());
  add(families_->unsent, result.unsent());
  add(families_->received, result.received());
  add(families_->lost, result.lost());
  add(families_->reordered, result.reordered());
  add(families_->duplicated, result.duplicated());
  add(families_->late, result.late());
  add(families_->bytes, result.received_ip_bytes());
}

void Metrics::CountLimit(record::v1::Limit limit) {
  families_->limits.Add({{"limit", Name(limit)}}).Increment();
}

void Metrics::CountRejection(const std::string& stage, const std::string& rule) {
  families_->rejections.Add({{"stage", stage}, {"rule", rule}}).Increment();
}

void Metrics::CountPolicyReload(const std::string& result) {
  families_->policy_reloads.Add({{"result", result}}).Increment();
}

void Metrics::SetPolicy(const std::string& profile, const std::string& digest,
                        double unix_seconds) {
  const std::lock_guard lock(families_->policy_mutex);
  if (families_->policy != nullptr) families_->policy_info.Remove(families_->policy);
  families_->policy = &families_->policy_info.Add({{"profile", profile}, {"digest", digest}});
  families_->policy->Set(1);
  families_->policy_since.Set(unix_seconds);
}

void Metrics::SetPolicyCurrent(bool current) { families_->policy_current.Set(current); }

void Metrics::SetSessionsActive(uint32_t sessions) { families_->sessions.Set(sessions); }

void Metrics::SetDataplaneConnected(bool connected) { families_->dataplane.Set(connected); }

void Metrics::SetDraining(bool draining) { families_->draining.Set(draining); }

void Metrics::SetStore(uint64_t bytes, uint64_t max_bytes, uint64_t records, bool full) {
  families_->store_bytes.Set(static_cast<double>(bytes));
  families_->store_max_bytes.Set(static_cast<double>(max_bytes));
  families_->store_records.Set(static_cast<double>(records));
  families_->store_full.Set(full);
}

void Metrics::SetPort(const std::string& port, const PortCounters& counters) {
  const std::lock_guard lock(families_->ports_mutex);
  const PortCounters before = std::exchange(families_->ports[port], counters);
  const auto add = [&](Family<Counter>& family, uint64_t now, uint64_t then) {
    // A smaller value means the dataplane began anew.
    family.Add({{"port", port}}).Increment(static_cast<double>(now < then ? now : now - then));
  };
  add(families_->port_rx_packets, counters.rx_packets, before.rx_packets);
  add(families_->port_rx_bytes, counters.rx_bytes, before.rx_bytes);
  add(families_->port_tx_packets, counters.tx_packets, before.tx_packets);
  add(families_->port_tx_bytes, counters.tx_bytes, before.tx_bytes);
  add(families_->port_rx_missed, counters.rx_missed, before.rx_missed);
  add(families_->port_rx_errors, counters.rx_errors, before.rx_errors);
  add(families_->port_tx_errors, counters.tx_errors, before.tx_errors);
  families_->port_link_up.Add({{"port", port}}).Set(counters.link_up);
}

void Metrics::SetWorkerBusy(uint32_t worker, double busy) {
  families_->worker_busy.Add({{"worker", std::to_string(worker)}}).Set(busy);
}

}  // namespace weir::control

// What Prometheus sees. No metric carries an address, a session or an identity.
#ifndef WEIR_CONTROL_METRICS_METRICS_H_
#define WEIR_CONTROL_METRICS_METRICS_H_

#include <cstdint>
#include <memory>
#include <string>

#include "record/v1/record.pb.h"

namespace prometheus {
class Registry;
}

namespace weir::control {

// Thread-safe; every call is cheap enough for a session's path (not for a packet's).
class Metrics {
 public:
  explicit Metrics(const std::string& version);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // weir_tests_total{direction,status}: status "completed" or "aborted".
  void CountTest(record::v1::Direction direction, record::v1::Outcome outcome);
  // Adds the counters of a finished direction.
  void CountResult(const record::v1::DirectionResult& result);
  void CountRejection(const std::string& stage, const std::string& rule);
  void CountLimit(record::v1::Limit limit);

  // weir_unusual_activity_total{trigger}: in lower case, as the notice's.
  void CountUnusualActivity(const std::string& trigger);

  // weir_audit_rows_total{event}, and what else follows from it: transitions, contacts.
  void CountAudited(const std::string& event, int64_t count);
  // weir_deliveries_total{destination,kind,outcome}: one that weir-export settled.
  void CountDelivery(const std::string& destination, bool erasure, bool refused);
  void SetBacklog(const std::string& destination, int64_t behind, int64_t dead);
  void ForgetBacklog(const std::string& destination);
  // Records that are to be deleted and wait for a destination.
  void SetRetentionHeld(int64_t records);

  // weir_policy_reloads_total{result}: "applied", "unchanged", "kept".
  void CountPolicyReload(const std::string& result);
  // The policy in force since `unix_seconds`.
  void SetPolicy(const std::string& profile, const std::string& digest, double unix_seconds);
  // False from a failed reload to the next good one.
  void SetPolicyCurrent(bool current);

  void SetSessionsActive(uint32_t sessions);
  void SetDataplaneConnected(bool connected);
  void SetDraining(bool draining);
  void SetStore(uint64_t bytes, uint64_t max_bytes, uint64_t records, bool full);

  // Cumulative port counters as the dataplane publishes them, so that controllers that watch the
  // kernel's counters see a bypassed NIC as well.
  struct PortCounters {
    uint64_t rx_packets = 0, rx_bytes = 0, tx_packets = 0, tx_bytes = 0;
    uint64_t rx_missed = 0, rx_errors = 0, tx_errors = 0;
    bool link_up = false;
  };
  void SetPort(const std::string& port, const PortCounters& counters);
  // Share of time the worker was busy, 0..1.
  void SetWorkerBusy(uint32_t worker, double busy);

  std::shared_ptr<prometheus::Registry> registry() const;

 private:
  struct Families;
  std::unique_ptr<Families> families_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_METRICS_METRICS_H_

// What the links and the node have left, and the reservations that hold it.
#ifndef WEIR_CONTROL_ADMISSION_CAPACITY_H_
#define WEIR_CONTROL_ADMISSION_CAPACITY_H_

#include <array>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "control/admission/egress_meter.h"
#include "control/admission/observed_use.h"

namespace weir::control {

// One dataplane port as admission sees it.
struct PortCapacity {
  std::string name;
  uint64_t link_bps = 0;    // 0: the driver does not know.
  uint64_t budget_bps = 0;  // From the configuration; 0: the link's rate.
  uint32_t mtu = 0;         // IP bytes.
  bool link_up = true;

  // What all sessions together may use in each direction, IP layer bit/s. 0: unknown.
  uint64_t Budget() const { return budget_bps != 0 ? budget_bps : link_bps; }
  // Above this a request cannot be meant: refused rather than reduced.
  uint64_t Ceiling() const { return link_bps > budget_bps ? link_bps : budget_bps; }
};

enum class LinkSide { kTransmit = 0, kReceive = 1 };

// One session's mark on one quota, for the table and for the store.
struct UseCharge {
  UseKey key{};
  uint32_t day = 0;
  uint32_t not_before_unix_s = 0;
};

// What is in use, per port and direction and per rule. Thread-safe.
class Ledger {
 public:
  // Both sides at once or neither: a session that needs both never holds half.
  struct Claim {
    std::string port;
    std::array<uint64_t, 2> bps{};        // By LinkSide.
    std::vector<std::string> rules = {};  // Whose concurrency it counts towards.
    std::vector<UseCharge> charges = {};  // What quotas count it.
    uint32_t day = 0;
    uint64_t rate_bps = 0;        // Both directions.
    uint64_t held_bytes = 0;      // What it may move.
    int64_t until_steady_ns = 0;  // When it will have moved it, at the latest.
  };

  struct Usage {
    std::array<uint64_t, 2> bps{};
    uint32_t sessions = 0;
  };

  Usage PortUsage(const std::string& port) const;
  uint32_t RuleSessions(const std::string& rule) const;
  uint32_t Sessions() const;

  std::unique_lock<std::mutex> Lock() const { return std::unique_lock(mutex_); }
  // With Lock() held.
  Usage PortUsageLocked(const std::string& port) const;
  uint32_t RuleSessionsLocked(const std::string& rule) const;
  uint32_t SessionsLocked() const { return sessions_; }
  // False: too much is tracked already; nothing was added.
  bool AddLocked(const Claim& claim);

  // What quotas have seen.
  ObservedUse UseLocked(const UseKey& key, uint32_t day) const { return use_.Get(key, day); }
  uint64_t EgressLocked(const std::string& port, int64_t steady_ns) const;
  // What running sessions may still send from the port.
  double OutstandingEgressBitsLocked(const std::string& port, int64_t steady_ns) const;
  UseTable& use_locked() { return use_; }
  EgressMeter& egress_locked(const std::string& port) { return egress_[port]; }

  // `begun`: else it counts as no test. `moved_bytes`: what the session was seen to move.
  void Release(const Claim& claim, bool begun, uint64_t moved_bytes);

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Usage> ports_;
  std::map<std::string, uint32_t> rules_;
  uint32_t sessions_ = 0;
  UseTable use_;
  std::map<std::string, EgressMeter> egress_;
  struct Sending {
    std::string port;
    uint64_t bps;
    int64_t until_steady_ns;
  };
  std::list<Sending> sending_;
};

// Holds link budget and concurrency until destroyed. Move-only; outlives Admission safely.
class Reservation {
 public:
  Reservation() = default;
  Reservation(std::shared_ptr<Ledger> ledger, Ledger::Claim claim)
      : ledger_(std::move(ledger)), claim_(std::move(claim)) {}
  Reservation(Reservation&& other) noexcept { *this = std::move(other); }
  Reservation& operator=(Reservation&& other) noexcept;
  ~Reservation() { Release(); }

  // The session exists: from here on it is a test of its day, whatever becomes of it.
  void Commit() { begun_ = true; }
  // What it moved in the end; nothing unless said.
  void Settle(uint64_t moved_bytes) { moved_bytes_ = moved_bytes; }
  void Release();  // Idempotent.
  bool held() const { return ledger_ != nullptr; }

 private:
  std::shared_ptr<Ledger> ledger_;
  Ledger::Claim claim_;
  bool begun_ = false;
  uint64_t moved_bytes_ = 0;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_ADMISSION_CAPACITY_H_

// What the links and the node have left, and the reservations that hold it.
#ifndef WEIR_CONTROL_ADMISSION_CAPACITY_H_
#define WEIR_CONTROL_ADMISSION_CAPACITY_H_

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

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

// What is in use, per port and direction and per rule. Thread-safe.
class Ledger {
 public:
  // Both sides at once or neither: a session that needs both never holds half.
  struct Claim {
    std::string port;
    std::array<uint64_t, 2> bps{};        // By LinkSide.
    std::vector<std::string> rules = {};  // Whose concurrency it counts towards.
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
  void AddLocked(const Claim& claim);

  void Release(const Claim& claim);

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Usage> ports_;
  std::map<std::string, uint32_t> rules_;
  uint32_t sessions_ = 0;
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

  void Release();  // Idempotent.
  bool held() const { return ledger_ != nullptr; }

 private:
  std::shared_ptr<Ledger> ledger_;
  Ledger::Claim claim_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_ADMISSION_CAPACITY_H_

// Names refusals and reductions give when no rule of the policy file is the cause. No rule of a
// policy may take one.
#ifndef WEIR_CONTROL_ADMISSION_BUILT_IN_RULES_H_
#define WEIR_CONTROL_ADMISSION_BUILT_IN_RULES_H_

#include <array>
#include <string_view>

namespace weir::control {

inline constexpr char kDefaultDenyRule[] = "default_deny";  // No rule matched.
inline constexpr char kRequestFormRule[] = "request_form";  // The request makes no sense.
inline constexpr char kAccessTokenRule[] = "access_token";  // No issuer is configured.
inline constexpr char kOnePeerRule[] = "one_peer";          // One address a session.
inline constexpr char kNoticeRule[] = "notice";             // Not accepted, or an older one.
inline constexpr char kPortRule[] = "port";                 // No such port, or it has no link.
inline constexpr char kMetadataRule[] = "metadata";         // Too much, or personal.
inline constexpr char kContactRule[] = "contact";           // Not taken, or too much.
inline constexpr char kMtuRule[] = "mtu";
inline constexpr char kLinkRateRule[] = "link_rate";      // What the wire can carry.
inline constexpr char kLinkBudgetRule[] = "link_budget";  // What other sessions left of it.
inline constexpr char kMaxSessionsRule[] = "max_sessions";
inline constexpr char kDrainingRule[] = "draining";
inline constexpr char kStoreFullRule[] = "store_full";
inline constexpr char kTrackedUseRule[] = "tracked_use";  // Quotas count as much as they can.
inline constexpr char kLabOnlyRule[] = "lab_only";        // A command for a bench of one's own.
inline constexpr char kBenchPortRule[] = "bench_port";    // The port was not opened for that.

inline constexpr std::array<std::string_view, 17> kBuiltInRules{
    kDefaultDenyRule, kRequestFormRule, kAccessTokenRule, kOnePeerRule,    kNoticeRule,
    kPortRule,        kMtuRule,         kLinkRateRule,    kLinkBudgetRule, kMaxSessionsRule,
    kDrainingRule,    kStoreFullRule,   kTrackedUseRule,  kMetadataRule,   kLabOnlyRule,
    kBenchPortRule,   kContactRule};

}  // namespace weir::control

#endif  // WEIR_CONTROL_ADMISSION_BUILT_IN_RULES_H_

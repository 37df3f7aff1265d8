// The limit stage's second half: what was used before, and is being used now.
#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "control/admission/attempt.h"
#include "control/admission/request_form.h"

namespace weir::control {
namespace {

using policy::v1::Quota;

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kDaySeconds = 86'400;
// Intervals of a Poisson process, cut where they would make the mean of no use to anybody.
constexpr double kShortestGap = 0.1;
constexpr double kLongestGap = 2.5;

// What a scope is called.
struct ScopeTexts {
  const char* name;
  const char* prefix;  // Of its quota's fields.
  const char* words;   // Whom a refusal is about.
};

ScopeTexts TextsOf(policy::v1::Scope scope) {
  switch (scope) {
    case policy::v1::IDENTITY:
      return {"identity", "quota.identity.", "you"};
    case policy::v1::PREFIX:
      return {"prefix", "quota.prefix.", "your network (the /24 or /64 of your address)"};
    case policy::v1::EXPERIMENT:
      return {"experiment", "quota.experiment.", "this experiment"};
    default:
      return {"link", "quota.link.", "this link"};
  }
}

std::string Whom(const Quota& quota, std::string_view of_class) {
  return of_class.empty() ? TextsOf(quota.scope()).words
                          : absl::StrCat("class \"", std::string(of_class), "\"");
}

std::string Subject(const Quota& quota, const AdmissionSubject& subject, const std::string& port) {
  switch (quota.scope()) {
    case policy::v1::IDENTITY:
      return subject.identity;
    case policy::v1::PREFIX:
      return Network(subject.client).ToString();
    case policy::v1::EXPERIMENT:
      return subject.experiment;
    default:
      return port;
  }
}

std::string InTime(int64_t seconds) {
  if (seconds < 120) return absl::StrCat(seconds, " s");
  if (seconds < 7'200) return absl::StrCat((seconds + 59) / 60, " min");
  return absl::StrFormat("%.1f h", static_cast<double>(seconds) / 3'600);
}

uint64_t AskedBytes(const AdmissionGrant& grant) {
  double bytes = 0;
  for (const auto& direction : grant.directions) {
    const record::v1::TestParameters& parameters = direction.parameters();
    bytes += static_cast<double>(parameters.rate_bps()) / 8 *
             static_cast<double>(parameters.duration_ns()) / 1e9;
  }
  return static_cast<uint64_t>(bytes);
}

}  // namespace

std::string_view QuotaPrefix(const Quota& quota) { return TextsOf(quota.scope()).prefix; }

std::string ClassPrefix(const policy::v1::Class& of) {
  return absl::StrCat("class.", of.name(), ".");
}

std::vector<std::pair<const char*, Phrase>> QuotaLimits(const Quota& quota) {
  std::vector<std::pair<const char*, Phrase>> limits;
  const auto add = [&](const char* field, uint64_t limit, const char* form) {
    if (limit != 0) limits.emplace_back(field, Phrase{form, limit});
  };
  add("concurrent_sessions", quota.concurrent_sessions(), "< {n}");
  add("tests_a_day", quota.tests_a_day(), "< {n}");
  add("random_times", quota.random_times() ? quota.tests_a_day() : 0, "{n} a day on average");
  add("rate_bps", quota.rate_bps(), "<= {rate}");
  add("average_bps", quota.average_bps(), "<= {rate}");
  add("bytes_a_day", quota.bytes_a_day(), "<= {n}");
  return limits;
}

// With the ledger's lock held: what is judged here is taken before anybody else is judged.
bool Admission::CheckQuotas(Attempt* attempt, const PortCapacity& port) const {
  const int64_t now_ns = options_.unix_ns();
  attempt->now_unix_s = now_ns / kSecondNs;
  attempt->day = static_cast<uint32_t>(attempt->now_unix_s / kDaySeconds);
  for (size_t layer = 0; layer < attempt->rules.size(); ++layer) {
    const policy::v1::AdmissionRule& rule = *attempt->rules[layer];
    const std::string name = absl::StrCat(layer, "/", rule.name());
    const auto check = [&](QuotaUse use) {
      use.layer = layer;
      use.seen = ledger_->UseLocked(use.key, attempt->day);
      if (!CheckQuota(attempt, use)) return false;
      AddCaps(attempt, use, port);
      attempt->quotas.push_back(use);
      return true;
    };
    for (const Quota& quota : rule.quota()) {
      const UseKey key = MakeUseKey(name, TextsOf(quota.scope()).name,
                                    Subject(quota, attempt->subject, port.name));
      if (!check({.quota = &quota, .within = QuotaPrefix(quota), .key = key})) return false;
    }
    // Up to the root: what one class leaves the next may not.
    for (const policy::v1::Class* at : attempt->policy->layers()[layer]->ClassesOf(rule)) {
      const UseKey key = MakeUseKey(absl::StrCat(layer), "class", at->name());
      if (!check({.quota = &at->quota(),
                  .of_class = at->name(),
                  .within = attempt->grant.trace.Keep(ClassPrefix(*at)),
                  .key = key})) {
        return false;
      }
    }
  }
  return true;
}

Admission::Step Admission::QuotaStep(const Attempt& attempt, const QuotaUse& use, const char* field,
                                     const Phrase& value, const Phrase& limit) const {
  return {.stage = "limit",
          .rule = attempt.rules[use.layer]->name(),
          .field = field,
          .within = use.within,
          .value = value,
          .limit = limit,
          // What one identity or network used is its own; anything wider is everybody's. An
          // anonymous identity is.
          .shared = use.quota->scope() != policy::v1::PREFIX,
          .profile = attempt.Profile(use.layer)};
}

bool Admission::CheckQuota(Attempt* attempt, const QuotaUse& use) const {
  const Quota& quota = *use.quota;
  const std::string& rule = attempt->rules[use.layer]->name();
  const auto who = [&] { return Whom(quota, use.of_class); };
  if (quota.concurrent_sessions() != 0) {
    const Step step =
        QuotaStep(*attempt, use, "concurrent_sessions", {"{n} running", use.seen.sessions},
                  {"< {n}", quota.concurrent_sessions()});
    if (use.seen.sessions >= quota.concurrent_sessions()) {
      return Refuse(
          attempt, step,
          absl::StrCat("all ", quota.concurrent_sessions(), " sessions that rule \"", rule,
                       "\" allows ", who(), " at once are running; try when one has ended"));
    }
    attempt->Note(step);
  }
  const int64_t tomorrow_s = (int64_t{attempt->day} + 1) * kDaySeconds - attempt->now_unix_s;
  if (quota.tests_a_day() != 0) {
    const Step step = QuotaStep(*attempt, use, "tests_a_day", {"{n} today", use.seen.tests},
                                {"< {n}", quota.tests_a_day()});
    if (use.seen.tests >= quota.tests_a_day()) {
      return Refuse(
          attempt, step,
          absl::StrCat("all ", quota.tests_a_day(), " tests of today (UTC) that rule \"", rule,
                       "\" allows ", who(), " were made; try in ", InTime(tomorrow_s)));
    }
    attempt->Note(step);
  }
  if (quota.random_times()) {
    const int64_t wait_s = int64_t{use.seen.not_before_unix_s} - attempt->now_unix_s;
    const std::string too_soon = wait_s > 0 ? absl::StrCat(InTime(wait_s), " too soon") : "";
    const Step step = QuotaStep(*attempt, use, "random_times",
                                {.text = too_soon.empty() ? "due" : std::string_view(too_soon)},
                                {"{n} a day on average", quota.tests_a_day()});
    if (wait_s > 0) {
      return Refuse(attempt, step,
                    absl::StrCat("automated tests come at random (Poisson) times; the next one of ",
                                 who(), " may begin in ", InTime(wait_s)));
    }
    attempt->Note(step);
  }
  return true;
}

// What limits the rate; applied direction by direction once the rate is known.
void Admission::AddCaps(Attempt* attempt, const QuotaUse& use, const PortCapacity& port) const {
  const Quota& quota = *use.quota;
  if (quota.rate_bps() != 0) {
    attempt->caps.push_back({.use = use,
                             .field = "rate_bps",
                             .value = "{rate}, with {rate} in use",
                             .used_bps = use.seen.rate_bps,
                             .limit_bps = quota.rate_bps(),
                             .left_bps = quota.rate_bps() > use.seen.rate_bps
                                             ? quota.rate_bps() - use.seen.rate_bps
                                             : 0,
                             .egress_only = false});
  }
  if (quota.average_bps() == 0) return;
  // Bits the window has room for, less what left and what running sessions may still send in it.
  const double window_s = static_cast<double>(EgressMeter::kWindowNs) / 1e9;
  const double room = static_cast<double>(quota.average_bps()) * window_s;
  const double seen =
      8.0 * static_cast<double>(ledger_->EgressLocked(port.name, options_.steady_ns()));
  const double coming = ledger_->OutstandingEgressBitsLocked(port.name, options_.steady_ns());
  double seconds = 0;
  for (const auto& direction : attempt->grant.directions) {
    seconds = std::max(seconds, static_cast<double>(direction.parameters().duration_ns()) / 1e9);
  }
  const double left = std::max(room - seen - coming, 0.0) / std::max(seconds, 1e-9);
  constexpr double kMost = 1e18;
  attempt->caps.push_back({.use = use,
                           .field = "average_bps",
                           .value = "{rate}, with {rate} over 5 min",
                           .used_bps = static_cast<uint64_t>((seen + coming) / window_s),
                           .limit_bps = quota.average_bps(),
                           .left_bps = static_cast<uint64_t>(std::min(left, kMost)),
                           .egress_only = true});
}

// The rate shrinks to what each quota has left; below one packet a second and stream it is refused.
bool Admission::ApplyCaps(Attempt* attempt, const measurement::v1::DirectionRequest& granted,
                          bool egress, double least_bps, uint64_t* rate_bps) const {
  for (const RateCap& cap : attempt->caps) {
    if (cap.egress_only && !egress) continue;
    const std::string& rule = attempt->rules[cap.use.layer]->name();
    Step step = QuotaStep(*attempt, cap.use, cap.field, {cap.value, *rate_bps, cap.used_bps},
                          {"<= {rate}", cap.limit_bps});
    if (*rate_bps > cap.left_bps) {
      *rate_bps = cap.left_bps;
      step.verdict = policy::v1::REDUCED;
      AddReason(&attempt->grant.reduced_by, rule);
    }
    if (static_cast<double>(*rate_bps) < least_bps) {
      return Refuse(
          attempt, step,
          absl::StrCat("rule \"", rule, "\" allows ", Whom(*cap.use.quota, cap.use.of_class), " ",
                       RateText(cap.limit_bps),
                       cap.egress_only ? " on average over 5 minutes" : " at once",
                       ", and that is used up for ", DirectionName(granted.direction()),
                       "; try in a few minutes"));
    }
    attempt->Note(step);
  }
  return true;
}

// A quota of bytes is judged by all that was granted; it is refused rather than cut, since half
// a test is none.
bool Admission::CheckBytes(Attempt* attempt) const {
  const uint64_t asked = AskedBytes(attempt->grant);
  for (const QuotaUse& use : attempt->quotas) {
    const uint64_t limit = use.quota->bytes_a_day();
    if (limit == 0) continue;
    const uint64_t used = use.seen.bytes + use.seen.held_bytes;
    const Step step = QuotaStep(*attempt, use, "bytes_a_day",
                                {"{n} today, {n} asked for", used, asked}, {"<= {n}", limit});
    if (used > limit || asked > limit - used) {
      return Refuse(
          attempt, step,
          absl::StrCat("the test may move ", asked, " bytes, and ", used < limit ? limit - used : 0,
                       " of the ", limit, " that rule \"", attempt->rules[use.layer]->name(),
                       "\" allows ", Whom(*use.quota, use.of_class),
                       " today (UTC) are left; ask for less, or try tomorrow"));
    }
    attempt->Note(step);
  }
  return true;
}

// Enters what the session may use into the claim, and what it costs now into the grant.
void Admission::ClaimQuotas(Attempt* attempt, Ledger::Claim* claim) const {
  claim->held_bytes = AskedBytes(attempt->grant);
  claim->day = attempt->day;
  int64_t longest_ns = 0;
  for (const auto& direction : attempt->grant.directions) {
    claim->rate_bps += direction.parameters().rate_bps();
    longest_ns = std::max(longest_ns, static_cast<int64_t>(direction.parameters().duration_ns()));
  }
  claim->until_steady_ns = options_.steady_ns() + longest_ns;
  for (const QuotaUse& use : attempt->quotas) {
    UseCharge charge{.key = use.key, .day = attempt->day};
    if (use.quota->random_times()) {
      const double mean_s = static_cast<double>(kDaySeconds) / use.quota->tests_a_day();
      const double gap_s = mean_s * std::clamp(options_.exponential(), kShortestGap, kLongestGap);
      charge.not_before_unix_s =
          static_cast<uint32_t>(attempt->now_unix_s + static_cast<int64_t>(gap_s));
    }
    claim->charges.push_back(charge);
  }
}

}  // namespace weir::control

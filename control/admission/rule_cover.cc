#include "control/admission/rule_cover.h"

#include <algorithm>
#include <string>
#include <vector>

#include "control/admission/ip_address.h"

namespace weir::control {
namespace {

template <typename List>
bool Contains(const List& list, const std::string& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

// An empty list matches everything.
template <typename List>
bool ListCovers(const List& earlier, const List& later) {
  if (earlier.empty()) return true;
  return !later.empty() && std::all_of(later.begin(), later.end(), [&](const std::string& value) {
    return Contains(earlier, value);
  });
}

template <typename List>
std::vector<IpPrefix> Prefixes(const List& texts) {
  std::vector<IpPrefix> result;
  for (const std::string& text : texts) result.push_back(*IpPrefix::Parse(text));
  if (result.empty()) result = {*IpPrefix::Parse("0.0.0.0/0"), *IpPrefix::Parse("::/0")};
  return result;
}

template <typename List>
bool ClientsCover(const List& earlier, const List& later) {
  if (earlier.empty()) return true;
  const std::vector<IpPrefix> outer = Prefixes(earlier);
  const std::vector<IpPrefix> inner = Prefixes(later);
  return std::all_of(inner.begin(), inner.end(), [&](const IpPrefix& prefix) {
    return std::any_of(outer.begin(), outer.end(),
                       [&](const IpPrefix& candidate) { return candidate.Covers(prefix); });
  });
}

// Which of the possible requests a rule's directions match: bit 0 down only, 1 up only, 2 both.
unsigned DirectionSet(const policy::v1::AdmissionRule& rule) {
  const auto& listed = rule.match().direction();
  const bool down = Contains(listed, "down");
  const bool up = Contains(listed, "up");
  if (listed.empty() || (down && up)) return 7;
  const unsigned both = rule.effect() == policy::v1::DENY ? 4 : 0;
  return (down ? 1 : 2) | both;
}

}  // namespace

bool Covers(const policy::v1::AdmissionRule& earlier, const policy::v1::AdmissionRule& later) {
  const policy::v1::Match& outer = earlier.match();
  const policy::v1::Match& inner = later.match();
  return ClientsCover(outer.client(), inner.client()) &&
         ListCovers(outer.identity(), inner.identity()) &&
         ListCovers(outer.experiment(), inner.experiment()) &&
         ListCovers(outer.purpose(), inner.purpose()) &&
         (DirectionSet(later) & ~DirectionSet(earlier)) == 0;
}

bool Covers(const policy::v1::ExportRule& earlier, const policy::v1::ExportRule& later) {
  return ListCovers(earlier.match().experiment(), later.match().experiment()) &&
         ListCovers(earlier.match().admission_rule(), later.match().admission_rule());
}

bool HasExport(const policy::v1::Policy& policy, const policy::v1::AdmissionRule& admission) {
  const auto& experiments = admission.match().experiment();
  for (const policy::v1::ExportRule& rule : policy.export_()) {
    const auto& rules = rule.match().admission_rule();
    if (!rules.empty() && !Contains(rules, admission.name())) continue;
    const auto& listed = rule.match().experiment();
    const bool may_match = listed.empty() || experiments.empty() ||
                           std::any_of(listed.begin(), listed.end(), [&](const std::string& name) {
                             return Contains(experiments, name);
                           });
    if (!may_match) continue;
    if (rule.effect() == policy::v1::ALLOW) return true;
    if (ListCovers(listed, experiments)) return false;
  }
  return false;
}

}  // namespace weir::control

#include "control/admission/rule_cover.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "control/admission/ip_address.h"

namespace weir::control {
namespace {

using policy::v1::AdmissionRule;

// Beyond it, rules that only together hide another are not looked for.
constexpr size_t kMaxWork = 1'000'000;

template <typename List, typename Value>
bool Contains(const List& list, const Value& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

// An empty list matches everything.
template <typename List>
bool ListCovers(const List& earlier, const List& later) {
  if (earlier.empty()) return true;
  return !later.empty() && std::all_of(later.begin(), later.end(),
                                       [&](const auto& value) { return Contains(earlier, value); });
}

// A client has any number of AS numbers and roles.
bool WhoCovers(const policy::v1::Match& earlier, const policy::v1::Match& later) {
  return ListCovers(earlier.asn(), later.asn()) && ListCovers(earlier.role(), later.role());
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
unsigned DirectionSet(const AdmissionRule& rule) {
  const auto& listed = rule.match().direction();
  const bool down = Contains(listed, "down");
  const bool up = Contains(listed, "up");
  if (listed.empty() || (down && up)) return 7;
  const unsigned both = rule.effect() == policy::v1::DENY ? 4 : 0;
  return (down ? 1 : 2) | both;
}

}  // namespace

bool Covers(const AdmissionRule& earlier, const AdmissionRule& later) {
  const policy::v1::Match& outer = earlier.match();
  const policy::v1::Match& inner = later.match();
  return ClientsCover(outer.client(), inner.client()) &&
         ListCovers(outer.identity(), inner.identity()) &&
         ListCovers(outer.experiment(), inner.experiment()) &&
         ListCovers(outer.purpose(), inner.purpose()) && WhoCovers(outer, inner) &&
         (DirectionSet(later) & ~DirectionSet(earlier)) == 0;
}

bool Covers(const policy::v1::ExportRule& earlier, const policy::v1::ExportRule& later) {
  return ListCovers(earlier.match().experiment(), later.match().experiment()) &&
         ListCovers(earlier.match().admission_rule(), later.match().admission_rule());
}

bool HasExport(const policy::v1::Policy& policy, const AdmissionRule& admission) {
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

std::vector<uint32_t> CoverFinder::Overlapping(const AdmissionRule& rule) const {
  std::vector<uint32_t> found = any_client_;
  for (const IpPrefix& prefix : Prefixes(rule.match().client())) {
    clients_.VisitOverlaps(prefix, [&](uint32_t index) { found.push_back(index); });
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

std::vector<uint32_t> CoverFinder::FindTogether(const AdmissionRule& rule,
                                                const std::vector<uint32_t>& earlier) const {
  std::vector<const AdmissionRule*> rules;
  for (const uint32_t index : earlier) {
    rules.push_back(&policy_->admission(static_cast<int>(index)));
  }
  // Requests differ for these rules only in values the rules name, or in one they do not name.
  const auto values = [&](const auto& own, auto list_of) {
    std::set<std::string> all(own.begin(), own.end());
    if (own.empty()) {
      all.insert("");
      for (const AdmissionRule* other : rules) {
        const auto& list = list_of(*other);
        all.insert(list.begin(), list.end());
      }
    }
    return all;
  };
  const auto identity_of = [](const AdmissionRule& r) -> auto& { return r.match().identity(); };
  const auto experiment_of = [](const AdmissionRule& r) -> auto& { return r.match().experiment(); };
  const auto purpose_of = [](const AdmissionRule& r) -> auto& { return r.match().purpose(); };
  const std::set<std::string> identities = values(rule.match().identity(), identity_of);
  const std::set<std::string> experiments = values(rule.match().experiment(), experiment_of);
  const std::set<std::string> purposes = values(rule.match().purpose(), purpose_of);
  if (identities.size() * experiments.size() * purposes.size() * rules.size() > kMaxWork) return {};

  const auto matches = [](const auto& list, const std::string& value) {
    return list.empty() || Contains(list, value);
  };
  std::set<uint32_t> used;
  for (const std::string& identity : identities) {
    for (const std::string& experiment : experiments) {
      for (const std::string& purpose : purposes) {
        for (const unsigned directions : {1u, 2u, 4u}) {
          if ((DirectionSet(rule) & directions) == 0) continue;
          PrefixTrie clients;
          for (size_t i = 0; i < rules.size(); ++i) {
            const AdmissionRule& other = *rules[i];
            if (!matches(other.match().identity(), identity) ||
                !matches(other.match().experiment(), experiment) ||
                !matches(other.match().purpose(), purpose) ||
                !WhoCovers(other.match(), rule.match()) ||
                (DirectionSet(other) & directions) == 0) {
              continue;
            }
            used.insert(earlier[i]);
            for (const IpPrefix& prefix : Prefixes(other.match().client())) {
              clients.Insert(prefix, earlier[i]);
            }
          }
          for (const IpPrefix& prefix : Prefixes(rule.match().client())) {
            if (!clients.CoversAll(prefix)) return {};
          }
        }
      }
    }
  }
  return {used.begin(), used.end()};
}

std::vector<uint32_t> CoverFinder::Find(const AdmissionRule& rule) const {
  const std::vector<uint32_t> earlier = Overlapping(rule);
  for (const uint32_t other : earlier) {
    if (Covers(policy_->admission(static_cast<int>(other)), rule)) return {other};
  }
  return earlier.empty() ? std::vector<uint32_t>() : FindTogether(rule, earlier);
}

std::vector<std::string> CoverFinder::NamesHiding(const AdmissionRule& rule) const {
  std::vector<std::string> names;
  for (const uint32_t index : Find(rule)) {
    names.push_back(policy_->admission(static_cast<int>(index)).name());
  }
  return names;
}

void CoverFinder::Add(uint32_t index) {
  const AdmissionRule& rule = policy_->admission(static_cast<int>(index));
  if (rule.match().client().empty()) any_client_.push_back(index);
  for (const std::string& client : rule.match().client()) {
    clients_.Insert(*IpPrefix::Parse(client), index);
  }
}

}  // namespace weir::control

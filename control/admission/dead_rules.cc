#include "control/admission/dead_rules.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "control/admission/disclosure_ceiling.h"
#include "control/admission/disclosure_names.h"
#include "control/admission/rule_cover.h"

namespace weir::control {
namespace {

using policy::v1::AdmissionRule;
using policy::v1::DisclosureRule;
using policy::v1::ExportRule;
using Names = std::vector<std::string>;

// "a", "b" and 7 more.
std::string Quoted(const Names& names) {
  constexpr size_t kMost = 4;
  const size_t shown = std::min(names.size(), kMost);
  std::string text = absl::StrJoin(
      names.begin(), names.begin() + static_cast<long>(shown), ", ",
      [](std::string* out, const std::string& name) { absl::StrAppend(out, "\"", name, "\""); });
  if (shown < names.size()) absl::StrAppend(&text, " and ", names.size() - shown, " more");
  return text;
}

bool Contains(const Names& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// What an export rule names, and which sessions would have to be admitted for it to be reached.
struct Awaited {
  int export_rule = 0;
  const char* field = "";
  std::string name;
  Names admission_rules = {};         // None: any.
  Names experiments = {};             // Likewise.
  std::set<std::string> hiding = {};  // Rules that decide before those that would admit them.
};

std::vector<Awaited> AwaitedBy(const policy::v1::Policy& policy) {
  std::vector<Awaited> all;
  for (int i = 0; i < policy.export__size(); ++i) {
    const policy::v1::ExportMatch& match = policy.export_(i).match();
    const Names rules(match.admission_rule().begin(), match.admission_rule().end());
    const Names experiments(match.experiment().begin(), match.experiment().end());
    for (const std::string& name : experiments) {
      all.push_back({.export_rule = i,
                     .field = "match.experiment",
                     .name = name,
                     .admission_rules = rules,
                     .experiments = {name}});
    }
    for (const std::string& name : rules) {
      all.push_back({.export_rule = i,
                     .field = "match.admission_rule",
                     .name = name,
                     .admission_rules = {name},
                     .experiments = experiments});
    }
  }
  return all;
}

// True if the rule, the first that matches, admits some of what is awaited.
bool Admits(const AdmissionRule& rule, const CoverFinder& earlier, Awaited* awaited) {
  if (rule.effect() != policy::v1::ALLOW) return false;
  if (!awaited->admission_rules.empty() && !Contains(awaited->admission_rules, rule.name())) {
    return false;
  }
  AdmissionRule narrowed = rule;
  if (!awaited->experiments.empty()) {
    const auto& own = rule.match().experiment();
    narrowed.mutable_match()->clear_experiment();
    for (const std::string& name : awaited->experiments) {
      if (!own.empty() && std::find(own.begin(), own.end(), name) == own.end()) continue;
      narrowed.mutable_match()->add_experiment(name);
    }
    if (narrowed.match().experiment().empty()) return false;
  }
  const Names hiding = earlier.NamesHiding(narrowed);
  awaited->hiding.insert(hiding.begin(), hiding.end());
  return hiding.empty();
}

std::string WhyNot(const Awaited& awaited) {
  const std::string what =
      absl::StrCat(awaited.field, ": \"", awaited.name, "\" is never reached: ");
  constexpr char kRemedy[] = "; admit what it is for, or take it out";
  if (!awaited.hiding.empty()) {
    const Names hiding(awaited.hiding.begin(), awaited.hiding.end());
    return absl::StrCat(what, hiding.size() == 1 ? "admission rule " : "admission rules ",
                        Quoted(hiding), hiding.size() == 1 ? " decides" : " decide",
                        " before what would admit it", kRemedy);
  }
  if (awaited.admission_rules.empty()) {
    return absl::StrCat(what, "no admission rule admits that experiment", kRemedy);
  }
  return absl::StrCat(what, "admission rule", awaited.admission_rules.size() == 1 ? " " : "s ",
                      Quoted(awaited.admission_rules), " never",
                      awaited.admission_rules.size() == 1 ? " admits" : " admit",
                      awaited.experiments.empty()
                          ? " anything"
                          : absl::StrCat(" experiment ", Quoted(awaited.experiments)),
                      kRemedy);
}

// By position in the names; they are known ones.
template <typename All>
int Position(const All& names, const std::string& name) {
  return static_cast<int>(std::find(names.begin(), names.end(), name) - names.begin());
}

// No rule can let the role read anything of such records: of public ones not, and others are the
// operator's alone.
bool OutOfReach(const std::string& role, const std::string& state) {
  return DisclosureCeiling(static_cast<Role>(Position(kRoleNames, role)),
                           static_cast<record::v1::ReleaseState>(Position(kStateNames, state) + 1),
                           record::v1::PUBLIC)
      .Empty();
}

// Role, state, field.
using Cell = std::tuple<std::string, std::string, std::string>;

// What the rule allows.
std::set<Cell> CellsOf(const DisclosureRule& rule) {
  std::set<Cell> cells;
  for (const std::string& role : rule.role()) {
    for (const std::string& state : rule.state()) {
      if (OutOfReach(role, state)) continue;
      for (const std::string& field : rule.field()) cells.emplace(role, state, field);
    }
  }
  return cells;
}

bool Includes(const std::set<Cell>& all, const std::set<Cell>& some) {
  return std::includes(all.begin(), all.end(), some.begin(), some.end());
}

std::string WhyOutOfReach(const DisclosureRule& rule) {
  Names pairs;
  for (const std::string& role : rule.role()) {
    for (const std::string& state : rule.state()) {
      if (!OutOfReach(role, state)) continue;
      pairs.push_back(absl::StrCat("\"", role, "\" reading what is \"", state, "\""));
    }
  }
  if (pairs.empty()) return "";
  return absl::StrCat(
      absl::StrJoin(pairs, ", "),
      " is never reached: before its release a record is read by the researchers "
      "of its experiment and the operator alone, whatever a rule says; take it out");
}

// The others that together allow all the rule does: one if one is enough; none if it is needed.
Names Making(const std::vector<const DisclosureRule*>& others, const DisclosureRule& rule) {
  const std::set<Cell> cells = CellsOf(rule);
  if (cells.empty()) return {};
  std::set<Cell> together;
  Names names;
  for (const DisclosureRule* other : others) {
    const std::set<Cell> more = CellsOf(*other);
    if (Includes(more, cells)) return {other->name()};
    if (std::none_of(more.begin(), more.end(), [&](const Cell& c) { return cells.contains(c); })) {
      continue;
    }
    together.insert(more.begin(), more.end());
    names.push_back(other->name());
  }
  return Includes(together, cells) ? names : Names();
}

}  // namespace

std::vector<DeadRule> FindDeadExport(const policy::v1::Policy& policy) {
  std::vector<Awaited> awaited = AwaitedBy(policy);
  CoverFinder earlier(&policy);
  for (int i = 0; i < policy.admission_size() && !awaited.empty(); ++i) {
    std::erase_if(awaited,
                  [&](Awaited& one) { return Admits(policy.admission(i), earlier, &one); });
    earlier.Add(static_cast<uint32_t>(i));
  }
  std::vector<DeadRule> dead;
  for (const Awaited& one : awaited) {
    dead.push_back({.index = one.export_rule, .why = WhyNot(one)});
  }
  return dead;
}

std::vector<DeadRule> FindDeadDisclosure(const policy::v1::Policy& policy) {
  std::vector<DeadRule> dead;
  std::vector<const DisclosureRule*> needed;
  for (const DisclosureRule& rule : policy.disclosure()) needed.push_back(&rule);
  // Of two alike the later is the redundant one.
  for (int i = policy.disclosure_size() - 1; i >= 0; --i) {
    const DisclosureRule& rule = policy.disclosure(i);
    if (std::string why = WhyOutOfReach(rule); !why.empty()) {
      dead.push_back({.index = i, .why = std::move(why)});
    }
    std::vector<const DisclosureRule*> others = needed;
    std::erase(others, &rule);
    const Names making = Making(others, rule);
    if (making.empty()) continue;
    needed = std::move(others);
    dead.push_back({.index = i,
                    .why = absl::StrCat("never reached: ", Quoted(making),
                                        making.size() == 1 ? " allows" : " together allow",
                                        " all it allows; remove it")});
  }
  std::reverse(dead.begin(), dead.end());
  return dead;
}

}  // namespace weir::control

// Whether earlier rules leave anything for a later one to decide.
#ifndef WEIR_CONTROL_ADMISSION_RULE_COVER_H_
#define WEIR_CONTROL_ADMISSION_RULE_COVER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "control/admission/prefix_trie.h"
#include "policy/v1/policy.pb.h"

namespace weir::control {

// True if `earlier` matches everything `later` matches. Client prefixes must parse.
bool Covers(const policy::v1::AdmissionRule& earlier, const policy::v1::AdmissionRule& later);
bool Covers(const policy::v1::ExportRule& earlier, const policy::v1::ExportRule& later);

// True if some session under `admission` could be exported with a record.
bool HasExport(const policy::v1::Policy& policy, const policy::v1::AdmissionRule& admission);

// Finds the rules that leave nothing to those after them, by adding one rule after the other.
// Judges each against the earlier rules that share an address with it, so that a long list of
// separate prefixes costs no more than its length.
class CoverFinder {
 public:
  explicit CoverFinder(const policy::v1::Policy* policy) : policy_(policy) {}

  // Those added that together decide all that the rule matches: one if one is enough; none if
  // something is left.
  std::vector<uint32_t> Find(const policy::v1::AdmissionRule& rule) const;
  std::vector<std::string> NamesHiding(const policy::v1::AdmissionRule& rule) const;
  // Admission rule `index` of the policy; in order.
  void Add(uint32_t index);

 private:
  std::vector<uint32_t> Overlapping(const policy::v1::AdmissionRule& rule) const;
  std::vector<uint32_t> FindTogether(const policy::v1::AdmissionRule& rule,
                                     const std::vector<uint32_t>& earlier) const;

  const policy::v1::Policy* const policy_;
  PrefixTrie clients_;
  std::vector<uint32_t> any_client_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_ADMISSION_RULE_COVER_H_

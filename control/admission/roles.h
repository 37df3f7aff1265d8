// What a policy file's roles make of whoever asks.
#ifndef WEIR_CONTROL_ADMISSION_ROLES_H_
#define WEIR_CONTROL_ADMISSION_ROLES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "control/admission/asn_table.h"
#include "control/admission/ip_address.h"
#include "control/admission/prefix_trie.h"
#include "policy/v1/policy.pb.h"

namespace weir::control {

// Immutable once made, so any number of threads may read it.
class Roles {
 public:
  // Of a policy that is valid; it must outlive this.
  explicit Roles(const policy::v1::Policy* policy);

  // The names of the roles that this identity at this address, announced by `origin` (null: not
  // known), has; in the file's order.
  std::vector<std::string> Of(const std::string& identity, const IpAddress& client,
                              const Origin* origin) const;

 private:
  const policy::v1::Policy* const policy_;
  PrefixTrie clients_;  // Values are indexes of roles, once for each of their prefixes.
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_ADMISSION_ROLES_H_

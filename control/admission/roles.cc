#include "control/admission/roles.h"

#include <algorithm>

namespace weir::control {
namespace {

template <typename List, typename Value>
int Matching(const List& list, const Value& value) {
  return static_cast<int>(std::count(list.begin(), list.end(), value));
}

bool EnoughHold(policy::v1::Combine of, int holding, int all) {
  switch (of) {
    case policy::v1::ALL_OF:
      return holding == all;
    case policy::v1::ONE_OF:
      return holding == 1;
    case policy::v1::NONE_OF:
      return holding == 0;
    default:
      return holding > 0;
  }
}

}  // namespace

Roles::Roles(const policy::v1::Policy* policy) : policy_(policy) {
  for (int i = 0; i < policy_->role_size(); ++i) {
    for (const std::string& client : policy_->role(i).client()) {
      clients_.Insert(*IpPrefix::Parse(client), static_cast<uint32_t>(i));
    }
  }
}

std::vector<std::string> Roles::Of(const std::string& identity, const IpAddress& client,
                                   const Origin* origin) const {
  std::vector<std::string> held;
  std::vector<int> containing(static_cast<size_t>(policy_->role_size()));
  clients_.Lookup(client, [&](uint32_t role) { ++containing[role]; });
  for (int i = 0; i < policy_->role_size(); ++i) {
    const policy::v1::Role& role = policy_->role(i);
    int holding = containing[static_cast<size_t>(i)] + Matching(role.identity(), identity);
    for (const uint32_t asn : role.asn()) holding += IsOf(origin, asn) ? 1 : 0;
    for (const std::string& earlier : role.role()) holding += Matching(held, earlier);
    const int all = role.identity_size() + role.client_size() + role.asn_size() + role.role_size();
    if (EnoughHold(role.of(), holding, all)) held.push_back(role.name());
  }
  return held;
}

}  // namespace weir::control

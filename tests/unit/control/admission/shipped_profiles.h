// The shipped profiles, as they are or as tests/policy left them when it took a rule out.
#ifndef WEIR_TESTS_UNIT_CONTROL_ADMISSION_SHIPPED_PROFILES_H_
#define WEIR_TESTS_UNIT_CONTROL_ADMISSION_SHIPPED_PROFILES_H_

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "control/admission/policy.h"

namespace weir::control {

// "seed-2009", "mlab-2026" or "lab", of the directory $WEIR_POLICIES or else of deploy/policies.
// One that cannot be read fails the test and admits nobody.
inline std::shared_ptr<const Policy> ShippedProfile(const std::string& name) {
  const char* directory = std::getenv("WEIR_POLICIES");
  if (directory == nullptr) directory = WEIR_SOURCE_ROOT "/deploy/policies";
  const auto policy = LoadPolicy({std::string(directory) + "/" + name + ".textproto"});
  if (policy.ok()) return *policy;
  ADD_FAILURE() << policy.status();
  return *Policy::Parse("closed", "profile: 'lab'");
}

}  // namespace weir::control

#endif  // WEIR_TESTS_UNIT_CONTROL_ADMISSION_SHIPPED_PROFILES_H_

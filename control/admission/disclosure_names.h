// What disclosure rules call roles, states and fields.
#ifndef WEIR_CONTROL_ADMISSION_DISCLOSURE_NAMES_H_
#define WEIR_CONTROL_ADMISSION_DISCLOSURE_NAMES_H_

#include <array>

namespace weir::control {

// By disclosure_ceiling.h's Role, record.v1.ReleaseState from 1, and Field.
inline constexpr std::array<const char*, 5> kRoleNames{"public", "operator", "researcher",
                                                       "other_researcher", "partner"};
inline constexpr std::array<const char*, 4> kStateNames{"collected", "embargoed", "released",
                                                        "anonymised"};
inline constexpr std::array<const char*, 4> kFieldNames{"outline", "measurement", "metadata",
                                                        "client"};

}  // namespace weir::control

#endif  // WEIR_CONTROL_ADMISSION_DISCLOSURE_NAMES_H_

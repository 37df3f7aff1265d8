// Names of experiments, purposes and rules.
#ifndef WEIR_CONTROL_ADMISSION_LABEL_H_
#define WEIR_CONTROL_ADMISSION_LABEL_H_

#include <string_view>

#include "control/admission/signs.h"

namespace weir::control {

inline constexpr char kLabelForm[] =
    "1 to 64 letters, digits, '-', '_' or '.', and not the shape of a MAC address";

// Labels are published with the record, so they must have no room for personal data: no '@' of an
// e-mail address, no ':' or '/' of a URL, no six pairs of hex digits.
bool IsLabel(std::string_view text);
bool IsLabel(std::string_view text, const Signs& signs);  // The text's own, for who has them.

}  // namespace weir::control

#endif  // WEIR_CONTROL_ADMISSION_LABEL_H_

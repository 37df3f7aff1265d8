// Keeps personal data out of the free text that people may attach to a test.
#ifndef WEIR_CONTROL_ADMISSION_SCREENING_H_
#define WEIR_CONTROL_ADMISSION_SCREENING_H_

#include <google/protobuf/repeated_field.h>

#include <optional>
#include <string>
#include <string_view>

#include "record/v1/record.pb.h"

namespace weir::control {

inline constexpr int kMaxMetadataKeys = 50;
inline constexpr size_t kMaxMetadataValueBytes = 512;

// What the text has the shape of: "an e-mail address", "a URL", "a MAC address", "an IP address",
// "a telephone number"; null if of none. Percent-encoding hides nothing. Errs on the side of
// refusing: somebody can always write something else.
const char* FindPersonalShape(std::string_view text);

// What is wrong with a test's metadata, with the key and the remedy; nullopt if nothing is.
std::optional<std::string> FindMetadataFault(
    const google::protobuf::RepeatedPtrField<record::v1::Metadata>& metadata);

}  // namespace weir::control

#endif  // WEIR_CONTROL_ADMISSION_SCREENING_H_

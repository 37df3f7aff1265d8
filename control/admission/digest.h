// SHA-256, and "sha256:<hex>": how policies and notices are identified.
#ifndef WEIR_CONTROL_ADMISSION_DIGEST_H_
#define WEIR_CONTROL_ADMISSION_DIGEST_H_

#include <string>
#include <string_view>

namespace weir::control {

std::string Sha256(std::string_view bytes);  // 32 bytes.
std::string Sha256Digest(std::string_view bytes);

}  // namespace weir::control

#endif  // WEIR_CONTROL_ADMISSION_DIGEST_H_

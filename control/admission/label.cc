#include "control/admission/label.h"

#include <algorithm>
#include <cctype>

namespace weir::control {
namespace {

constexpr size_t kMaxLength = 64;

bool IsMacShape(std::string_view text) {
  size_t digits = 0;
  for (char c : text) {
    if (std::isxdigit(static_cast<unsigned char>(c))) {
      ++digits;
    } else if (c != '-' && c != '.' && c != '_') {
      return false;
    }
  }
  // aa-bb-cc-dd-ee-ff and aabb.ccdd.eeff; twelve bare digits may as well be a date and time.
  return digits == 12 && text.size() > 12;
}

}  // namespace

bool IsLabel(std::string_view text) {
  return !text.empty() && text.size() <= kMaxLength &&
         std::all_of(text.begin(), text.end(),
                     [](unsigned char c) {
                       return (std::isalnum(c) && c < 0x80) || c == '-' || c == '_' || c == '.';
                     }) &&
         !IsMacShape(text);
}

}  // namespace weir::control

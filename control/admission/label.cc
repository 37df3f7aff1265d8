#include "control/admission/label.h"

#include <algorithm>

namespace weir::control {
namespace {

constexpr size_t kMaxLength = 64;

// aa-bb-cc-dd-ee-ff and aabb.ccdd.eeff; twelve bare digits may as well be a date and time.
bool IsMacShape(std::string_view text, const Signs& signs) {
  return signs[Signs::kHex] == 12 && text.size() > 12 &&
         std::all_of(text.begin(), text.end(), [](char c) { return IsHex(c) || !IsAlpha(c); });
}

}  // namespace

bool IsLabel(std::string_view text) { return IsLabel(text, Signs(text)); }

bool IsLabel(std::string_view text, const Signs& signs) {
  return !text.empty() && text.size() <= kMaxLength && !signs.Has(Signs::kOutsideLabel) &&
         !IsMacShape(text, signs);
}

}  // namespace weir::control

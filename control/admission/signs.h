// What a text is made of, for those who judge its shape.
#ifndef WEIR_CONTROL_ADMISSION_SIGNS_H_
#define WEIR_CONTROL_ADMISSION_SIGNS_H_

#include <array>
#include <cstdint>
#include <functional>
#include <numeric>
#include <string_view>

namespace weir::control {

constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }
constexpr bool IsAlpha(char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }
constexpr bool IsAlnum(char c) { return IsDigit(c) || IsAlpha(c); }
constexpr bool IsHex(char c) { return IsDigit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }

// How many of each sign a text has, found in one pass. More than kMost count as kMost.
class Signs {
 public:
  enum Sign { kDigit, kHex, kDot, kColon, kAt, kPercent, kUnprintable, kOutsideLabel };
  static constexpr uint64_t kMost = 127;

  explicit Signs(std::string_view text) {
    while (!text.empty()) {
      const std::string_view part = text.substr(0, kMost);  // A byte holds twice as many.
      counts_ = std::transform_reduce(part.begin(), part.end(), counts_, std::plus(), [](char c) {
        return kWeights[static_cast<unsigned char>(c)];
      });
      const uint64_t above = counts_ & 0x8080'8080'8080'8080;
      counts_ = (counts_ | (above - (above >> 7))) & ~above;
      text.remove_prefix(part.size());
    }
  }
  uint64_t operator[](Sign sign) const { return counts_ >> 8 * sign & 0xFF; }
  bool Has(Sign sign) const { return (*this)[sign] != 0; }

 private:
  // By character, 1 in the byte of each sign that it is.
  static constexpr auto kWeights = [] {
    std::array<uint64_t, 256> table{};
    for (size_t byte = 0; byte < table.size(); ++byte) {
      const auto c = static_cast<char>(byte);
      const auto set = [&](Sign sign, bool is) { table[byte] |= uint64_t{is} << 8 * sign; };
      set(kDigit, IsDigit(c));
      set(kHex, IsHex(c));
      set(kDot, c == '.');
      set(kColon, c == ':');
      set(kAt, c == '@');
      set(kPercent, c == '%');
      set(kUnprintable, c < 0x20 || c >= 0x7F);
      set(kOutsideLabel, !IsAlnum(c) && c != '-' && c != '_' && c != '.');
    }
    return table;
  }();

  uint64_t counts_ = 0;  // A byte each.
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_ADMISSION_SIGNS_H_

// Session ids: UUID version 7 (RFC 9562 section 5.7), time-ordered.
#ifndef WEIR_CONTROL_SESSION_UUID_H_
#define WEIR_CONTROL_SESSION_UUID_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::control {

class Uuid {
 public:
  Uuid() = default;  // All zero.

  // `unix_ms` in the first 48 bits, the rest from the system's CSPRNG: 74 bits nobody guesses.
  static Uuid Generate(uint64_t unix_ms);

  // "0190a7c4-....", lower or upper case. Empty: not of that form.
  static std::optional<Uuid> Parse(std::string_view text);
  // Of 16 raw bytes, as the command protocol carries it.
  static std::optional<Uuid> FromBytes(std::string_view bytes);

  std::string ToString() const;
  std::string Bytes() const { return std::string(bytes_.begin(), bytes_.end()); }

  friend bool operator==(const Uuid&, const Uuid&) = default;

 private:
  std::array<uint8_t, 16> bytes_{};
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_SESSION_UUID_H_

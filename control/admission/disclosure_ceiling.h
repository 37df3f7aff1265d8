// What no disclosure rule goes beyond: role x state x field. proto/README.md section 8.3.
#ifndef WEIR_CONTROL_ADMISSION_DISCLOSURE_CEILING_H_
#define WEIR_CONTROL_ADMISSION_DISCLOSURE_CEILING_H_

#include "record/v1/record.pb.h"

namespace weir::control {

// Towards one record. In the order of kRoleNames.
enum class Role { kPublic, kOperator, kResearcher, kOtherResearcher, kPartner };

// What a record consists of, as far as disclosure tells its fields apart. In the order of
// kFieldNames.
enum class Field {
  kOutline,      // That it exists: ids, times, outcome, rules, who ran the server.
  kMeasurement,  // Asked, granted, result.
  kMetadata,     // What the client said of its side.
  kClient,       // The client's address: the one personal field.
};

// A set of Field.
class Fields {
 public:
  constexpr Fields() = default;
  static constexpr Fields All() { return Fields(0b1111); }
  static constexpr Fields Of(Field field) { return Fields(1u << static_cast<unsigned>(field)); }

  constexpr bool Has(Field field) const { return (bits_ & Of(field).bits_) != 0; }
  constexpr bool Empty() const { return bits_ == 0; }
  constexpr Fields operator|(Fields other) const { return Fields(bits_ | other.bits_); }
  constexpr Fields operator&(Fields other) const { return Fields(bits_ & other.bits_); }
  constexpr bool operator==(const Fields&) const = default;

 private:
  constexpr explicit Fields(unsigned bits) : bits_(bits) {}
  unsigned bits_ = 0;
};

bool IsReleased(record::v1::ReleaseState state);

// What no policy can go beyond.
Fields DisclosureCeiling(Role role, record::v1::ReleaseState state,
                         record::v1::ReleaseClass release_class);

}  // namespace weir::control

#endif  // WEIR_CONTROL_ADMISSION_DISCLOSURE_CEILING_H_

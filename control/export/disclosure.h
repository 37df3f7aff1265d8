// Who may read what of a stored record: role x state x field. proto/README.md section 8.3.
#ifndef WEIR_CONTROL_EXPORT_DISCLOSURE_H_
#define WEIR_CONTROL_EXPORT_DISCLOSURE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "control/admission/policy.h"
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

// What no policy can go beyond.
Fields DisclosureCeiling(Role role, record::v1::ReleaseState state,
                         record::v1::ReleaseClass release_class);
// What holds where a policy has no disclosure rules.
Fields DefaultDisclosure(Role role, record::v1::ReleaseState state,
                         record::v1::ReleaseClass release_class);
// What the policy in force lets the role read.
Fields Disclose(const Policy& policy, Role role, record::v1::ReleaseState state,
                record::v1::ReleaseClass release_class);

// The Field a field of record.v1.Record belongs to; a field the table does not know is nobody's.
absl::StatusOr<Field> FieldOf(const std::string& record_field);
// Takes out of the record all that is not among `fields`.
void Redact(Fields fields, record::v1::Record* record);
// The names of what `fields` lacks.
std::vector<std::string> Withheld(Fields fields);

// Somebody who reads, whatever the record: "operator", "public", "researcher:EXPERIMENT" or
// "partner:NAME"; empty is the operator.
struct Reader {
  enum class Kind { kOperator, kPublic, kResearcher, kPartner };
  Kind kind = Kind::kOperator;
  std::string name = {};

  static absl::StatusOr<Reader> Parse(std::string_view text);
  Role RoleTowards(const record::v1::Record& record) const;
};

// An unreleased address: each reading of it is audited.
bool IsUnreleasedAddress(const record::v1::Record& record, record::v1::ReleaseState state);

}  // namespace weir::control

#endif  // WEIR_CONTROL_EXPORT_DISCLOSURE_H_

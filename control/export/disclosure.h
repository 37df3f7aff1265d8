// Who may read what of a stored record: role x state x field. proto/README.md section 8.3.
#ifndef WEIR_CONTROL_EXPORT_DISCLOSURE_H_
#define WEIR_CONTROL_EXPORT_DISCLOSURE_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "control/admission/disclosure_ceiling.h"
#include "control/admission/policy.h"
#include "record/v1/record.pb.h"

namespace weir::control {

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

#include "control/export/disclosure.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "control/admission/disclosure_names.h"
#include "control/admission/label.h"

namespace weir::control {
namespace {

using record::v1::ReleaseClass;
using record::v1::ReleaseState;

constexpr Field kFields[] = {Field::kOutline, Field::kMeasurement, Field::kMetadata,
                             Field::kClient};

std::string_view Name(Role role) { return kRoleNames[static_cast<size_t>(role)]; }
std::string_view Name(Field field) { return kFieldNames[static_cast<size_t>(field)]; }

const std::map<std::string, Field>& FieldTable() {
  static const auto& table = *new std::map<std::string, Field>{
      {"record_id", Field::kOutline},      {"session_id", Field::kOutline},
      {"direction", Field::kOutline},      {"outcome", Field::kOutline},
      {"end_reason", Field::kOutline},     {"negotiated_at", Field::kOutline},
      {"experiment", Field::kOutline},     {"purpose", Field::kOutline},
      {"server", Field::kOutline},         {"policy_digest", Field::kOutline},
      {"admission_rule", Field::kOutline}, {"export_rule", Field::kOutline},
      {"release_class", Field::kOutline},  {"origin_active", Field::kOutline},
      {"software", Field::kOutline},       {"legal_basis", Field::kOutline},
      {"license", Field::kOutline},        {"requested", Field::kMeasurement},
      {"granted", Field::kMeasurement},    {"result", Field::kMeasurement},
      {"metadata", Field::kMetadata},      {"client", Field::kClient},
  };
  return table;
}

}  // namespace

Fields DefaultDisclosure(Role role, ReleaseState state, ReleaseClass release_class) {
  const Fields most = DisclosureCeiling(role, state, release_class);
  const bool before_release = release_class == record::v1::PUBLIC && !IsReleased(state);
  return role == Role::kOperator && before_release ? most & Fields::Of(Field::kOutline) : most;
}

Fields Disclose(const Policy& policy, Role role, ReleaseState state, ReleaseClass release_class) {
  if (!policy.HasDisclosure()) return DefaultDisclosure(role, state, release_class);
  if (state < record::v1::COLLECTED || state > record::v1::ANONYMISED) return Fields();
  const std::string_view state_name = kStateNames[static_cast<size_t>(state) - 1];
  Fields allowed;
  for (const Field field : kFields) {
    if (policy.Discloses(Name(role), state_name, Name(field)))
      allowed = allowed | Fields::Of(field);
  }
  return allowed & DisclosureCeiling(role, state, release_class);
}

absl::StatusOr<Field> FieldOf(const std::string& record_field) {
  const auto found = FieldTable().find(record_field);
  if (found == FieldTable().end()) {
    return absl::NotFoundError(absl::StrCat(record_field, ": in no disclosure class"));
  }
  return found->second;
}

void Redact(Fields fields, record::v1::Record* record) {
  const auto* descriptor = record::v1::Record::descriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const auto* field = descriptor->field(i);
    const auto known = FieldOf(field->name());
    if (!known.ok() || !fields.Has(*known)) record->GetReflection()->ClearField(record, field);
  }
}

std::vector<std::string> Withheld(Fields fields) {
  std::vector<std::string> names;
  for (const Field field : kFields) {
    if (!fields.Has(field)) names.emplace_back(Name(field));
  }
  return names;
}

absl::StatusOr<Reader> Reader::Parse(std::string_view text) {
  if (text.empty() || text == "operator") return Reader{};
  if (text == "public") return Reader{.kind = Kind::kPublic};
  const size_t colon = text.find(':');
  if (colon != std::string_view::npos) {
    const std::string_view kind = text.substr(0, colon);
    const std::string name(text.substr(colon + 1));
    if (kind == "researcher" && IsLabel(name)) {
      return Reader{.kind = Kind::kResearcher, .name = name};
    }
    if (kind == "partner" && IsLabel(name)) return Reader{.kind = Kind::kPartner, .name = name};
  }
  return absl::InvalidArgumentError(
      absl::StrCat("as: \"", std::string(text),
                   "\"; allowed: operator, public, researcher:EXPERIMENT, partner:NAME"));
}

Role Reader::RoleTowards(const record::v1::Record& record) const {
  switch (kind) {
    case Kind::kOperator:
      return Role::kOperator;
    case Kind::kResearcher:
      return record.experiment() == name ? Role::kResearcher : Role::kOtherResearcher;
    case Kind::kPartner:
      return Role::kPartner;
    case Kind::kPublic:
      break;
  }
  return Role::kPublic;
}

bool IsUnreleasedAddress(const record::v1::Record& record, ReleaseState state) {
  return !IsReleased(state) && !record.client().value().empty();
}

}  // namespace weir::control

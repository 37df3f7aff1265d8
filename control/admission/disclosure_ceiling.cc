#include "control/admission/disclosure_ceiling.h"

namespace weir::control {

using record::v1::ReleaseClass;
using record::v1::ReleaseState;

bool IsReleased(ReleaseState state) {
  return state == record::v1::RELEASED || state == record::v1::ANONYMISED;
}

Fields DisclosureCeiling(Role role, ReleaseState state, ReleaseClass release_class) {
  // A closed bench: its owner's, and nobody else's, whatever the state.
  if (release_class != record::v1::PUBLIC) {
    return role == Role::kOperator ? Fields::All() : Fields();
  }
  if (IsReleased(state)) return Fields::All();
  switch (role) {
    case Role::kResearcher:
      return Fields::All();
    case Role::kOperator:  // "Before public release, ... only by the researchers."
      return Fields::Of(Field::kOutline) | Fields::Of(Field::kMeasurement) |
             Fields::Of(Field::kMetadata);
    default:
      return Fields();
  }
}

}  // namespace weir::control

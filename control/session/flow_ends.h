// The ends a peer names for its flows, checked and put in order.
#ifndef WEIR_CONTROL_SESSION_FLOW_ENDS_H_
#define WEIR_CONTROL_SESSION_FLOW_ENDS_H_

#include <google/protobuf/repeated_field.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "measurement/v1/measurement.pb.h"
#include "record/v1/record.pb.h"

namespace weir::control {

struct EndsFault {
  std::string field;
  std::string message;
};

// By direction, then stream.
using EndsByDirection = std::map<record::v1::Direction, std::vector<measurement::v1::FlowEnd>>;

// `ends` must hold one end for each direction and stream of `directions`, with an address of the
// direction's family, a port, a slot and a generation, and, where the ends' owner receives
// (`receives`), a cookie of that slot. `name` is how the field is called in a fault.
std::optional<EndsFault> SortEnds(
    const google::protobuf::RepeatedPtrField<measurement::v1::FlowEnd>& ends,
    const std::vector<measurement::v1::DirectionRequest>& directions,
    record::v1::Direction receives, const std::string& name, EndsByDirection* sorted);

}  // namespace weir::control

#endif  // WEIR_CONTROL_SESSION_FLOW_ENDS_H_

#include "control/session/flow_ends.h"

#include <absl/strings/str_cat.h>

#include "control/admission/ip_address.h"
#include "wire/test_packet.h"

namespace weir::control {
namespace {

using measurement::v1::FlowEnd;

std::optional<EndsFault> CheckEnd(const FlowEnd& end, uint32_t ip_version, bool receives,
                                  const std::string& path) {
  const std::optional<IpAddress> address = IpAddress::Parse(end.ip());
  if (!address.has_value() || address->version() != static_cast<int>(ip_version) ||
      address->IsUnspecified() || address->IsMulticast()) {
    return EndsFault{path + ".ip", absl::StrCat("required: the IPv", ip_version,
                                                " address of the port the test packets use")};
  }
  if (end.udp_port() == 0 || end.udp_port() > 65535) {
    return EndsFault{path + ".udp_port", "must be 1 to 65535"};
  }
  if (end.slot() >= wire::kMaxSlots) {
    return EndsFault{path + ".slot", absl::StrCat("must be below ", wire::kMaxSlots)};
  }
  if (end.generation() == 0) return EndsFault{path + ".generation", "must not be 0"};
  if (receives && wire::CookieSlot(end.cookie()) != end.slot()) {
    return EndsFault{path + ".cookie", "its upper 24 bits must be the slot"};
  }
  return std::nullopt;
}

}  // namespace

std::optional<EndsFault> SortEnds(const google::protobuf::RepeatedPtrField<FlowEnd>& ends,
                                  const std::vector<measurement::v1::DirectionRequest>& directions,
                                  record::v1::Direction receives, const std::string& name,
                                  EndsByDirection* sorted) {
  std::map<record::v1::Direction, const record::v1::TestParameters*> parameters;
  uint64_t expected = 0;
  for (const measurement::v1::DirectionRequest& direction : directions) {
    parameters[direction.direction()] = &direction.parameters();
    (*sorted)[direction.direction()].resize(direction.parameters().streams());
    expected += direction.parameters().streams();
  }
  if (static_cast<uint64_t>(ends.size()) != expected) {
    return EndsFault{
        name, absl::StrCat("must name ", expected, " ends, one for each direction and stream, not ",
                           ends.size())};
  }
  for (int i = 0; i < ends.size(); ++i) {
    const FlowEnd& end = ends[i];
    const std::string path = absl::StrCat(name, "[", i, "]");
    const auto found = parameters.find(end.direction());
    if (found == parameters.end()) {
      return EndsFault{path + ".direction", "is not one the session has"};
    }
    std::vector<FlowEnd>& streams = (*sorted)[end.direction()];
    // A generation is never 0, so it tells a place that is taken.
    if (end.stream() >= streams.size() || streams[end.stream()].generation() != 0) {
      return EndsFault{path + ".stream", "must name each stream of its direction once"};
    }
    if (std::optional<EndsFault> fault =
            CheckEnd(end, found->second->ip_version(), end.direction() == receives, path)) {
      return fault;
    }
    streams[end.stream()] = end;
  }
  return std::nullopt;
}

}  // namespace weir::control

// A record, or the erasure of one, as a row of M-Lab's tables.
#ifndef WEIR_CONTROL_EXPORT_DELIVERY_MLAB_ROW_H_
#define WEIR_CONTROL_EXPORT_DELIVERY_MLAB_ROW_H_

#include <string>

#include "absl/status/statusor.h"
#include "control/export/delivery/mlab_layout.h"
#include "export/v1/export.pb.h"

namespace weir::control {

// Where its file goes; `experiment` and `datatype` are the destination's.
MlabName NameOf(const delivery::v1::Item& item, const std::string& experiment,
                const std::string& datatype);

// One line of JSON, without the line's end.
absl::StatusOr<std::string> EncodeRow(const delivery::v1::Item& item,
                                      const delivery::v1::AuditHead& head);

}  // namespace weir::control

#endif  // WEIR_CONTROL_EXPORT_DELIVERY_MLAB_ROW_H_

// The only thing a sink takes.
#ifndef WEIR_CONTROL_EXPORT_APPROVED_RECORD_H_
#define WEIR_CONTROL_EXPORT_APPROVED_RECORD_H_

#include <utility>

#include "record/v1/record.pb.h"

namespace weir::control {

// A record the export policy approved. Nothing but ExportPolicy can make one, so a sink that
// takes ApprovedRecord cannot be given anything else.
class ApprovedRecord {
 public:
  const record::v1::Record& record() const { return record_; }

 private:
  friend class ExportPolicy;
  explicit ApprovedRecord(record::v1::Record record) : record_(std::move(record)) {}

  record::v1::Record record_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_EXPORT_APPROVED_RECORD_H_

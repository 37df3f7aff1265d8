// The only thing a sink takes.
#ifndef WEIR_CONTROL_EXPORT_APPROVED_RECORD_H_
#define WEIR_CONTROL_EXPORT_APPROVED_RECORD_H_

#include <cstdint>
#include <utility>

#include "record/v1/record.pb.h"

namespace weir::control {

// When a record is to be released and its client's address to be taken out, counted from the
// moment it is stored.
struct ReleaseTerms {
  uint32_t embargo_days = 0;    // 0: at once.
  uint32_t anonymise_days = 0;  // 0: never.
  // Counted from its release, or of what is never released from the moment it is stored.
  uint32_t keep_days = 0;  // 0: for good.
};

// A record the export policy approved. Nothing but ExportPolicy can make one, so a sink that
// takes ApprovedRecord cannot be given anything else.
class ApprovedRecord {
 public:
  const record::v1::Record& record() const { return record_; }
  const ReleaseTerms& terms() const { return terms_; }

 private:
  friend class ExportPolicy;
  ApprovedRecord(record::v1::Record&& record, const ReleaseTerms& terms)
      : record_(std::move(record)), terms_(terms) {}

  record::v1::Record record_;
  ReleaseTerms terms_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_EXPORT_APPROVED_RECORD_H_

// Files for M-Lab's uploader.
#ifndef WEIR_CONTROL_EXPORT_DELIVERY_SPOOL_ENGINE_H_
#define WEIR_CONTROL_EXPORT_DELIVERY_SPOOL_ENGINE_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "config/v1/export.pb.h"
#include "control/export/delivery/engine.h"
#include "control/export/delivery/row_schema.h"

namespace weir::control {

// Writes each row to a temporary file, notes it durably in a ledger, then renames it. The ledger
// tells a file that the uploader took already from one that never was; it holds what weir-control
// may not know yet, some batches.
class SpoolEngine final : public Engine {
 public:
  // `ledger`: a file of this destination's own.
  SpoolEngine(config::v1::Spool config, std::string ledger);
  ~SpoolEngine() override;

  const char* name() const override { return "spool"; }
  absl::Status Open() override;
  Encoded Encode(const delivery::v1::PullReply& batch) const override;
  absl::StatusOr<std::vector<Outcome>> Deliver(const delivery::v1::PullReply& batch,
                                               const Encoded& rows) override;
  void Settled(const std::vector<Copy>& copies) override;
  void AllSettled() override;

 private:
  struct Entry {
    int64_t version = 0;
    std::string path;  // Below the spool directory.
  };
  std::string PathOf(const delivery::v1::Item& item) const;  // Below the spool directory.
  absl::StatusOr<std::string> EncodeItem(const delivery::v1::Item& item,
                                         const delivery::v1::AuditHead& head) const;
  absl::Status WriteSchema();
  absl::Status ReadLedger();
  std::string TemporaryOf(const std::string& path) const;
  absl::Status Stage(const std::string& path, const std::string& row) const;
  absl::Status Publish(const std::string& path) const;
  static std::string LinesOf(const std::map<Copy, Entry>& entries);
  absl::Status NoteAll(const std::map<Copy, Entry>& entries);
  absl::Status RewriteLedger();

  const config::v1::Spool config_;
  const std::string ledger_path_;
  const RowSchema schema_ = RowSchema::OfRows();
  int ledger_ = -1;
  std::map<Copy, Entry> noted_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_EXPORT_DELIVERY_SPOOL_ENGINE_H_

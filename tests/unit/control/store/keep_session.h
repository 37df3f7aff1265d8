// A session that is over, with its records, in a store.
#ifndef WEIR_TESTS_UNIT_CONTROL_STORE_KEEP_SESSION_H_
#define WEIR_TESTS_UNIT_CONTROL_STORE_KEEP_SESSION_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "control/export/export_policy.h"
#include "control/store/store.h"
#include "record/v1/record.pb.h"

namespace weir::control {

inline constexpr int64_t kTestedAtUnixS = 1'700'000'000;

// Of a test that completed: `<session_id>-down` or `-up`, with what every record has.
inline record::v1::Record CompletedRecord(const std::string& session_id,
                                          record::v1::Direction direction = record::v1::DOWN) {
  record::v1::Record record;
  record.set_session_id(session_id);
  record.set_record_id(session_id + (direction == record::v1::UP ? "-up" : "-down"));
  record.set_direction(direction);
  record.set_outcome(record::v1::COMPLETED);
  record.set_end_reason("duration");
  record.mutable_negotiated_at()->set_seconds(kTestedAtUnixS);
  record.mutable_server()->set_operator_("o");
  record.mutable_server()->set_contact("c");
  record.set_origin_active(true);
  record.mutable_result()->set_direction(direction);
  return record;
}

// Begins the session and ends it with these records, as `policy` approves them.
inline void KeepSession(Store* store, const ExportPolicy& policy, const AdmittedSession& admitted,
                        const std::vector<record::v1::Record>& records) {
  SessionEnd end;
  end.session_id = admitted.session_id;
  end.state = "exported";
  end.end_reason = "duration";
  for (const record::v1::Record& record : records) {
    auto approved = policy.Approve(admitted, record);
    ASSERT_TRUE(approved.ok()) << approved.status();
    end.records.push_back(*std::move(approved));
  }
  SessionRow session;
  session.session_id = admitted.session_id;
  session.role = "server";
  session.admission_rule = admitted.admission_rule;
  ASSERT_TRUE(store->BeginSession(session).ok());
  ASSERT_TRUE(store->FinishSession(end).ok());
}

}  // namespace weir::control

#endif  // WEIR_TESTS_UNIT_CONTROL_STORE_KEEP_SESSION_H_

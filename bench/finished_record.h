// A record as the benchmarks judge and store it.
#ifndef WEIR_BENCH_FINISHED_RECORD_H_
#define WEIR_BENCH_FINISHED_RECORD_H_

#include <cstdint>
#include <string>

#include "record/v1/record.pb.h"

namespace weir::bench {

// Of a test that completed, with what every record has; no intervals, no metadata.
inline record::v1::Record FinishedRecord(const std::string& session_id, int64_t negotiated_unix_s) {
  record::v1::Record record;
  record.set_session_id(session_id);
  record.set_record_id(session_id + "-down");
  record.set_direction(record::v1::DOWN);
  record.set_outcome(record::v1::COMPLETED);
  record.set_end_reason("duration");
  record.set_origin_active(true);
  record.set_software("weir 0.1.0");
  record.mutable_negotiated_at()->set_seconds(negotiated_unix_s);
  record.mutable_server()->set_operator_("Example Lab");
  record.mutable_server()->set_contact("noc@example.net");
  record.mutable_server()->set_node("node1");
  record::v1::DirectionResult& result = *record.mutable_result();
  result.set_direction(record::v1::DOWN);
  result.set_achieved_ip_bps(499'999'000);
  result.set_sent(416'667);
  result.set_received(416'660);
  result.set_lost(7);
  return record;
}

}  // namespace weir::bench

#endif  // WEIR_BENCH_FINISHED_RECORD_H_

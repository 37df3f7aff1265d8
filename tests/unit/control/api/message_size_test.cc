#include <gtest/gtest.h>

#include <string>

#include "control/api/channel_arguments.h"
#include "measurement/v1/measurement.pb.h"

namespace weir::control {
namespace {

// The longest test there is, with figures of a 100 Gbit/s link: its last message must arrive.
TEST(MessageSize, ADayOfBothDirectionsFits) {
  constexpr uint64_t kIntervalNs = 1'000'000'000;
  constexpr uint32_t kSeconds = 24 * 60 * 60;
  measurement::v1::RunReply reply;
  measurement::v1::Completed& completed = *reply.mutable_completed();
  for (const record::v1::Direction direction : {record::v1::DOWN, record::v1::UP}) {
    record::v1::DirectionResult& result = *completed.add_results();
    result.set_direction(direction);
    result.set_limit_detail(std::string(500, 'x'));
    for (uint32_t i = 0; i < kSeconds; ++i) {
      record::v1::Interval& interval = *result.add_intervals();
      interval.set_index(i);
      interval.set_start_ns(i * kIntervalNs);
      interval.set_length_ns(kIntervalNs);
      for (const auto set :
           {&record::v1::Interval::set_sent, &record::v1::Interval::set_received,
            &record::v1::Interval::set_lost, &record::v1::Interval::set_reordered,
            &record::v1::Interval::set_duplicated, &record::v1::Interval::set_unsent}) {
        (interval.*set)(148'800'000);
      }
      interval.set_ip_bps(1e11 / 3);
      interval.set_jitter_ns(1e9 / 3);
    }
  }
  EXPECT_LT(reply.ByteSizeLong(), static_cast<size_t>(kMaxMessageBytes));
  EXPECT_GT(reply.ByteSizeLong(), size_t{4} << 20);  // gRPC's own limit would not do.
}

}  // namespace
}  // namespace weir::control

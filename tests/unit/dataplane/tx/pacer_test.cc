#include "dataplane/tx/pacer.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "dataplane/tx/tx_flow.h"

namespace weir::dataplane {
namespace {

constexpr uint64_t kHz = 2'445'000'000;

// Packets due in `seconds` at an interval, against the exact number.
double RelativeError(uint64_t ip_bytes, uint64_t rate_bps, uint64_t seconds) {
  const PaceTime interval = PaceInterval(ip_bytes, rate_bps, kHz);
  const double due =
      static_cast<double>((kHz * seconds) << kPaceFractionBits) / static_cast<double>(interval);
  const double exact = static_cast<double>(rate_bps) * static_cast<double>(seconds) /
                       (8.0 * static_cast<double>(ip_bytes));
  return std::abs(due - exact) / exact;
}

TEST(PaceInterval, IsExactFromOnePacketASecondToLineRate) {
  EXPECT_LT(RelativeError(125, 1'000, 100), 1e-9);          // 1 packet/s.
  EXPECT_LT(RelativeError(1500, 1'000'000'000, 10), 1e-7);  // 83,333 packets/s.
  EXPECT_LT(RelativeError(46, 100'000'000'000, 1), 1e-5);   // 271 Mpps.
}

TEST(PaceInterval, ZeroRateIsUnpaced) { EXPECT_EQ(PaceInterval(1500, 0, kHz), 0u); }

TEST(PaceInterval, OfNextToNothingIsTheLongestGap) {
  EXPECT_EQ(PaceInterval(65'535, 1, kHz), kLongestGap);
  EXPECT_LT(PaceInterval(1500, 8, kHz), kLongestGap);
}

TEST(Pacer, IsLateOnlyBeyondItsLag) {
  Pacer pacer;
  pacer.Start(1'000'000);
  constexpr PaceTime kLag = 500 << kPaceFractionBits;
  EXPECT_TRUE(pacer.Due(PaceTimeAt(1'000'000)));
  EXPECT_FALSE(pacer.TooLate(PaceTimeAt(1'000'500), kLag));
  EXPECT_TRUE(pacer.TooLate(PaceTimeAt(1'000'501), kLag));
  pacer.Advance(PaceTime{1000} << kPaceFractionBits);
  EXPECT_FALSE(pacer.Due(PaceTimeAt(1'000'999)));
  EXPECT_TRUE(pacer.Due(PaceTimeAt(1'001'000)));
}

TEST(Pacer, GoesOnWhereTimesWrapAround) {
  constexpr uint64_t kWrap = uint64_t{1} << (64 - kPaceFractionBits);
  Pacer pacer;
  pacer.Start(kWrap - 400);
  pacer.Advance(PaceTime{1000} << kPaceFractionBits);
  EXPECT_FALSE(pacer.Due(PaceTimeAt(kWrap - 1)));
  EXPECT_FALSE(pacer.Due(PaceTimeAt(kWrap + 599)));
  EXPECT_TRUE(pacer.Due(PaceTimeAt(kWrap + 600)));
  constexpr PaceTime kLag = 500 << kPaceFractionBits;
  EXPECT_FALSE(pacer.TooLate(PaceTimeAt(kWrap - 1), kLag));
  EXPECT_TRUE(pacer.TooLate(PaceTimeAt(kWrap + 1101), kLag));
}

TEST(MixCycle, HoldsEachSizeAsOftenAsItsWeightAndSpreadsThem) {
  const std::vector<uint8_t> cycle = MixCycle({{18, 7}, {542, 4}, {1472, 1}});
  ASSERT_EQ(cycle.size(), 12u);
  EXPECT_EQ(std::count(cycle.begin(), cycle.end(), 0), 7);
  EXPECT_EQ(std::count(cycle.begin(), cycle.end(), 1), 4);
  EXPECT_EQ(std::count(cycle.begin(), cycle.end(), 2), 1);
  for (size_t i = 0; i + 2 < cycle.size(); ++i) {  // Never three of the commonest in a row.
    EXPECT_FALSE(cycle[i] == 0 && cycle[i + 1] == 0 && cycle[i + 2] == 0) << i;
  }
}

TEST(MixCycle, ReducesWeights) {
  EXPECT_EQ(MixCycle({{18, 1000}}), std::vector<uint8_t>{0});
  EXPECT_EQ(MixCycle({{18, 500}, {64, 500}}).size(), 2u);
}

}  // namespace
}  // namespace weir::dataplane

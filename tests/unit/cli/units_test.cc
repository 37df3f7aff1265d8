#include "control/cli/units.h"

#include <gtest/gtest.h>

namespace weir::cli {
namespace {

TEST(UnitsTest, Rates) {
  const struct {
    const char* text;
    uint64_t bps;
  } kCases[] = {{"1", 1},
                {"64k", 64'000},
                {"200M", 200'000'000},
                {"1.5G", 1'500'000'000},
                {"0.1G", 100'000'000},
                {"1T", 1'000'000'000'000}};
  for (const auto& c : kCases) {
    const auto rate = ParseRate(c.text);
    ASSERT_TRUE(rate.ok()) << c.text;
    EXPECT_EQ(rate->bps, c.bps);
    EXPECT_FALSE(rate->max);
  }
  EXPECT_TRUE(ParseRate("max")->max);
  for (const char* text : {"", "0", "0G", "fast", "G", "1 G", "-1G", "1GG", "1e9", "1.2.3G", "MAX",
                           "999999999T", "0x10", "nan", "."}) {
    EXPECT_FALSE(ParseRate(text).ok()) << text;
  }
}

TEST(UnitsTest, Durations) {
  EXPECT_EQ(*ParseDurationNs("10s"), 10'000'000'000u);
  EXPECT_EQ(*ParseDurationNs("500ms"), 500'000'000u);
  EXPECT_EQ(*ParseDurationNs("1.5s"), 1'500'000'000u);
  EXPECT_EQ(*ParseDurationNs("1m"), 60'000'000'000u);
  EXPECT_EQ(*ParseDurationNs("1h"), 3'600'000'000'000u);
  for (const char* text : {"", "10", "s", "0s", "-1s", "soon", "1 s", "1d"}) {
    EXPECT_FALSE(ParseDurationNs(text).ok()) << text;
  }
}

TEST(UnitsTest, Payloads) {
  for (const char* text : {"18", "1472", "65507"}) {
    const auto payload = ParsePayload(text, 4);
    ASSERT_TRUE(payload.ok()) << text;
    EXPECT_EQ(std::to_string(payload->at(0).udp_payload_bytes()), text);
    EXPECT_EQ(payload->at(0).weight(), 1u);
  }
  for (const char* text : {"", "17", "65508", "huge", "-1", "1472 ", "1e3"}) {
    EXPECT_FALSE(ParsePayload(text, 4).ok()) << text;
  }
  EXPECT_EQ(DefaultPayload(4), 1472u);
  EXPECT_EQ(DefaultPayload(6), 1452u);
}

// The frames of the mix, from the payloads: header and FCS 18, IP 20 or 40, UDP 8.
TEST(UnitsTest, ImixMakesTheClassicFrames) {
  const auto v4 = ParsePayload("imix", 4);
  ASSERT_EQ(v4->size(), 3u);
  const uint32_t frames[] = {64, 570, 1518};
  const uint32_t weights[] = {7, 4, 1};
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(v4->at(i).udp_payload_bytes() + 18 + 28, frames[i]);
    EXPECT_EQ(v4->at(i).weight(), weights[i]);
  }
  const auto v6 = ParsePayload("imix", 6);
  EXPECT_EQ(v6->at(0).udp_payload_bytes(), 18u) << "the smallest there is: a frame of 84 bytes";
  EXPECT_EQ(v6->at(1).udp_payload_bytes() + 18 + 48, 570u);
  EXPECT_EQ(v6->at(2).udp_payload_bytes() + 18 + 48, 1518u);
}

TEST(UnitsTest, PacketRatesAndCounts) {
  EXPECT_EQ(*ParsePacketRate("1Mpps"), 1e6);
  EXPECT_EQ(*ParsePacketRate("2.5kpps"), 2500);
  for (const char* wrong : {"pps", "1M", "0pps", "-1pps", "1ppsx"}) {
    EXPECT_FALSE(ParsePacketRate(wrong).ok()) << wrong;
  }
  EXPECT_EQ(*ParseCount("100000"), 100'000u);
  EXPECT_EQ(*ParseCount("1.5k"), 1'500u);
  for (const char* wrong : {"0", "1.5", "x", ""}) EXPECT_FALSE(ParseCount(wrong).ok()) << wrong;
  EXPECT_EQ(FormatPacketRate(14'880'952), "14.881 Mpps");
  EXPECT_EQ(FormatPacketRate(12), "12 pps");
}

TEST(UnitsTest, Formats) {
  EXPECT_EQ(FormatRate(999), "999 bit/s");
  EXPECT_EQ(FormatRate(1e9), "1.000 Gbit/s");
  EXPECT_EQ(FormatRate(123456789), "123.457 Mbit/s");
  EXPECT_EQ(FormatDurationNs(12), "12 ns");
  EXPECT_EQ(FormatDurationNs(-12345), "-12.345 us");
  EXPECT_EQ(FormatDurationNs(5e9), "5.000 s");
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1000), "1,000");
  EXPECT_EQ(FormatCount(1234567), "1,234,567");
  record::v1::TestParameters parameters;
  const auto mix = ParsePayload("imix", 4);
  for (const auto& size : *mix) *parameters.add_payload() = size;
  EXPECT_EQ(FormatPayload(parameters), "mix 7:4:1 of 18/524/1472 bytes");
}

TEST(UnitsTest, Pacing) {
  record::v1::TestParameters parameters;
  EXPECT_TRUE(ParsePacing("cbr", &parameters).ok());
  EXPECT_EQ(FormatPacing(parameters), "cbr");
  EXPECT_TRUE(ParsePacing("poisson", &parameters).ok());
  EXPECT_EQ(parameters.pacing(), record::v1::POISSON);
  EXPECT_EQ(FormatPacing(parameters), "poisson");
  EXPECT_TRUE(ParsePacing("burst:32", &parameters).ok());
  EXPECT_EQ(parameters.pacing(), record::v1::BURST);
  EXPECT_EQ(parameters.burst_packets(), 32u);
  EXPECT_EQ(FormatPacing(parameters), "bursts of 32");
  EXPECT_TRUE(ParsePacing("ramp:100M-1.5G", &parameters).ok());
  EXPECT_EQ(parameters.pacing(), record::v1::RAMP);
  EXPECT_EQ(parameters.ramp_start_bps(), 100'000'000u);
  EXPECT_EQ(parameters.rate_bps(), 1'500'000'000u);
  EXPECT_EQ(MeanRateBps(parameters), 8e8);
  EXPECT_EQ(FormatPacing(parameters), "ramp from 100.000 Mbit/s");
  EXPECT_TRUE(ParsePacing("ramp:0-1M", &parameters).ok());
  EXPECT_EQ(parameters.ramp_start_bps(), 0u);
  for (const char* text :
       {"", "burst", "burst:", "burst:1", "burst:1025", "burst:x", "CBR", "ramp",
        "ramp:", "ramp:1G", "ramp:1G-", "ramp:-1G", "ramp:1G-100M", "ramp:1M-max"}) {
    EXPECT_FALSE(ParsePacing(text, &parameters).ok()) << text;
  }
}

}  // namespace
}  // namespace weir::cli

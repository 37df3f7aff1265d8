#include "control/admission/screening.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::control {
namespace {

std::string Shape(const std::string& text) {
  const char* shape = FindPersonalShape(text);
  return shape == nullptr ? "" : shape;
}

TEST(ScreeningTest, FindsWhatNamesAPersonOrADevice) {
  for (const char* text : {"me@example.net", "mail <first.last+tag@sub.example.net>, please",
                           "user@host", "a%40example.net"}) {
    EXPECT_EQ(Shape(text), "an e-mail address") << text;
  }
  for (const char* text : {"https://example.net/?q=secret", "see HTTP://EXAMPLE.NET",
                           "www.example.net", "mailto:me", "ftp%3A%2F%2Fexample.net"}) {
    EXPECT_EQ(Shape(text), "a URL") << text;
  }
  for (const char* text :
       {"02:00:5e:10:00:01", "router 02-00-5E-10-00-01 upstairs", "0200.5e10.0001",
        "02:00:5e:ff:fe:10:00:01", "02%3A00%3A5e%3A10%3A00%3A01"}) {
    EXPECT_EQ(Shape(text), "a MAC address") << text;
  }
  for (const char* text : {"192.0.2.7", "from 192.0.2.7.", "2001:db8::1", "[2001:db8::1]:80",
                           "192.0.2.0/24", "::ffff:192.0.2.7"}) {
    EXPECT_EQ(Shape(text), "an IP address") << text;
  }
  for (const char* text : {"+1 212 555 0100", "+12125550100", "(212) 555-0100", "212-555-0100",
                           "212.555.0100", "call 020 7946 0018 now", "030/1234567"}) {
    EXPECT_EQ(Shape(text), "a telephone number") << text;
  }
}

TEST(ScreeningTest, LeavesWhatDescribesATest) {
  for (const char* text : {"",
                           "weir 0.1.0",
                           "Firefox/120.0",
                           "Chrome 120.0.6099.129",
                           "linux-6.1.0-13-amd64",
                           "2026-11-25",
                           "2026-11-25T10:11:12Z",
                           "1000000000",
                           "10 Gbit/s",
                           "wifi 5 GHz, 80 MHz",
                           "DOCSIS 3.1",
                           "fiber",
                           "@home",
                           "price: 50 @ month",
                           "50%",
                           "100% of 5",
                           "018f9a2b-6b7a-7e4e-9d3a-4f1f5a2b7c10",
                           "sha256:07d08d5538f4",
                           "12:30",
                           "ratio 4:3",
                           "v1.2.3-rc4",
                           "run 12 of 40",
                           "AS64496",
                           "-72 dBm",
                           "1e9"}) {
    EXPECT_EQ(Shape(text), "") << text;
  }
}

record::v1::Record With(const std::string& key, const std::string& value) {
  record::v1::Record record;
  record.add_metadata()->set_key(key);
  record.mutable_metadata(0)->set_value(value);
  return record;
}

std::string Fault(const record::v1::Record& record) {
  return FindMetadataFault(record.metadata()).value_or("");
}

TEST(ScreeningTest, MetadataIsBoundedAndPlain) {
  EXPECT_EQ(Fault(With("access", "fiber 1 Gbit/s")), "");
  EXPECT_EQ(Fault(With("access", std::string(512, 'x'))), "");
  EXPECT_EQ(Fault(With("access", std::string(513, 'x'))), "\"access\": 513 bytes; at most 512");
  EXPECT_EQ(Fault(With("access", "caf\xC3\xA9")), "\"access\": printable ASCII only");
  EXPECT_EQ(Fault(With("access", "a\nb")), "\"access\": printable ASCII only");
  EXPECT_EQ(Fault(With("me@example.net", "x")).rfind("a key; allowed", 0), 0u);
  EXPECT_EQ(Fault(With("", "x")).rfind("a key; allowed", 0), 0u);
  EXPECT_EQ(Fault(With("212-555-0100", "x")).find("has the shape of a telephone number") ==
                std::string::npos,
            false);
  const std::string fault = Fault(With("contact", "me@example.net"));
  EXPECT_NE(fault.find("\"contact\": has the shape of an e-mail address"), std::string::npos);
  EXPECT_EQ(fault.find("example.net"), std::string::npos) << "what is refused is not repeated";

  record::v1::Record many;
  for (int i = 0; i < 51; ++i) many.add_metadata()->set_key("k" + std::to_string(i));
  EXPECT_EQ(Fault(many), "51 keys; at most 50");
  many.mutable_metadata()->RemoveLast();
  EXPECT_EQ(Fault(many), "");
  many.mutable_metadata(1)->set_key("k0");
  EXPECT_EQ(Fault(many), "\"k0\": is there twice");
}

}  // namespace
}  // namespace weir::control

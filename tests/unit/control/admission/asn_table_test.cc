#include "control/admission/asn_table.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/unit/control/config/temp_dir.h"

namespace weir::control {
namespace {

constexpr char kTable[] =
    "# Who announces what.\n"
    "192.0.0.0\t16\t64500\n"
    "192.0.2.0 24 64501   # A customer.\r\n"
    "\n"
    "192.0.2.128\t25\t64501_64502\n"
    "198.51.100.0\t24\t64503,64504\n"
    "198.51.100.0\t24\t64505\n"
    "2001:db8::\t32\t4200000000";

std::string Name(const AsnTable& table, const char* client) {
  const Origin* origin = table.Find(*IpPrefix::Parse(client));
  return origin == nullptr ? "" : origin->name;
}

TEST(AsnTableTest, TheLongestPrefixThatHoldsAllOfTheClientDecides) {
  AsnTable table;
  ASSERT_TRUE(table.Add("asn", kTable).ok());
  EXPECT_EQ(Name(table, "192.0.3.9"), "AS64500");
  EXPECT_EQ(Name(table, "192.0.2.9"), "AS64501");
  EXPECT_EQ(Name(table, "192.0.2.200"), "AS64501_64502");
  EXPECT_EQ(Name(table, "192.0.2.0/24"), "AS64501");
  EXPECT_EQ(Name(table, "192.0.0.0/15"), "");
  EXPECT_EQ(Name(table, "198.51.100.1"), "AS64503,64504");  // The first of its lines.
  EXPECT_EQ(Name(table, "203.0.113.1"), "");
  EXPECT_EQ(Name(table, "2001:db8:7::/48"), "AS4200000000");
  EXPECT_EQ(Name(table, "2001:db9::1"), "");
}

TEST(AsnTableTest, AnOriginIsEachOfItsNumbers) {
  AsnTable table;
  ASSERT_TRUE(table.Add("asn", kTable).ok());
  const Origin* both = table.Find(*IpPrefix::Parse("192.0.2.200"));
  EXPECT_TRUE(IsOf(both, 64501) && IsOf(both, 64502));
  EXPECT_FALSE(IsOf(both, 64500));
  const Origin* set = table.Find(*IpPrefix::Parse("198.51.100.1"));
  EXPECT_EQ(set->numbers, (std::vector<uint32_t>{64503, 64504}));
  EXPECT_FALSE(IsOf(nullptr, 64500));
}

TEST(AsnTableTest, SeveralFilesAreOneTable) {
  const TempDir directory;
  const auto table = AsnTable::Load({directory.Write("four", "192.0.2.0\t24\t64500\n"),
                                     directory.Write("six", "2001:db8::\t32\t64500\n")});
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ(Name(*table, "192.0.2.1"), "AS64500");
  EXPECT_EQ(Name(*table, "2001:db8::1"), "AS64500");
  EXPECT_TRUE(absl::IsNotFound(AsnTable::Load({directory.File("none")}).status()));
}

TEST(AsnTableTest, FaultsNameTheLine) {
  const TempDir directory;
  for (const auto& [line, fault] :
       {std::pair("192.0.2.0/24 64500", "not ADDRESS LENGTH ASN, as in \"192.0.2.0 24 64500\""),
        std::pair("192.0.2.0 24 64500 1", "not ADDRESS LENGTH ASN"),
        std::pair("192.0.2.0 24 AS64500", "\"AS64500\" is no AS number; allowed: 1 to 4294967295"),
        std::pair("192.0.2.0 24 0", "\"0\" is no AS number"),
        std::pair("192.0.2.0 24 +1", "\"+1\" is no AS number"),
        std::pair("192.0.2.0 24 64500_", "\"64500_\" is no AS number"),
        std::pair("192.0.2.0 24 4294967296", "\"4294967296\" is no AS number"),
        std::pair("192.0.2.1 24 64500", "\"192.0.2.1/24\": bits are set beyond the prefix"),
        std::pair("192.0.2.0 33 64500", "\"192.0.2.0/33\": the prefix length is from 0 to 32"),
        std::pair("x 24 64500", "\"x/24\": not an address or prefix")}) {
    const std::string path = directory.Write("asn", std::string("192.0.0.0 16 1\n") + line + "\n");
    const absl::Status status = AsnTable::Load({path}).status();
    ASSERT_TRUE(absl::IsInvalidArgument(status)) << line;
    EXPECT_EQ(status.message().find(path + ":2: " + fault), 0u) << status;
  }
}

}  // namespace
}  // namespace weir::control

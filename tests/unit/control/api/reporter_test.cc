#include "control/api/reporter.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/unit/control/config/temp_dir.h"

namespace weir::control {
namespace {

TEST(Reporter, WhatIsWrongWithTheNodeIsNotForStrangers) {
  const TempDir dir;
  config::v1::Config config;
  config.set_node("n");
  config.set_operator_("Example Labs");
  config.set_contact("noc@example.net");
  const std::string table = dir.Write("asn", "192.0.2.0\t24\t64500\n");
  config.add_asn_table(table);
  const Admission admission(
      {.operator_name = "o", .contact = "c"},
      *Policy::Parse("p",
                     "profile: \"lab\" admission { name: \"r\" effect: ALLOW }"
                     "export { name: \"e\" effect: ALLOW address: \"none\" "
                     "release_class: \"public\" }"));
  const std::unique_ptr<Store> store = *Store::Open({.path = dir.File("weir.db")});
  const Reporter reporter(&config, &admission, store.get());

  const auto report = reporter.MakeForStrangers({});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->operator_(), "Example Labs");
  EXPECT_TRUE(report->asn_known());

  dir.Write("asn", "192.0.2.0 24\n");
  const absl::Status own = reporter.Make({}).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(own)) << own;
  EXPECT_NE(own.message().find(table), std::string::npos) << own;
  const absl::Status told = reporter.MakeForStrangers({}).status();
  EXPECT_TRUE(absl::IsUnavailable(told)) << told;
  EXPECT_EQ(told.message().find(table), std::string::npos) << told;
  EXPECT_NE(told.message().find("noc@example.net"), std::string::npos) << told;

  measurement::v1::PublicReportRequest wrong;
  wrong.set_since_unix_ns(2);
  wrong.set_until_unix_ns(1);
  EXPECT_TRUE(absl::IsInvalidArgument(reporter.MakeForStrangers(wrong).status()));
}

}  // namespace
}  // namespace weir::control

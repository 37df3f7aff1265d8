#include "dataplane/eal/eal.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "dataplane/eal/cpu_list.h"
#include "dataplane/eal/hugepages.h"

namespace weir::dataplane {
namespace {

std::vector<PortSpec> Ports(std::initializer_list<const char*> texts) {
  std::vector<PortSpec> ports;
  for (const char* text : texts) ports.push_back(ParsePortSpec(text).value());
  return ports;
}

bool Has(const EalPlan& plan, const std::string& argument) {
  return std::find(plan.arguments.begin(), plan.arguments.end(), argument) != plan.arguments.end();
}

TEST(CpuList, Reads) {
  EXPECT_EQ(ParseCpuList("0").value(), (std::vector<int>{0}));
  EXPECT_EQ(ParseCpuList("2-4,0").value(), (std::vector<int>{2, 3, 4, 0}));
  for (const char* bad : {"", ",", "1,", "a", "3-2", "-1", "1-", "0,0", "1 2", "99999"}) {
    EXPECT_FALSE(ParseCpuList(bad).ok()) << bad;
  }
  EXPECT_EQ(FormatCpuList(std::vector<int>{2, 3}), "2,3");
}

TEST(Eal, ProbesNoPciDeviceThatWasNotNamed) {
  const auto plan = PlanEal({.no_huge = true}, Ports({"a=ring:"}), 1);
  ASSERT_TRUE(plan.ok()) << plan.error().message;
  EXPECT_TRUE(Has(plan.value(), "--no-pci"));
  const auto pci = PlanEal({.no_huge = true}, Ports({"a=pci:0000:3b:00.0"}), 1);
  ASSERT_TRUE(pci.ok());
  EXPECT_FALSE(Has(pci.value(), "--no-pci"));
  EXPECT_TRUE(Has(pci.value(), "-a"));
  EXPECT_TRUE(Has(pci.value(), "0000:3b:00.0"));
}

TEST(Eal, PinsWorkersAndLetsMainFloat) {
  const std::vector<int> cpus = AllowedCpus();
  const auto plan = PlanEal({.main_cpus = cpus, .worker_cpus = {cpus[0]}, .no_huge = true},
                            Ports({"a=ring:"}), 1);
  ASSERT_TRUE(plan.ok()) << plan.error().message;
  EXPECT_TRUE(Has(plan.value(), "0@(" + FormatCpuList(cpus) + "),1@" + std::to_string(cpus[0])));
}

TEST(Eal, RefusesMoreWorkersThanCpus) {
  const std::vector<int> cpus = AllowedCpus();
  const auto plan =
      PlanEal({.worker_cpus = {cpus[0]}, .no_huge = true}, Ports({"a=ring:", "b=ring:"}), 1);
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.error().field, "--lcores");
  EXPECT_NE(plan.error().message.find("2 workers"), std::string::npos);
  const auto default_cpus =
      PlanEal({.no_huge = true}, Ports({"a=ring:"}), static_cast<uint32_t>(cpus.size() + 1));
  EXPECT_FALSE(default_cpus.ok());
}

TEST(Eal, RefusesCpusItMayNotUse) {
  const auto plan = PlanEal({.worker_cpus = {1000}, .no_huge = true}, Ports({"a=ring:"}), 1);
  ASSERT_FALSE(plan.ok());
  EXPECT_NE(plan.error().message.find("CPU 1000"), std::string::npos);
}

TEST(Hugepages, SaysHowToReserveThem) {
  EXPECT_TRUE(CheckHugepages(512, 512).ok());
  const Status status = CheckHugepages(10, 512);
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message.find("echo 256 > "), std::string::npos);
  EXPECT_NE(status.error().message.find("--no-huge"), std::string::npos);
  EXPECT_EQ(FreeHugepageMb("/nonexistent"), 0u);
}

}  // namespace
}  // namespace weir::dataplane

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "dataplane/nic/pci.h"
#include "dataplane/nic/undo_record.h"

namespace weir::dataplane::nic {
namespace {

namespace fs = std::filesystem;

class NicTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "/weir-nic-XXXXXX";
    directory_ = mkdtemp(name.data());
  }
  void TearDown() override { fs::remove_all(directory_); }
  void Write(const std::string& path, const std::string& text) {
    fs::create_directories((directory_ / path).parent_path());
    std::ofstream(directory_ / path) << text;
  }

  fs::path directory_;
};

using UndoRecordTest = NicTest;
using PciDeviceTest = NicTest;

TEST_F(UndoRecordTest, KeepsTheFirstValue) {
  UndoRecord undo(directory_ / "nic", "eth1");
  EXPECT_TRUE(undo.Load().empty());
  ASSERT_TRUE(undo.Remember("gro", "on").ok());
  ASSERT_TRUE(undo.Remember("gro", "off").ok());
  ASSERT_TRUE(undo.Remember("driver", "ixgbe").ok());
  const auto values = UndoRecord(directory_ / "nic", "eth1").Load();
  EXPECT_EQ(values.at("gro"), "on");
  EXPECT_EQ(values.at("driver"), "ixgbe");
  undo.Remove();
  EXPECT_TRUE(undo.Load().empty());
  EXPECT_TRUE(fs::is_empty(directory_ / "nic"));
}

TEST_F(PciDeviceTest, RefusesWhatItMustNotTake) {
  constexpr char kAddress[] = "0000:3b:00.0";
  const std::string device = std::string("sys/bus/pci/devices/") + kAddress;
  UndoRecord undo(directory_ / "nic", kAddress);
  const PciDevice pci(directory_ / "sys", kAddress);
  Status status = pci.Up(undo);
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message.find("no such PCI device"), std::string::npos);

  Write(device + "/net/eth9/flags", "0x1003\n");
  status = pci.Up(undo);
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message.find("eth9 is up"), std::string::npos);

  Write(device + "/net/eth9/flags", "0x1002\n");
  Write("sys/bus/pci/drivers/vfio-pci/bind", "");
  status = pci.Up(undo);
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message.find("IOMMU"), std::string::npos);
  EXPECT_TRUE(undo.Load().empty()) << "nothing was changed";
  EXPECT_TRUE(pci.Down(undo).ok()) << "nothing to give back";
}

TEST_F(PciDeviceTest, BindsAndGivesBack) {
  // Files stand in for the kernel's, which bind; what is written is looked at.
  constexpr char kAddress[] = "0000:3b:00.0";
  const std::string device = std::string("sys/bus/pci/devices/") + kAddress;
  Write(device + "/driver_override", "");
  Write(device + "/iommu_group/x", "");
  Write("sys/bus/pci/drivers/vfio-pci/unbind", "");
  Write("sys/bus/pci/drivers/ixgbe/unbind", "");
  Write("sys/bus/pci/drivers_probe", "");
  fs::create_directory_symlink("../../drivers/ixgbe", directory_ / device / "driver");
  UndoRecord undo(directory_ / "nic", kAddress);
  const PciDevice pci(directory_ / "sys", kAddress);
  const Status refused = pci.Up(undo);
  ASSERT_FALSE(refused.ok()) << "the stand-in does not bind";
  EXPECT_NE(refused.error().message.find("vfio-pci does not take it"), std::string::npos);
  EXPECT_TRUE(undo.Load().empty());

  ASSERT_TRUE(undo.Remember("driver", "ixgbe").ok());
  EXPECT_TRUE(pci.Down(undo).ok());
  EXPECT_TRUE(undo.Load().empty());
  std::string probed;
  std::ifstream(directory_ / "sys/bus/pci/drivers_probe") >> probed;
  EXPECT_EQ(probed, kAddress);
}

}  // namespace
}  // namespace weir::dataplane::nic

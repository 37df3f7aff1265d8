#include "dataplane/nic/device_ref.h"

#include <gtest/gtest.h>

namespace weir::dataplane::nic {
namespace {

TEST(DeviceRef, UnderstandsDevicesAndBareNames) {
  using Kind = DeviceRef::Kind;
  const struct {
    const char* text;
    Kind kind;
    const char* name;
    bool xdp;
  } cases[] = {
      {"af_xdp:eth1,queues=2-3", Kind::kInterface, "eth1", true},
      {"af_packet:eth1", Kind::kInterface, "eth1", false},
      {"eth1", Kind::kInterface, "eth1", true},
      {"pci:0000:3b:00.0", Kind::kPci, "0000:3b:00.0", false},
      {"3b:00.0", Kind::kPci, "0000:3b:00.0", false},
      {"memif:/run/a.sock", Kind::kNothing, "/run/a.sock", false},
  };
  for (const auto& c : cases) {
    const auto device = ParseDeviceRef(c.text);
    ASSERT_TRUE(device.ok()) << c.text << ": " << device.error().message;
    EXPECT_EQ(device.value().kind, c.kind) << c.text;
    EXPECT_EQ(device.value().name, c.name) << c.text;
    EXPECT_EQ(device.value().xdp, c.xdp) << c.text;
  }
  for (const char* bad : {"", "../x", "dpdk:eth1", "pci:eth1", "3b:00"}) {
    EXPECT_FALSE(ParseDeviceRef(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace weir::dataplane::nic

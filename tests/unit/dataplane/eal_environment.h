// DPDK for unit tests: one EAL a process, without hugepages, PCI or privileges.
#ifndef WEIR_TESTS_UNIT_DATAPLANE_EAL_ENVIRONMENT_H_
#define WEIR_TESTS_UNIT_DATAPLANE_EAL_ENVIRONMENT_H_

#include <rte_mbuf.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/port/port.h"

namespace weir::dataplane::testing {

// Lcores of the test EAL: 0 is main, 1 and 2 are workers. Linking this file starts it.
inline constexpr unsigned kTestLcores = 3;

// A port with one worker on a new device of `device` ("ring:", "null:"), started; `keys` as in
// --port ("ip4=192.0.2.1/24,vlan=5"). Fails the test if it cannot be opened.
std::unique_ptr<Port> OpenTestPort(const std::string& device, const std::string& keys);

// A frame as bytes.
using Bytes = std::vector<uint8_t>;

// What the main lcore sent on a ring: port, which loops each TX queue to the RX queue of the same
// number.
std::vector<Bytes> SentFromMain(const Port& port);

// A packet holding `bytes`, from a pool of the environment's own.
rte_mbuf* MakePacket(const Bytes& bytes);

}  // namespace weir::dataplane::testing

#endif  // WEIR_TESTS_UNIT_DATAPLANE_EAL_ENVIRONMENT_H_

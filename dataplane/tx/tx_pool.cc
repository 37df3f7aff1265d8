#include "dataplane/tx/tx_pool.h"

#include <rte_errno.h>
#include <rte_mbuf.h>

#include "dataplane/flow/packet_template.h"

namespace weir::dataplane {
namespace {

// A 1,024-deep descriptor ring, its burst, and what the lcore's cache may hold back.
constexpr uint32_t kTxMbufs = 2047 + 512;
constexpr uint32_t kTxCache = 256;

void FillPayload(rte_mempool* pool, void*, void* object, unsigned) {
  auto* mbuf = static_cast<rte_mbuf*>(object);
  auto* payload = static_cast<uint8_t*>(mbuf->buf_addr) + kPayloadOffset;
  const uint32_t room = rte_pktmbuf_data_room_size(pool) - kPayloadOffset;
  WriteFiller(payload + sizeof(wire::TestPacket), room - sizeof(wire::TestPacket));
}

}  // namespace

Result<TxPool> MakeTxPool(const std::string& name, uint32_t mtu, int socket) {
  const uint32_t room = kPayloadOffset + mtu + kMaxHeaderBytes;
  TxPool pool(rte_pktmbuf_pool_create(name.c_str(), kTxMbufs, kTxCache, 0,
                                      static_cast<uint16_t>(room), socket));
  if (pool == nullptr) {
    return Error{v1::RESOURCE_EXHAUSTED, "--memory",
                 "cannot allocate the packet pool '" + name + "': " + rte_strerror(rte_errno) +
                     "; give the dataplane more memory (--memory, or more hugepages)"};
  }
  rte_mempool_obj_iter(pool.get(), FillPayload, nullptr);
  return pool;
}

}  // namespace weir::dataplane

// The packets of one TX queue: a mempool whose payload is written once, when it is made.
#ifndef WEIR_DATAPLANE_TX_TX_POOL_H_
#define WEIR_DATAPLANE_TX_TX_POOL_H_

#include <rte_mempool.h>

#include <cstdint>
#include <memory>
#include <string>

#include "dataplane/result.h"

namespace weir::dataplane {

struct MempoolFree {
  void operator()(rte_mempool* pool) const { rte_mempool_free(pool); }
};
using TxPool = std::unique_ptr<rte_mempool, MempoolFree>;

// Every mbuf carries WriteFiller's bytes behind the test packet at kPayloadOffset, and enough
// of them for `mtu`. Used by one worker; its cache belongs to that worker's lcore.
Result<TxPool> MakeTxPool(const std::string& name, uint32_t mtu, int socket);

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_TX_TX_POOL_H_

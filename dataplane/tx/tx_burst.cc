#include "dataplane/tx/tx_burst.h"

#include <rte_ethdev.h>

#include <algorithm>

#include "dataplane/tx/tx_flow.h"

namespace weir::dataplane {

uint32_t TxBurst::Flush() {
  if (count_ == 0) return 0;
  const uint32_t sent =
      rte_eth_tx_burst(queue_.port, queue_.queue, mbufs_, static_cast<uint16_t>(count_));
  if (sent < count_) [[unlikely]] {
    rte_pktmbuf_free_bulk(mbufs_ + sent, count_ - sent);
    AddRefused(count_ - sent);
  }
  uint32_t left = sent;
  for (uint32_t i = 0; i < segment_count_; ++i) {
    const TxSegment& segment = segments_[i];
    const uint32_t of_it = std::min(left, segment.count);
    segment.flow->Settle(segment, of_it);
    left -= of_it;
  }
  count_ = 0;
  segment_count_ = 0;
  return sent;
}

}  // namespace weir::dataplane

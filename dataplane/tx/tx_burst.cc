#include "dataplane/tx/tx_burst.h"

#include <rte_ethdev.h>

#include <algorithm>

#include "dataplane/tx/tx_flow.h"

namespace weir::dataplane {

// In halves: a pool that has not so many left may have half of it.
void TxBurst::KeepMore() {
  for (uint32_t count = kTxSaturatedBurst - kept_count_; count != 0; count /= 2) {
    void** const room = reinterpret_cast<void**>(kept_ + kept_count_);
    if (rte_mempool_get_bulk(queue_.pool, room, count) != 0) continue;
    kept_count_ += count;
    return;
  }
}

bool TxBurst::Take(rte_mbuf** mbufs, uint32_t count) {
  // For flows that take a packet or a few.
  if (count > kept_count_ && count < kTxBurst) KeepMore();
  const uint32_t kept = std::min(kept_count_, count);
  if (kept < count && rte_mempool_get_bulk(queue_.pool, reinterpret_cast<void**>(mbufs + kept),
                                           count - kept) != 0) [[unlikely]] {
    return false;
  }
  kept_count_ -= kept;
  std::copy_n(kept_ + kept_count_, kept, mbufs);
  return true;
}

uint32_t TxBurst::PassToPort(rte_mbuf** mbufs, uint32_t count) {
  if (!connected_) [[unlikely]]
    return 0;
  return rte_eth_tx_burst(queue_.port, queue_.queue, mbufs, static_cast<uint16_t>(count));
}

uint32_t TxBurst::Send(rte_mbuf** mbufs, uint32_t count) {
  const uint32_t sent = PassToPort(mbufs, count);
  if (sent < count) [[unlikely]] {
    const uint32_t kept = std::min(count - sent, kTxSaturatedBurst - kept_count_);
    std::copy_n(mbufs + sent, kept, kept_ + kept_count_);
    kept_count_ += kept;
    rte_pktmbuf_free_bulk(mbufs + sent + kept, count - sent - kept);
    AddRefused(count - sent);
  }
  return sent;
}

uint32_t TxBurst::SendKept(uint32_t count) {
  const uint32_t sent = PassToPort(kept_, count);
  kept_count_ -= sent;
  if (kept_count_ != 0) std::copy_n(kept_ + sent, kept_count_, kept_);
  AddRefused(count - sent);
  return sent;
}

void TxBurst::FreeKept() {
  rte_pktmbuf_free_bulk(kept_, kept_count_);
  kept_count_ = 0;
}

uint32_t TxBurst::Flush() {
  if (count_ == 0) return 0;
  const uint32_t sent = Send(mbufs_, count_);
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

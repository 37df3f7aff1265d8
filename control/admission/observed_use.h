// What identities, networks, experiments and links have used, and hold at the moment.
#ifndef WEIR_CONTROL_ADMISSION_OBSERVED_USE_H_
#define WEIR_CONTROL_ADMISSION_OBSERVED_USE_H_

#include <absl/container/flat_hash_map.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::control {

// Names what is counted without holding it: a 128-bit hash of rule, scope and subject. The table
// and the store thus hold no address and no name.
using UseKey = std::array<uint64_t, 2>;

UseKey MakeUseKey(std::string_view rule, std::string_view scope, std::string_view subject);
std::string UseKeyBytes(const UseKey& key);  // 16 bytes, for the store.
UseKey UseKeyFromBytes(std::string_view bytes);

struct ObservedUse {
  uint64_t bytes = 0;              // That ended sessions were seen to move today.
  uint64_t held_bytes = 0;         // That running ones may still move.
  uint64_t rate_bps = 0;           // That running ones hold.
  uint32_t day = 0;                // Since the epoch, UTC: what bytes and tests count.
  uint32_t tests = 0;              // Begun today.
  uint32_t sessions = 0;           // Running.
  uint32_t not_before_unix_s = 0;  // No test sooner (random times).
};

// Hash tables of at most 57 bytes a slot in many small shards, so that growth never copies more
// than a fraction at once. Not thread-safe.
class UseTable {
 public:
  // A larger site has to be told so; beyond it nothing new is admitted rather than not counted.
  static constexpr size_t kMaxTracked = size_t{1} << 21;

  // As it stands on `day`: a day that is over counts nothing. A clock that jumps back does not
  // give a day back.
  ObservedUse Get(const UseKey& key, uint32_t day) const;
  // Created if need be; null at kMaxTracked.
  ObservedUse* Touch(const UseKey& key, uint32_t day);

  // Forgets what no longer matters.
  void Sweep(uint32_t day, uint32_t now_unix_s);
  size_t size() const { return size_; }

 private:
  static constexpr size_t kShards = 256;
  // The key is a hash already.
  struct Hash {
    size_t operator()(const UseKey& key) const { return static_cast<size_t>(key[0]); }
  };
  using Shard = absl::flat_hash_map<UseKey, ObservedUse, Hash>;

  std::array<Shard, kShards> shards_;
  size_t size_ = 0;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_ADMISSION_OBSERVED_USE_H_

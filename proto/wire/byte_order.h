// Big-endian fields for packed wire structs.
#ifndef WEIR_PROTO_WIRE_BYTE_ORDER_H_
#define WEIR_PROTO_WIRE_BYTE_ORDER_H_

#include <bit>
#include <cstdint>

namespace weir::wire {

static_assert(std::endian::native == std::endian::little, "Weir runs on little-endian hosts");

constexpr uint16_t ByteSwap(uint16_t value) { return __builtin_bswap16(value); }
constexpr uint32_t ByteSwap(uint32_t value) { return __builtin_bswap32(value); }
constexpr uint64_t ByteSwap(uint64_t value) { return __builtin_bswap64(value); }

// An integer stored in network byte order; may stand at any alignment.
template <typename T>
class [[gnu::packed]] BigEndian {
 public:
  constexpr BigEndian() = default;
  constexpr BigEndian(T host) : raw_(ByteSwap(host)) {}    // NOLINT: implicit by intent.
  constexpr operator T() const { return ByteSwap(raw_); }  // NOLINT: implicit by intent.
  constexpr T raw() const { return raw_; }

 private:
  T raw_ = 0;
};

using Be16 = BigEndian<uint16_t>;
using Be32 = BigEndian<uint32_t>;
using Be64 = BigEndian<uint64_t>;

static_assert(sizeof(Be16) == 2 && alignof(Be16) == 1);
static_assert(sizeof(Be64) == 8 && alignof(Be64) == 1);

}  // namespace weir::wire

#endif  // WEIR_PROTO_WIRE_BYTE_ORDER_H_

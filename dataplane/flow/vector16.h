// Sixteen bytes in a register, as every CPU that Weir is built for has them.
#ifndef WEIR_DATAPLANE_FLOW_VECTOR16_H_
#define WEIR_DATAPLANE_FLOW_VECTOR16_H_

#ifdef __SSE4_1__
#include <smmintrin.h>
#endif

#include <cstdint>
#include <cstring>

namespace weir::dataplane {

using Vector16 [[gnu::vector_size(16)]] = uint64_t;

inline Vector16 LoadVector16(const void* from) {
  Vector16 vector;
  std::memcpy(&vector, from, sizeof(vector));
  return vector;
}

inline bool IsZero(Vector16 vector) {
#ifdef __SSE4_1__
  return _mm_testz_si128(reinterpret_cast<__m128i>(vector), reinterpret_cast<__m128i>(vector)) != 0;
#else
  return (vector[0] | vector[1]) == 0;
#endif
}

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_FLOW_VECTOR16_H_

// A word from wherever it lies in a packet.
#ifndef WEIR_DATAPLANE_RX_LOAD_H_
#define WEIR_DATAPLANE_RX_LOAD_H_

#include <cstdint>
#include <cstring>

namespace weir::dataplane {

// In the order of the packet's bytes, at any alignment.
template <typename Word>
Word Load(const uint8_t* at) {
  Word word;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_RX_LOAD_H_

// What a training pass keeps for the way back, and what it computes once more.
#pragma once

#include <cstdint>

namespace inkstone {

// Results are the same to the bit.
enum class Recompute : uint8_t {
  kNone,   // all activations of all layers are kept
  kLight,  // normalisations and activation functions are computed again: 6 of 16 numbers less
  kFull,   // whole layers, from what enters them: about a quarter more work
};

}  // namespace inkstone

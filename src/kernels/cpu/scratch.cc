#include "kernels/cpu/scratch.h"

#include <cstdlib>
#include <memory>
#include <new>

namespace inkstone::cpu {
namespace {

constexpr int64_t kAlignmentBytes = 64;

struct Free {
  void operator()(float* memory) const { std::free(memory); }
};

struct Scratch {
  std::unique_ptr<float, Free> memory;
  int64_t floats = 0;
};

}  // namespace

float* thread_scratch(int64_t floats) {
  thread_local Scratch scratch;
  if (floats > scratch.floats) {
    const int64_t bytes = floats * static_cast<int64_t>(sizeof(float));
    const int64_t rounded = (bytes + kAlignmentBytes - 1) / kAlignmentBytes * kAlignmentBytes;
    scratch.memory.reset(static_cast<float*>(std::aligned_alloc(kAlignmentBytes, rounded)));
    if (scratch.memory == nullptr) throw std::bad_alloc();
    scratch.floats = floats;
  }
  return scratch.memory.get();
}

}  // namespace inkstone::cpu

#include "kernels/cpu/context.h"

#include <new>

#include "kernels/cpu/products.h"

namespace inkstone::cpu {

float* Scratch::take(int64_t floats) {
  if (floats > floats_) {
    constexpr int64_t kAlignmentBytes = 64;
    const int64_t bytes = floats * static_cast<int64_t>(sizeof(float));
    const int64_t rounded = (bytes + kAlignmentBytes - 1) / kAlignmentBytes * kAlignmentBytes;
    memory_.reset();
    floats_ = 0;
    memory_.reset(static_cast<float*>(std::aligned_alloc(kAlignmentBytes, rounded)));
    if (memory_ == nullptr) throw std::bad_alloc();
    floats_ = floats;
  }
  return memory_.get();
}

Context::Context(ThreadPool& threads, Staging way)
    : pool(threads),
      of_thread(threads.threads()),
      staging(way),
      products(std::make_unique<Products>(threads.threads())) {}
Context::~Context() = default;

}  // namespace inkstone::cpu

// What the kernels of one CPU backend share: its threads and their working memory.
#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "base/thread_pool.h"

namespace inkstone::cpu {

// Working memory, kept between calls.
class Scratch {
 public:
  // `floats` float32, 64-byte aligned, their content undefined. The memory of an earlier call is
  // invalid afterwards. Allocates only when asked for more than ever before; throws std::bad_alloc.
  float* take(int64_t floats);

 private:
  struct Free {
    void operator()(float* memory) const { std::free(memory); }
  };
  std::unique_ptr<float, Free> memory_;
  int64_t floats_ = 0;
};

class Products;

// Whether a product first copies its operands to where they are multiplied fastest (matmul.cc).
enum class Staging { kWhereFaster, kAlways, kNever };

// Of one backend, hence of one operation at a time.
struct Context {
  Context(ThreadPool& threads, Staging way);
  ~Context();

  ThreadPool& pool;
  std::vector<Scratch> of_thread;  // one for each thread of the pool
  Scratch partial;                 // partial results of the operation that runs
  std::array<Scratch, 3> staged;   // copies of a product's operands and result
  Staging staging;
  std::unique_ptr<Products> products;
};

}  // namespace inkstone::cpu

namespace inkstone {
class Backend;
class Runtime;

// With a way of staging that is not chosen by the machine, for tests.
std::unique_ptr<Backend> make_cpu_backend(const Runtime& runtime, cpu::Staging staging);

}  // namespace inkstone

#include "failing_memory.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <utility>

namespace {

thread_local int64_t allocations_left = 0;
thread_local bool is_armed = false;

}  // namespace

// In the place of the standard library's, for the whole program.
void* operator new(std::size_t bytes) {
  if (is_armed && allocations_left-- <= 0) {
    is_armed = false;
    throw std::bad_alloc();
  }
  if (void* memory = std::malloc(std::max<std::size_t>(bytes, 1))) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return std::malloc(std::max<std::size_t>(bytes, 1));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace inkstone::test {

void fail_allocation_after(int64_t allocations) {
  allocations_left = allocations;
  is_armed = true;
}

bool allocations_are_safe_again() { return !std::exchange(is_armed, false); }

}  // namespace inkstone::test

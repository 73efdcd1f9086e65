// Memory that fails: the allocation of this thread that a test names throws std::bad_alloc.
#pragma once

#include <cstdint>

namespace inkstone::test {

// After so many allocations more one throws, and those behind it do not.
void fail_allocation_after(int64_t allocations);
// None throws any more. True: one did since fail_allocation_after.
bool allocations_are_safe_again();

}  // namespace inkstone::test

// Runs operation cases on the CPU backend: every instruction set, one and two threads, aligned and
// misaligned tensors, with guards around each.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "kernels/cpu/context.h"
#include "kernels/operation_case.h"

namespace inkstone::test {

// The instruction sets of this build that this machine has, best first; "native" alone for code not
// of ours.
std::vector<int64_t> instruction_sets();

// Kernels of ours use this instruction set until the end of the scope.
class ForcedInstructionSet {
 public:
  explicit ForcedInstructionSet(int64_t target);
  ~ForcedInstructionSet();
};

// Memory for a case's tensors, filled. Every tensor begins `offset` elements past an aligned
// address, between guards.
class CaseMemory {
 public:
  CaseMemory(const OperationCase& c, int64_t offset);
  Views views() const { return views_; }
  std::vector<std::byte> bytes(int tensor) const;
  ::testing::AssertionResult guards_intact() const;

 private:
  std::vector<std::unique_ptr<std::byte[]>> memory_;
  std::vector<int64_t> front_bytes_;
  std::vector<View> views_;
};

// One for each number of threads and way of staging.
Backend& cpu(int threads = 2, cpu::Staging staging = cpu::Staging::kWhereFaster);

// |got - want| within the bound (exact where it is negative) and, for bf16, its rounding; names the
// worst index.
::testing::AssertionResult within_bounds(const std::vector<double>& got,
                                         const std::vector<double>& want,
                                         const std::vector<double>& bounds, DType type);

// The kernel against the reference, on every instruction set, with one thread on aligned tensors
// and with two and three on misaligned ones; inputs and guards stay as they are; the same bits
// where that is promised.
void check(const OperationCase& c, cpu::Staging staging = cpu::Staging::kWhereFaster);

}  // namespace inkstone::test

// Runs operation cases, on the CPU backend: every instruction set, one and two threads, aligned and
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

// Kernels of ours do without extensions of the instruction set until the end of the scope.
class WithoutExtensions {
 public:
  WithoutExtensions();
  ~WithoutExtensions();
};

// One for each number of threads and way of staging.
Backend& cpu(int threads = 2, cpu::Staging staging = cpu::Staging::kWhereFaster);

// A case's tensors, filled, and the working memory that it asks for, in a backend's memory. Every
// tensor lies between guards, inside a buffer of its own; it begins `offset` elements past an
// aligned address where the host shares the memory (elsewhere views are aligned, as the model's
// are). There AddressSanitizer watches the guards too, against reading.
class CaseMemory {
 public:
  CaseMemory(const OperationCase& c, int64_t offset, Backend& backend = cpu());
  ~CaseMemory();
  CaseMemory(const CaseMemory&) = delete;
  CaseMemory& operator=(const CaseMemory&) = delete;

  Views views() const { return views_; }
  // These wait.
  std::vector<std::byte> bytes(int tensor) const;
  std::vector<double> doubles(int tensor) const;
  ::testing::AssertionResult guards_intact() const;

 private:
  void place(std::span<const std::byte> image, int64_t front_bytes, DType type, const Shape& shape);
  void watch(bool on) const;

  Backend* backend_;
  std::vector<int64_t> front_bytes_;
  std::vector<Buffer> buffers_;
  std::vector<View> views_;
};

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

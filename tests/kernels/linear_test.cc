// Linear: against the reference, and the law that a row of y depends on its row of x alone.
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/harness.h"

namespace inkstone::test {
namespace {

constexpr DType kActivationTypes[] = {DType::kF32, DType::kBF16};
constexpr WeightType kWeightTypes[] = {WeightType::kF32, WeightType::kBF16, WeightType::kF16};
constexpr WeightLayout kLayouts[] = {WeightLayout::kInOut, WeightLayout::kOutIn};

// Calls f(case) for every type and layout of the weight.
template <typename F>
void for_every_weight(LinearCase c, F&& f) {
  for (const WeightLayout layout : kLayouts) {
    for (const WeightType type : kWeightTypes) {
      c.layout = layout, c.weight = type;
      f(c);
    }
  }
}

// Rows around a tile's height and a block's, columns around a vector, a panel and a thread's
// share, sums around a chain.
TEST(Linear, AsTheReference) {
  constexpr int64_t kSizes[][2] = {{1, 1},   {65, 17},  {17, 97},  {129, 33},
                                   {64, 64}, {63, 193}, {193, 40}, {7, 389}};  // K, N
  for (const auto& [K, N] : kSizes) {
    for (const int64_t R : {1, 2, 3, 5, 8, 13, 29}) {
      for_every_weight({.R = R, .K = K, .N = N, .bias = R % 2 == 1},
                       [](const LinearCase& c) { check(linear_case(c)); });
    }
  }
}

TEST(Linear, ManyRows) {
  for (const int64_t R : {14, 15, 16, 17, 28, 63, 64, 65, 200, 515}) {
    for_every_weight({.R = R, .K = 137, .N = 49},
                     [](const LinearCase& c) { check(linear_case(c)); });
  }
}

// Rows of W that fall into the same few sets of the cache, and a sum of several blocks.
TEST(Linear, WideRows) {
  for (const int64_t R : {1, 33}) {
    for_every_weight({.R = R, .K = 130, .N = 1024},
                     [](const LinearCase& c) { check(linear_case(c)); });
    for_every_weight({.R = R, .K = 1024, .N = 35},
                     [](const LinearCase& c) { check(linear_case(c)); });
  }
}

// With an even K also bf16 times bf16, which some processors multiply in pairs: sums of less and of
// more than a chain of them, and of more than are packed at a time.
TEST(Linear, ActivationTypes) {
  for (const DType x : kActivationTypes) {
    for (const DType y : kActivationTypes) {
      for (const int64_t K : {2, 77, 134, 514}) {
        for (const int64_t R : {1, 4, 67}) {
          for_every_weight({.R = R, .K = K, .N = 51, .x = x, .y = y},
                           [](const LinearCase& c) { check(linear_case(c)); });
        }
      }
    }
  }
}

// All numbers that a half can be, but NaN, times one.
TEST(Linear, EveryHalf) {
  constexpr int64_t kCount = 0x10000;
  std::vector<uint16_t> half(kCount);
  for (int64_t i = 0; i < kCount; ++i) half[i] = static_cast<uint16_t>(i);
  const std::vector<float> one = {1};
  std::vector<float> y(kCount);
  for (const int64_t target : instruction_sets()) {
    const ForcedInstructionSet forced(target);
    const LinearCase c{.R = 1, .K = 1, .N = kCount, .weight = WeightType::kF16};
    cpu().linear({.x = view(one.data(), {1, 1}),
                  .weight = weight_of(c, half.data()),
                  .y = view(y.data(), {1, kCount})});
    for (int64_t i = 0; i < kCount; ++i) {
      const float want = half_to_float(half[i]);
      EXPECT_TRUE(y[i] == want || (std::isnan(y[i]) && std::isnan(want))) << i;
    }
  }
}

std::vector<std::byte> bytes_of(ConstView view) {
  const auto* data = static_cast<const std::byte*>(view.data);
  return {data, data + view.bytes()};
}

// Linear of rows [first, first + count) of x alone gives the same bits as `all`'s.
void check_rows(Backend& backend, const LinearCase& c, Views t, int64_t first, int64_t count) {
  std::vector<float> memory(count * c.N);
  const View y{memory.data(), c.y, {count, c.N}};
  backend.linear(
      {.x = t[0].rows(first, count), .weight = weight_of(c, t[1].data), .bias = t[3], .y = y});
  EXPECT_EQ(bytes_of(y), bytes_of(t[2].rows(first, count)))
      << "rows " << first << " to " << first + count;
}

void check_invariance(const LinearCase& c) {
  const OperationCase operation = linear_case(c);
  SCOPED_TRACE(operation.name + " " + operation.what);
  const CaseMemory memory(operation, 1);
  operation.run(cpu(1), memory.views());
  for (const int threads : {1, 2, 3}) {
    for (int64_t r = 0; r < c.R; r += threads) check_rows(cpu(threads), c, memory.views(), r, 1);
    for (const int64_t count : {2, 3, 4, 7, 14, 15, 20, 29, 43})
      check_rows(cpu(threads), c, memory.views(), (c.R - count) / threads, count);
  }
}

TEST(Linear, RowsDoNotDependOnEachOther) {
  for (const int64_t target : instruction_sets()) {
    const ForcedInstructionSet forced(target);
    SCOPED_TRACE(cpu().description().english());
    for (const DType type : kActivationTypes) {
      for (const int64_t K : {333, 334})
        for_every_weight({.R = 67, .K = K, .N = 213, .x = type, .y = type}, check_invariance);
    }
  }
}

// As processors that lack pairs of bf16 have it.
TEST(Linear, WithoutExtensions) {
  const WithoutExtensions without;
  for (const int64_t R : {1, 4, 67}) {
    for_every_weight({.R = R, .K = 134, .N = 51, .x = DType::kBF16},
                     [](const LinearCase& c) { check(linear_case(c)); });
  }
  for_every_weight({.R = 67, .K = 334, .N = 213, .x = DType::kBF16}, check_invariance);
}

// NaN and infinity in a row of x change no other row.
TEST(Linear, BadRowsStayAlone) {
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN(),
                  kInfinity = std::numeric_limits<float>::infinity();
  for (const int64_t target : instruction_sets()) {
    const ForcedInstructionSet forced(target);
    for (const int64_t R : {3, 33}) {
      for_every_weight({.R = R, .K = 70, .N = 37}, [&](const LinearCase& c) {
        const OperationCase operation = linear_case(c);
        const CaseMemory clean(operation, 0), bad(operation, 0);
        for (int64_t k = 0; k < c.K; ++k)
          bad.views()[0].as<float>()[c.K + k] = k % 2 == 0 ? kNaN : kInfinity;
        operation.run(cpu(), clean.views());
        operation.run(cpu(), bad.views());
        for (int64_t r = 0; r < R; ++r) {
          const View row = bad.views()[2].rows(r, 1);
          const bool same = bytes_of(row) == bytes_of(clean.views()[2].rows(r, 1));
          EXPECT_TRUE(r == 1 ? std::isnan(row.as<float>()[0]) : same) << r;
        }
      });
    }
  }
}

TEST(Linear, NothingToDo) {
  std::vector<float> memory(8, 5.0f);
  const Weight none{.in = 0, .out = 4, .data = memory.data()};
  for (const WeightLayout layout : kLayouts) {
    Weight weight = none;
    weight.layout = layout;
    std::vector<float> y(8, -1.0f);
    const View rows = view(y.data(), {2, 4});
    cpu().linear({.x = view(memory.data(), {2, 0}),
                  .weight = weight,
                  .bias = view(memory.data(), {4}),
                  .y = rows});
    EXPECT_EQ(y, memory);  // the bias
    cpu().linear({.x = view(memory.data(), {0, 0}), .weight = weight, .y = rows.rows(0, 0)});
  }
}

}  // namespace
}  // namespace inkstone::test

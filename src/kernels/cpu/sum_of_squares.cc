// Sum of x^2 in double: reads 4 bytes per element, limited by memory. Blocks of a fixed size are
// summed by themselves and their sums added in order: the same bits for every number of threads.
#include <hwy/base.h>
#include <algorithm>
#include <vector>

#include "kernels/cpu/operations.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/sum_of_squares.cc"
#include <hwy/foreach_target.h>

#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

double block_sum(const float* x, size_t count) {
  const hn::ScalableTag<double> dd;
  const hn::Rebind<float, decltype(dd)> df;
  const size_t lanes = hn::Lanes(dd);
  auto a = hn::Zero(dd), b = a, c = a, e = a;
  size_t i = 0;
  const auto square = [&](size_t at, auto sum) {
    const auto v = hn::PromoteTo(dd, hn::LoadU(df, x + at));
    return hn::MulAdd(v, v, sum);
  };
  for (; i + 4 * lanes <= count; i += 4 * lanes) {
    a = square(i, a);
    b = square(i + lanes, b);
    c = square(i + 2 * lanes, c);
    e = square(i + 3 * lanes, e);
  }
  double sum = hn::GetLane(hn::SumOfLanes(dd, hn::Add(hn::Add(a, b), hn::Add(c, e))));
  for (; i < count; ++i) sum += double{x[i]} * x[i];
  return sum;
}

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace inkstone::cpu {

HWY_EXPORT(block_sum);

double squared_norm(Context& context, ConstView x) {
  constexpr int64_t kBlock = 1 << 16;
  const int64_t count = x.count(), blocks = (count + kBlock - 1) / kBlock;
  std::vector<double> sums(blocks);
  context.pool.parallel_for(blocks, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t b = begin; b < end; ++b) {
      sums[b] = HWY_DYNAMIC_DISPATCH(block_sum)(x.as<float>() + b * kBlock,
                                                std::min(kBlock, count - b * kBlock));
    }
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

void sum_of_squares(Context& context, ConstView x, View total) {
  INK_CHECK(total.count() == 1, "sum_of_squares: size of the total");
  *total.as<double>() = squared_norm(context, x);
}

}  // namespace inkstone::cpu
#endif

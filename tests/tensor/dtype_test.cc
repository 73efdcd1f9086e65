// Halves: every one of them, and every float that lies between two.
#include "tensor/dtype.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace inkstone {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

float next_above(float x) { return std::nextafter(x, kInfinity); }
float next_below(float x) { return std::nextafter(x, -kInfinity); }

// By the definition: sign, exponent with bias 15, fraction of 10 bits.
double half_by_definition(int half) {
  const double sign = half & 0x8000 ? -1 : 1;
  const int exponent = (half >> 10) & 31, fraction = half & 0x3FF;
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(1024 + fraction, exponent - 25);
}

TEST(Half, IsReadByItsDefinitionAndWrittenAsItWas) {
  for (int half = 0; half < 0x10000; ++half) {
    const float x = half_to_float(static_cast<uint16_t>(half));
    if ((half & 0x7C00) == 0x7C00) continue;
    ASSERT_EQ(x, half_by_definition(half)) << half;
    ASSERT_EQ(float_to_half(x), half);
    ASSERT_EQ(std::signbit(x), half >= 0x8000);
  }
}

TEST(Half, KeepsInfinitiesAndNaNs) {
  EXPECT_EQ(half_to_float(0x7C00), kInfinity);
  EXPECT_EQ(half_to_float(0xFC00), -kInfinity);
  EXPECT_EQ(float_to_half(kInfinity), 0x7C00);
  EXPECT_EQ(float_to_half(-kInfinity), 0xFC00);
  for (int half = 0x7C01; half < 0x8000; ++half) {
    const float x = half_to_float(static_cast<uint16_t>(half));
    ASSERT_TRUE(std::isnan(x)) << half;
    ASSERT_EQ(float_to_half(x), half | 0x200) << "a quiet NaN of the same bits";
  }
  // A NaN whose bits lie below those of a half.
  EXPECT_EQ(float_to_half(std::bit_cast<float>(0x7F800001u)), 0x7E00);
  EXPECT_EQ(float_to_half(std::bit_cast<float>(0xFF800001u)), 0xFE00);
}

// Between neighbours the nearest is taken, in the middle the even one, for both signs.
TEST(Half, RoundsToNearestEven) {
  for (int below = 0; below < 0x7BFF; ++below) {
    const double middle = (half_by_definition(below) + half_by_definition(below + 1)) / 2;
    const auto tie = static_cast<float>(middle);
    ASSERT_EQ(tie, middle);
    ASSERT_EQ(float_to_half(tie), below + (below & 1)) << below;
    ASSERT_EQ(float_to_half(next_below(tie)), below);
    ASSERT_EQ(float_to_half(next_above(tie)), below + 1);
    ASSERT_EQ(float_to_half(-tie), 0x8000 | (below + (below & 1)));
  }
}

TEST(Half, IsInfiniteFromTheMiddleBeyondTheLargest) {
  EXPECT_EQ(float_to_half(65504), 0x7BFF);
  EXPECT_EQ(float_to_half(next_below(65520)), 0x7BFF);
  EXPECT_EQ(float_to_half(65520), 0x7C00);
  EXPECT_EQ(float_to_half(-65520), 0xFC00);
  EXPECT_EQ(float_to_half(std::numeric_limits<float>::max()), 0x7C00);
  EXPECT_EQ(float_to_half(std::numeric_limits<float>::denorm_min()), 0);
  EXPECT_EQ(float_to_half(-0.0f), 0x8000);
}

}  // namespace
}  // namespace inkstone

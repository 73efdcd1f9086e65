// Fits of a few weights: no worse than any scale of the grid that they promise, worked out in
// double.
#include "tensor/block_fit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/rng.h"

namespace inkstone {
namespace {

constexpr int kPieceCount = 32;
constexpr int kPieces = 100;

struct PieceData {
  std::vector<float> x, w;
  Piece piece() const { return {x.data(), w.data(), kPieceCount}; }
};

PieceData piece_data(int number, double mean) {
  const Random random(9, RandomStream::kInitialisation, static_cast<uint64_t>(number));
  PieceData data;
  for (uint64_t i = 0; i < kPieceCount; ++i) {
    data.x.push_back(static_cast<float>(mean + 0.02 * random.normal(i)));
    data.w.push_back(static_cast<float>(std::max(random.uniform(1000 + i), 1e-3)));
  }
  return data;
}

double code_of(double x, CodeRange codes) {
  return std::clamp(std::nearbyint(x), double(codes.lowest), double(codes.highest));
}

// The least error of scale * q + offset over both numbers, codes q given; offset 0 when it is
// fixed.
double least_error(const PieceData& data, const std::vector<double>& q, bool offset_is_free) {
  double w = 0, wx = 0, wq = 0, wxq = 0, wqq = 0;
  for (int i = 0; i < kPieceCount; ++i) {
    w += data.w[i], wx += data.w[i] * double{data.x[i]}, wq += data.w[i] * q[i];
    wxq += data.w[i] * double{data.x[i]} * q[i], wqq += data.w[i] * q[i] * q[i];
  }
  const double determinant = w * wqq - wq * wq;
  const double scale = offset_is_free ? (w * wxq - wx * wq) / determinant : wxq / wqq;
  const double offset = offset_is_free ? (wqq * wx - wq * wxq) / determinant : 0;
  double error = 0;
  for (int i = 0; i < kPieceCount; ++i)
    error += data.w[i] * std::pow(scale * q[i] + offset - double{data.x[i]}, 2);
  return error;
}

// The grid: an extreme is code `last`, or up to an eighth of the codes (at least 1) more or less.
std::vector<double> grid(int last, CodeRange codes) {
  const double reach = std::max(1.0, (codes.highest - codes.lowest) / 8.0);
  std::vector<double> ends;
  for (int step = -10; step <= 10; ++step) ends.push_back(last + reach * step / 10);
  return ends;
}

// Codes at a tie may be rounded either way in float.
constexpr double kTies = 1 + 1e-3;

TEST(FitScale, IsNoWorseThanAnyScaleOfTheGrid) {
  for (const CodeRange codes : {CodeRange{-4, 3}, CodeRange{-8, 7}, CodeRange{-32, 31}}) {
    for (int number = 0; number < kPieces; ++number) {
      const PieceData data = piece_data(number, 0);
      const double largest = *std::max_element(
          data.x.begin(), data.x.end(), [](float a, float b) { return std::abs(a) < std::abs(b); });
      const double error = error_of(data.piece(), fit_scale(data.piece(), codes), codes);
      for (const double end : grid(-codes.lowest, codes)) {
        for (const double inverse : {end / largest, -end / largest}) {
          std::vector<double> q;
          for (const float x : data.x) q.push_back(code_of(inverse * x, codes));
          ASSERT_LE(error, least_error(data, q, false) * kTies) << number << " " << end;
        }
      }
    }
  }
}

TEST(FitScaleAndMin, IsNoWorseThanAnyScaleOfTheGrid) {
  for (const int highest : {3, 15, 31}) {
    const CodeRange codes{0, highest};
    for (int number = 0; number < kPieces; ++number) {
      const PieceData data = piece_data(number, 0.05 * (number % 3 - 1));
      const auto [least, most] = std::minmax_element(data.x.begin(), data.x.end());
      const double error = error_of(data.piece(),
                                    fit_scale_and_min(data.piece(), highest, MinSign::kAny), codes);
      for (const double end : grid(highest, codes)) {
        std::vector<double> q;
        for (const float x : data.x)
          q.push_back(code_of(end * (double{x} - *least) / (double{*most} - *least), codes));
        ASSERT_LE(error, least_error(data, q, true) * kTies) << number << " " << end;
      }
    }
  }
}

TEST(FitScaleAndMin, KeepsTheMinFromBeingNegative) {
  for (int number = 0; number < kPieces; ++number) {
    const PieceData data = piece_data(number, 0.01 * (number % 7));
    EXPECT_GE(fit_scale_and_min(data.piece(), 15, MinSign::kNotNegative).min, 0) << number;
    EXPECT_GT(fit_scale_and_min(data.piece(), 15, MinSign::kNotNegative).scale, 0) << number;
  }
}

// All elements have one code: the equations for scale and min are then one.
TEST(FitScaleAndMin, FitsAConstant) {
  PieceData data = piece_data(0, 0);
  for (const float constant : {0.5f, -0.5f, 0.0f}) {
    std::fill(data.x.begin(), data.x.end(), constant);
    for (const MinSign sign : {MinSign::kAny, MinSign::kNotNegative}) {
      const Fit fit = fit_scale_and_min(data.piece(), 15, sign);
      EXPECT_LE(error_of(data.piece(), fit, {0, 15}), 32 * std::pow(4 * 0x1p-23 * constant, 2))
          << constant;
    }
  }
}

// importance * (rms + |x|), over the largest: here the rms is 5.
TEST(WeightsOf, GrowWithImportanceAndWithTheElement) {
  const std::vector<float> x = {5, -5, 1, -7}, importance = {0, 4, 8, 1e-9f};
  std::vector<float> w(4);
  weights_of(x.data(), nullptr, 4, w.data());
  const std::vector<float> by_size = {10.0f / 12, 10.0f / 12, 6.0f / 12, 1};
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(w[i], by_size[i], 1e-6) << i;
  weights_of(x.data(), importance.data(), 4, w.data());
  const std::vector<float> by_both = {1e-6f, 5.0f / 12, 6.0f / 12, 1e-6f};
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(w[i], by_both[i], 1e-6) << i;
}

TEST(WeightsOf, AreEqualForZerosAndInRangeForExtremes) {
  std::vector<float> w(4);
  weights_of(std::vector<float>(4).data(), nullptr, 4, w.data());
  EXPECT_EQ(w, (std::vector<float>{0.5f, 0.5f, 0.5f, 0.5f}));
  for (const float scale : {1e-45f, 1e-30f, 1e30f, 3e38f}) {
    const std::vector<float> x = {scale, -scale, 0, scale};
    weights_of(x.data(), x.data(), 4, w.data());
    for (const float each : w) EXPECT_TRUE(each >= 1e-6f && each <= 1) << scale;
  }
}

TEST(HalfOfScale, IsFiniteAndNotZero) {
  EXPECT_EQ(half_of_scale(0), 0);
  EXPECT_EQ(half_of_scale(1e-20f), 1);
  EXPECT_EQ(half_of_scale(-1e-20f), 0x8001);
  EXPECT_EQ(half_of_scale(1.0f), 0x3C00);
  EXPECT_EQ(half_of_scale(1e9f), 0x7BFF);
  EXPECT_EQ(half_of_scale(-1e9f), 0xFBFF);
}

}  // namespace
}  // namespace inkstone

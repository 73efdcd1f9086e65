// encode_row and decode_row together: bounds from the distance of two codes, no worse than the
// plain way, and weights of every awkward kind.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "base/rng.h"
#include "tensor/blocks.h"
#include "tensor/dtype.h"

namespace inkstone {
namespace {

using enum WeightType;
using Values = std::vector<float>;

constexpr std::array kAllTypes = {kF32,  kF16,    kBF16, kQ8_0, kQ4_0, kQ4_1, kQ5_0,
                                  kQ5_1, kIQ4_NL, kQ2_K, kQ3_K, kQ4_K, kQ5_K, kQ6_K};
// Those that search even without importance.
constexpr std::array kSearched = {kIQ4_NL, kQ2_K, kQ3_K, kQ4_K, kQ5_K, kQ6_K};
constexpr int64_t kCount = 8 * 256;
constexpr double kHalf = 0x1p-11;  // what rounding to a half costs, relative
constexpr double kEps = 0x1p-23;

Values made(const std::function<double(int64_t)>& value, int64_t count = kCount) {
  Values x(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) x[static_cast<size_t>(i)] = static_cast<float>(value(i));
  return x;
}

Values normal(uint64_t seed, double deviation = 0.02) {
  const Random random(seed, RandomStream::kInitialisation);
  return made([&](int64_t i) { return deviation * random.normal(static_cast<uint64_t>(i)); });
}

struct Sample {
  std::string name;
  Values x;
};

std::vector<Sample> samples() {
  const Random random(7, RandomStream::kInitialisation);
  const auto n = [&](int64_t i) { return random.normal(static_cast<uint64_t>(i)); };
  return {{"normal", normal(1)},
          {"heavy tails", made([&](int64_t i) { return 0.01 * n(i) * n(i) * n(i); })},
          {"outliers", made([&](int64_t i) { return n(i) * (i % 100 == 37 ? 2 : 0.02); })},
          {"positive", made([&](int64_t i) { return 0.3 + 0.02 * n(i); })},
          {"negative", made([&](int64_t i) { return -0.3 + 0.02 * n(i); })},
          {"few alike", made([&](int64_t i) { return i % 3 == 0 ? 0.1 : -0.05; })},
          {"zeros between", made([&](int64_t i) { return i / 16 % 2 == 0 ? 0 : n(i); })},
          {"large", made([&](int64_t i) { return std::clamp(30000 * n(i), -65504.0, 65504.0); })}};
}

Values importance_like_activations() {
  const Random random(11, RandomStream::kInitialisation);
  return made([&](int64_t i) {
    const double n = random.normal(static_cast<uint64_t>(i));
    return n * n * 1e-3;
  });
}

std::vector<uint8_t> encoded(WeightType type, const Values& x, const float* importance = nullptr) {
  const auto count = static_cast<int64_t>(x.size());
  std::vector<uint8_t> bytes(static_cast<size_t>(row_bytes(type, count)));
  encode_row(type, x.data(), count, importance, bytes.data());
  return bytes;
}

Values decoded(WeightType type, const std::vector<uint8_t>& bytes, size_t count) {
  Values x(count);
  decode_row(type, bytes.data(), static_cast<int64_t>(count), x.data());
  return x;
}

Values there_and_back(WeightType type, const Values& x, const float* importance = nullptr) {
  return decoded(type, encoded(type, x, importance), x.size());
}

double squared_error(const float* x, const float* y, const float* w, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    const double difference = double{x[i]} - double{y[i]};
    sum += (w == nullptr ? 1.0 : double{w[i]}) * difference * difference;
  }
  return sum;
}
double squared_error(const Values& x, const Values& y, const Values* w = nullptr) {
  return squared_error(x.data(), y.data(), w == nullptr ? nullptr : w->data(),
                       static_cast<int64_t>(x.size()));
}

// The weights of squared errors that blocks of the type are searched with (block_fit.h).
Values weights(WeightType type, const Values& x, const Values& importance) {
  const auto count = static_cast<size_t>(block_of(type).elements);
  Values w;
  for (size_t at = 0; at < x.size(); at += count) {
    double squares = 0, largest_x = 0, largest_importance = 0;
    for (size_t i = at; i < at + count; ++i) {
      squares += double{x[i]} * double{x[i]};
      largest_x = std::max(largest_x, std::abs(double{x[i]}));
      largest_importance = std::max(largest_importance, double{importance[i]});
    }
    const double rms = std::sqrt(squares / static_cast<double>(count));
    for (size_t i = at; i < at + count; ++i) {
      const double share = largest_x == 0 ? 1 : (rms + std::abs(double{x[i]})) / (rms + largest_x);
      w.push_back(static_cast<float>(std::max(share * importance[i] / largest_importance, 1e-6)));
    }
  }
  return w;
}

TEST(EncodeRow, KeepsZeros) {
  const Values zeros(512);
  const Values importance(512, 0.5f), none(512);
  for (const WeightType type : kAllTypes) {
    EXPECT_EQ(there_and_back(type, zeros), zeros) << name(type);
    EXPECT_EQ(there_and_back(type, zeros, importance.data()), zeros) << name(type);
    EXPECT_EQ(there_and_back(type, zeros, none.data()), zeros) << name(type);
  }
}

// One value throughout is a code of every type: only the scale's rounding remains.
TEST(EncodeRow, KeepsAConstantButForTheScalesRounding) {
  for (const double constant : {0.7, -0.7, 3.0, -1e3}) {
    const Values x = made([&](int64_t) { return constant; }, 512);
    const Values importance(512, 2.0f);
    for (const WeightType type : kAllTypes) {
      const double bound = std::abs(constant) * ((type == kBF16 ? 0x1p-8 : kHalf) + 4 * kEps);
      for (const float* weights : {static_cast<const float*>(nullptr), importance.data()}) {
        for (const float y : there_and_back(type, x, weights))
          ASSERT_NEAR(y, constant, bound) << name(type);
      }
    }
  }
}

// Floats: half a unit of the last place.
TEST(EncodeRow, RoundsFloatsToNearest) {
  const Values x = normal(2);
  EXPECT_EQ(there_and_back(kF32, x), x);
  for (size_t i = 0; i < x.size(); ++i) {
    const Values one = {x[i]};
    ASSERT_EQ(there_and_back(kF16, one)[0], half_to_float(float_to_half(x[i])));
    ASSERT_EQ(there_and_back(kBF16, one)[0], to_float(to_bf16(x[i])));
  }
}

// ---- Blocks of 32 whose scale comes from the extremes -------------------------------------------

// Half a step, or a whole one where the range has one code too few on one side; the scale's
// rounding times the largest code, and the min's.
double bound_of(WeightType type, const float* x) {
  const auto [least, most] = std::minmax_element(x, x + 32);
  const double largest = std::max(std::abs(double{*least}), std::abs(double{*most}));
  const double range = double{*most} - double{*least}, few_eps = 8 * kEps * largest;
  switch (type) {
    case kQ8_0: return largest / 127 / 2 + largest * kHalf + few_eps;
    case kQ4_0: return largest / 8 + largest * kHalf + few_eps;
    case kQ5_0: return largest / 16 + largest * kHalf + few_eps;
    case kQ4_1: return range / 15 / 2 + (range + largest) * kHalf + few_eps;
    default: return range / 31 / 2 + (range + largest) * kHalf + few_eps;
  }
}

TEST(EncodeRow, StaysWithinAStepOfTheExtremesScale) {
  for (const auto& [named, x] : samples()) {
    for (const WeightType type : {kQ8_0, kQ4_0, kQ4_1, kQ5_0, kQ5_1}) {
      const Values y = there_and_back(type, x);
      for (size_t i = 0; i < x.size(); ++i) {
        ASSERT_NEAR(y[i], x[i], bound_of(type, &x[i / 32 * 32]))
            << name(type) << " " << named << " " << i;
      }
    }
  }
}

// ---- Searches -----------------------------------------------------------------------------------

// value = d * scale * q - dmin * min for sub-blocks of `length`.
struct PlainForm {
  int length, lowest, highest, scales, highest_min;
};
PlainForm plain_form(WeightType type) {
  switch (type) {
    case kQ2_K: return {16, 0, 3, 15, 15};
    case kQ3_K: return {16, -4, 3, 32, 0};
    case kQ4_K: return {32, 0, 15, 63, 63};
    case kQ5_K: return {32, 0, 31, 63, 63};
    default: return {16, -32, 31, 128, 0};
  }
}

// Scale and min of a sub-block from its extremes.
struct PlainFit {
  double scale = 0, min = 0;
};
PlainFit plain_fit(const PlainForm& form, const float* x) {
  const auto [least, most] = std::minmax_element(x, x + form.length);
  if (form.highest_min > 0) {
    const double low = std::min(double{*least}, 0.0);
    return {(double{*most} - low) / form.highest, -low};
  }
  const double largest = -double{*least} > double{*most} ? *least : *most;
  return {largest / form.lowest, 0};
}

// A block of 256 in the plain way: scales from the extremes of sub-blocks, rounded to multiples of
// the largest's share, then the nearest codes.
Values plain_way(const PlainForm& form, const float* x) {
  std::vector<PlainFit> fits;
  double largest = 0, largest_min = 0;
  for (int at = 0; at < 256; at += form.length) {
    fits.push_back(plain_fit(form, x + at));
    if (std::abs(fits.back().scale) > std::abs(largest)) largest = fits.back().scale;
    largest_min = std::max(largest_min, fits.back().min);
  }
  const double d = half_to_float(float_to_half(static_cast<float>(largest / form.scales)));
  const double dmin = form.highest_min == 0
                          ? 0
                          : half_to_float(
                                float_to_half(static_cast<float>(largest_min / form.highest_min)));
  Values y;
  for (int i = 0; i < 256; ++i) {
    const PlainFit& fit = fits[static_cast<size_t>(i / form.length)];
    const double scale = d == 0 ? 0 : d * std::min(std::round(fit.scale / d), double(form.scales));
    const double min = dmin == 0
                           ? 0
                           : dmin * std::min(std::round(fit.min / dmin), double(form.highest_min));
    const double q = scale == 0 ? 0 : std::round((double{x[i]} + min) / scale);
    y.push_back(
        static_cast<float>(scale * std::clamp(q, double(form.lowest), double(form.highest)) - min));
  }
  return y;
}

TEST(EncodeRow, IsNoWorseThanThePlainWayInAnyBlock) {
  for (const Values& importance : {Values(kCount, 1.0f), importance_like_activations()}) {
    for (const auto& [named, x] : samples()) {
      for (const WeightType type : {kQ2_K, kQ3_K, kQ4_K, kQ5_K, kQ6_K}) {
        const Values w = weights(type, x, importance);
        const Values y = there_and_back(type, x, importance.data());
        for (size_t at = 0; at < x.size(); at += 256) {
          const Values plain = plain_way(plain_form(type), &x[at]);
          EXPECT_LE(squared_error(&x[at], &y[at], &w[at], 256),
                    squared_error(&x[at], plain.data(), &w[at], 256) * (1 + 1e-5))
              << name(type) << " " << named << " " << at;
        }
      }
    }
  }
}

// iq4_nl's plain way: the extreme is -127.
TEST(EncodeRow, SearchesIq4NlsScale) {
  for (const auto& [named, x] : samples()) {
    const Values y = there_and_back(kIQ4_NL, x);
    const Values w = weights(kIQ4_NL, x, Values(x.size(), 1.0f));
    for (size_t at = 0; at < x.size(); at += 32) {
      float largest = 0;
      for (size_t i = at; i < at + 32; ++i) {
        if (std::abs(x[i]) > std::abs(largest)) largest = x[i];
      }
      // Neighbouring values are at most 24 apart.
      const double bound = 12 * std::abs(largest) / 127 + std::abs(largest) * kHalf;
      EXPECT_LE(squared_error(&x[at], &y[at], &w[at], 32), 32 * bound * bound)
          << named << " " << at;
    }
  }
}

TEST(EncodeRow, TakesEqualImportanceForNone) {
  for (const auto& [named, x] : samples()) {
    for (const float each : {1.0f, 0.3f, 1e-12f, 1e12f, 0.0f}) {
      const Values importance(x.size(), each);
      for (const WeightType type : kSearched)
        EXPECT_EQ(encoded(type, x, importance.data()), encoded(type, x)) << name(type) << named;
    }
  }
}

TEST(EncodeRow, LowersTheErrorOfWhatIsImportant) {
  const Values importance = importance_like_activations();
  for (const auto& [named, x] : samples()) {
    if (named == "few alike") continue;  // exact but for the rounding of scales
    for (const WeightType type :
         {kQ4_0, kQ4_1, kQ5_0, kQ5_1, kIQ4_NL, kQ2_K, kQ3_K, kQ4_K, kQ5_K, kQ6_K}) {
      const Values w = weights(type, x, importance);
      EXPECT_LE(squared_error(x, there_and_back(type, x, importance.data()), &w),
                squared_error(x, there_and_back(type, x), &w))
          << name(type) << " " << named;
    }
  }
}

// Half of the elements without importance: the others come out nearer, and those remain in place.
TEST(EncodeRow, KeepsWhatHasNoImportanceInPlace) {
  const Values x = normal(5);
  const Values importance = made([](int64_t i) { return i % 2; });
  for (const WeightType type : kAllTypes) {
    const Values y = there_and_back(type, x, importance.data());
    EXPECT_LE(squared_error(x, y, &importance),
              squared_error(x, there_and_back(type, x), &importance))
        << name(type);
    // Codes are the nearest that the scale has, so none lies beyond zero on the other side.
    const float largest = std::abs(*std::max_element(
        x.begin(), x.end(), [](float a, float b) { return std::abs(a) < std::abs(b); }));
    for (const float value : y) ASSERT_LE(std::abs(value), 1.5f * largest) << name(type);
  }
}

// One element has all the importance: it comes out as near as the scales' rounding allows.
TEST(EncodeRow, FollowsOneImportantElement) {
  const Values x = normal(6);
  const Values importance = made([](int64_t i) { return i % 256 == 100 ? 1e6 : 0; });
  for (const WeightType type : kSearched) {
    EXPECT_LE(squared_error(x, there_and_back(type, x, importance.data()), &importance),
              squared_error(x, there_and_back(type, x), &importance))
        << name(type);
  }
}

// Below and about the smallest half a search is never further off than zeros are. (What ggml does
// without importance may be: it takes codes of the scale before it is rounded.)
TEST(EncodeRow, TakesTheSmallestNumbers) {
  for (const double deviation : {1e-45, 1e-40, 1e-30, 1e-12, 1e-8, 1e-7, 1e-6, 1e-5}) {
    const Values x = normal(4, deviation);
    const Values zeros(x.size()), importance(x.size(), 1.0f);
    for (const WeightType type : kAllTypes) {
      const Values w = weights(type, x, importance);
      EXPECT_LE(squared_error(x, there_and_back(type, x, importance.data()), &w),
                squared_error(x, zeros, &w))
          << name(type) << " " << deviation;
      for (const float y : there_and_back(type, x)) ASSERT_TRUE(std::isfinite(y)) << name(type);
    }
  }
}

TEST(EncodeRow, WritesItsRowAndNoMore) {
  const Values x = normal(3);
  for (const WeightType type : kAllTypes) {
    const WeightBlock block = block_of(type);
    std::vector<uint8_t> bytes(static_cast<size_t>(2 * block.bytes + 2), 0xAB);
    encode_row(type, x.data(), 2 * block.elements, nullptr, bytes.data() + 1);
    EXPECT_EQ(bytes.front(), 0xAB);
    EXPECT_EQ(bytes.back(), 0xAB);
    const std::vector<uint8_t> whole = encoded(type, x);
    EXPECT_TRUE(std::equal(bytes.begin() + 1, bytes.end() - 1, whole.begin())) << name(type);
  }
}

}  // namespace
}  // namespace inkstone

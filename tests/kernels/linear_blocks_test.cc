// Products with weights in blocks, packed: against a statement in double, on every instruction set,
// with and without VNNI, and the laws that they keep: batch invariance, the same bits everywhere, a
// row that is not a number alone.
#include <hwy/highway.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <optional>
#include <random>

#include "kernels/cpu/operations.h"
#include "kernels/harness.h"
#include "tensor/block_layout.h"
#include "tensor/blocks.h"

namespace inkstone::test {
namespace {

constexpr WeightType kBlockTypes[] = {WeightType::kQ8_0,   WeightType::kQ4_0, WeightType::kQ4_1,
                                      WeightType::kQ5_0,   WeightType::kQ5_1, WeightType::kQ2_K,
                                      WeightType::kIQ4_NL, WeightType::kQ3_K, WeightType::kQ4_K,
                                      WeightType::kQ5_K,   WeightType::kQ6_K};

// Where the halves of a block stand: d, and what is multiplied with the minima, if there is one.
struct Halves {
  int d;
  std::optional<int> m = std::nullopt;
};
Halves halves_of(WeightType type) {
  switch (type) {
    case WeightType::kQ4_1:
    case WeightType::kQ5_1:
    case WeightType::kQ4_K:
    case WeightType::kQ5_K: return {0, 2};
    case WeightType::kQ2_K: return {80, 82};
    case WeightType::kQ3_K: return {108};
    case WeightType::kQ6_K: return {208};
    default: return {0};
  }
}

// A weight in blocks: random bytes, and halves between 2^-13 and 2^-4 or with their signs changed;
// every 50th is below 2^-14, where halves have fewer bits.
struct Blocks {
  Blocks(WeightType of, int64_t inputs, int64_t outputs, int seed)
      : type(of), in(inputs), out(outputs), bytes(row_bytes(of, inputs) * outputs) {
    std::mt19937 random(seed);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
    const Halves halves = halves_of(type);
    for (int64_t at = 0; at < std::ssize(bytes); at += block_of(type).bytes) {
      for (const int place : {halves.d, halves.m.value_or(halves.d)}) {
        const uint32_t exponent = random() % 50 == 0 ? 0 : 2 + random() % 9;
        store_half(static_cast<uint16_t>((random() & 0x83FF) | exponent << 10), &bytes[at + place]);
      }
    }
  }

  Weight weight() const { return {type, WeightLayout::kOutIn, in, out, bytes.data()}; }
  std::vector<float> decoded() const {
    std::vector<float> to(in * out);
    for (int64_t n = 0; n < out; ++n)
      decode_row(type, &bytes[n * row_bytes(type, in)], in, &to[n * in]);
    return to;
  }
  Blocks without_minima() const {
    Blocks copy = *this;
    const std::optional<int> m = halves_of(type).m;
    for (int64_t at = 0; m && at < std::ssize(bytes); at += block_of(type).bytes)
      store_half(0, &copy.bytes[at + *m]);
    return copy;
  }

  WeightType type;
  int64_t in, out;
  std::vector<uint8_t> bytes;
};

// A packed weight between guards.
class Packed {
 public:
  explicit Packed(const Blocks& from) : bytes_(cpu().packed_bytes(from.weight())) {
    buffer_ = Buffer(cpu(), bytes_ + kGuardBytes);
    std::memset(buffer_.data(), kGuard, bytes_ + kGuardBytes);
    weight_ = cpu().pack(from.weight(), buffer_.data());
  }
  const Weight& weight() const { return weight_; }
  int64_t bytes() const { return bytes_; }
  bool guard_intact() const {
    const auto* end = static_cast<const uint8_t*>(buffer_.data()) + bytes_;
    return std::all_of(end, end + kGuardBytes, [](uint8_t byte) { return byte == kGuard; });
  }

 private:
  static constexpr int64_t kGuardBytes = 256;
  static constexpr uint8_t kGuard = 0xA5;
  Buffer buffer_;
  int64_t bytes_;
  Weight weight_;
};

std::vector<float> random_floats(int64_t count, int seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> x(count);
  for (float& v : x) v = uniform(random);
  return x;
}

struct Run {
  int threads = 2;
};

std::vector<float> multiply(const Weight& weight, const std::vector<float>& x, Run run = {},
                            const std::vector<float>& bias = {}) {
  static ThreadPool pools[] = {ThreadPool(1), ThreadPool(2), ThreadPool(3)};
  cpu::Context context(pools[run.threads - 1], cpu::Staging::kWhereFaster);
  const int64_t R = std::ssize(x) / weight.in;
  std::vector<float> y(R * weight.out, std::numeric_limits<float>::quiet_NaN());
  ConstView b;
  if (!bias.empty()) b = view(bias.data(), {weight.out});
  cpu::linear(context, {.x = view(x.data(), {R, weight.in}),
                        .weight = weight,
                        .bias = b,
                        .y = view(y.data(), {R, weight.out})});
  return y;
}

void on_every_path(const std::function<void()>& f) {
  for (const int64_t target : instruction_sets()) {
    const ForcedInstructionSet forced(target);
    SCOPED_TRACE(hwy::TargetName(target));
    f();
    SCOPED_TRACE("without extensions");
    const WithoutExtensions without;
    f();
  }
}

// x rounded to multiples of the largest of every `group` / 127, as quantized_rows.h has it.
std::vector<double> rounded(const std::vector<float>& x, int64_t group) {
  std::vector<double> to(x.size());
  for (int64_t g = 0; g < std::ssize(x); g += group) {
    float largest = 0;
    for (int64_t i = g; i < g + group; ++i) largest = std::max(largest, std::fabs(x[i]));
    if (largest < 0x1p-100f) continue;
    const float inverse = 127.0f / largest, scale = largest / 127.0f;
    for (int64_t i = g; i < g + group; ++i)
      to[i] = static_cast<double>(scale) * std::nearbyint(x[i] * inverse);
  }
  return to;
}

// y = x w + bias in double, and how far float32 may be from it. With u = 2^-24: a group of 32 adds
// at most 3 terms (the product and two minima), each rounded 3 times (scales, product, where it is
// not fused, the sum) and then once with every later sum; a decoded weight was rounded 3 times.
// Terms are as large as the weight's two parts, scale * code and minimum, which cancel.
struct Statement {
  std::vector<double> y, bound;
};
Statement state(const Blocks& blocks, const std::vector<double>& x,
                const std::vector<float>& bias) {
  const std::vector<float> w = blocks.decoded(), codes = blocks.without_minima().decoded();
  const int64_t K = blocks.in, N = blocks.out, R = std::ssize(x) / K;
  Statement s{std::vector<double>(R * N), std::vector<double>(R * N)};
  const double roundings = 3.0 * static_cast<double>(K) / 32 * 2 + 8;
  for (int64_t r = 0; r < R; ++r) {
    for (int64_t n = 0; n < N; ++n) {
      double sum = bias[n], terms = std::fabs(bias[n]);
      for (int64_t k = 0; k < K; ++k) {
        const double scaled = codes[n * K + k], minimum = w[n * K + k] - scaled;
        sum += x[r * K + k] * w[n * K + k];
        terms += std::fabs(x[r * K + k]) * (std::fabs(scaled) + std::fabs(minimum));
      }
      s.y[r * N + n] = sum;
      s.bound[r * N + n] = roundings * kUnit * terms;
    }
  }
  return s;
}

std::vector<double> doubles(const std::vector<float>& x) { return {x.begin(), x.end()}; }

// Inputs that are whole chunks of a panel and, for blocks of 32, some that are not.
std::vector<int64_t> input_sizes(WeightType type) {
  if (block_of(type).elements == 256) return {256, 768};
  return {32, 256, 352};
}

class LinearBlocks : public ::testing::TestWithParam<WeightType> {};

TEST_P(LinearBlocks, IsWhatItSays) {
  for (const int64_t K : input_sizes(GetParam())) {
    for (const int64_t N : {1, 16, 39}) {
      const Blocks blocks(GetParam(), K, N, static_cast<int>(K + N));
      const Packed packed(blocks);
      EXPECT_TRUE(packed.guard_intact());
      const std::vector<float> x = random_floats(5 * K, 2), bias = random_floats(N, 3);
      const Statement expected = state(blocks, rounded(x, 32), bias);
      on_every_path([&] {
        const auto y = multiply(packed.weight(), x, {}, bias);
        EXPECT_TRUE(within_bounds(doubles(y), expected.y, expected.bound, DType::kF32))
            << "K " << K << " N " << N;
      });
    }
  }
}

// The largest codes on both sides: what an instruction that saturates would cut off.
TEST_P(LinearBlocks, ExtremeCodes) {
  const int64_t K = 256, N = 16;
  for (const uint8_t byte : {0x00, 0x80, 0x7F, 0xFF}) {
    Blocks blocks(GetParam(), K, N, 1);
    const std::vector<uint8_t> random = blocks.bytes;
    std::fill(blocks.bytes.begin(), blocks.bytes.end(), byte);
    const Halves halves = halves_of(GetParam());
    for (int64_t at = 0; at < std::ssize(random); at += block_of(GetParam()).bytes) {
      for (const int place : {halves.d, halves.m.value_or(halves.d)})
        std::copy_n(&random[at + place], 2, &blocks.bytes[at + place]);
    }
    const Packed packed(blocks);
    for (const float sign : {1.0f, -1.0f}) {
      const std::vector<float> x(K, sign), bias(N);
      const Statement expected = state(blocks, rounded(x, 32), bias);
      on_every_path([&] {
        EXPECT_TRUE(within_bounds(doubles(multiply(packed.weight(), x, {}, bias)), expected.y,
                                  expected.bound, DType::kF32));
      });
    }
  }
}

// Bits depend on the threads and the other rows not at all, and on the instruction set only in that
// some have fused products and sums.
TEST_P(LinearBlocks, SameBitsEverywhere) {
  const int64_t K = 256, N = 39;
  const Packed packed(Blocks(GetParam(), K, N, 5));
  const std::vector<float> x = random_floats(67 * K, 6);
  std::map<bool, std::vector<float>> first_seen;  // by whether products and sums are fused
  on_every_path([&] {
    const std::vector<float> all = multiply(packed.weight(), x, {.threads = 1});
    const int64_t target = hwy::SupportedTargets() & -hwy::SupportedTargets();
    const bool fused = target != HWY_SSE4 && target != HWY_SCALAR && target != HWY_EMU128;
    EXPECT_EQ(first_seen.try_emplace(fused, all).first->second, all);
    for (const int threads : {2, 3})
      EXPECT_EQ(multiply(packed.weight(), x, {.threads = threads}), all);
    std::vector<int64_t> counts = {64};
    for (int64_t R = 1; R <= 17; ++R) counts.push_back(R);
    for (const int64_t R : counts) {
      const int64_t first = 67 - R;  // rows that stand elsewhere in a tile
      const std::vector<float> some(x.begin() + first * K, x.end());
      EXPECT_EQ(multiply(packed.weight(), some),
                std::vector<float>(all.begin() + first * N, all.end()))
          << "R " << R;
    }
  });
}

// More rows than are taken at a time (linear_blocks.cc).
TEST_P(LinearBlocks, ManyRows) {
  const int64_t K = 1024, N = 17, R = 203;
  const Packed packed(Blocks(GetParam(), K, N, 7));
  const std::vector<float> x = random_floats(R * K, 8), all = multiply(packed.weight(), x);
  for (int64_t r = 0; r < R; r += 29) {
    const std::vector<float> row(x.begin() + r * K, x.begin() + (r + 1) * K);
    EXPECT_EQ(multiply(packed.weight(), row),
              std::vector<float>(all.begin() + r * N, all.begin() + (r + 1) * N));
  }
}

// A channel 100 times as large as the others, which fall on 0 beside it. Their signs are those of
// column 0's weights, so that nothing cancels there. With a scale for each 32 only the channel's
// neighbours suffer; with a scale for each 256 the error is beyond the bound that holds here.
TEST_P(LinearBlocks, OutlierChannels) {
  const int64_t K = 768, N = 3, kOutlier = 300;
  const Blocks blocks(GetParam(), K, N, 9);
  const std::vector<float> w = blocks.decoded(), bias(N);
  std::vector<float> x(K);
  for (int64_t k = 0; k < K; ++k) x[k] = (k == kOutlier ? 100 : 0.35f) * (w[k] < 0 ? -1.0f : 1.0f);
  const std::vector<double> exact(x.begin(), x.end());
  const Statement unrounded = state(blocks, exact, bias);
  std::vector<double> bound = unrounded.bound;
  for (int64_t n = 0; n < N; ++n) {
    for (int64_t k = 0; k < K; ++k) {
      const double largest = k / 32 == kOutlier / 32 ? 100 : 0.35f;
      bound[n] += std::fabs(w[n * K + k]) * largest * (0.5 / 127 + 4 * kUnit);
    }
  }
  const Packed packed(blocks);
  on_every_path([&] {
    EXPECT_TRUE(
        within_bounds(doubles(multiply(packed.weight(), x)), unrounded.y, bound, DType::kF32));
  });
  const Statement coarse = state(blocks, rounded(x, 256), bias);
  EXPECT_GT(std::fabs(coarse.y[0] - unrounded.y[0]), bound[0]);
}

TEST_P(LinearBlocks, RowsThatAreNotNumbers) {
  const int64_t K = 256, N = 20;
  const Packed packed(Blocks(GetParam(), K, N, 10));
  std::vector<float> x = random_floats(5 * K, 11);
  const std::vector<float> before = multiply(packed.weight(), x);
  x[K + 40] = std::numeric_limits<float>::quiet_NaN();
  x[3 * K + 255] = -std::numeric_limits<float>::infinity();
  on_every_path([&] {
    const std::vector<float> y = multiply(packed.weight(), x);
    for (int64_t i = 0; i < 5 * N; ++i) EXPECT_EQ(std::isnan(y[i]), i / N == 1 || i / N == 3) << i;
  });
  const std::vector<float> y = multiply(packed.weight(), x);
  for (const int64_t r : {0, 2, 4})
    EXPECT_TRUE(std::equal(&y[r * N], &y[r * N] + N, &before[r * N])) << r;
}

// Zeros, and numbers whose reciprocals overflow: y is the bias.
TEST_P(LinearBlocks, RowsOfNothing) {
  const int64_t K = 256, N = 20;
  const Packed packed(Blocks(GetParam(), K, N, 12));
  const std::vector<float> bias = random_floats(N, 13);
  on_every_path([&] {
    for (const float x : {0.0f, -0.0f, 1e-38f, 1e-45f}) {
      EXPECT_EQ(multiply(packed.weight(), std::vector<float>(K, x), {}, bias), bias);
    }
  });
}

TEST_P(LinearBlocks, ActivationsOfBf16) {
  const int64_t K = 256, N = 21, R = 3;
  const Packed packed(Blocks(GetParam(), K, N, 14));
  std::vector<float> x = random_floats(R * K, 15);
  std::vector<bf16> narrow(x.size()), y(R * N);
  for (size_t i = 0; i < x.size(); ++i) x[i] = to_float(narrow[i] = to_bf16(x[i]));
  cpu().linear({.x = view(std::as_const(narrow).data(), {R, K}),
                .weight = packed.weight(),
                .y = view(y.data(), {R, N})});
  const std::vector<float> wide = multiply(packed.weight(), x);
  for (size_t i = 0; i < y.size(); ++i) EXPECT_EQ(y[i].bits, to_bf16(wide[i]).bits) << i;
}

// Not more than 6 % above the file's bytes, whatever the number of inputs: a chunk is whole lines.
TEST_P(LinearBlocks, BytesOfPackedWeights) {
  for (const int64_t K : {768, 1024, 3072, 6400}) {
    const Weight weight{GetParam(), WeightLayout::kOutIn, K, 64, nullptr};
    const auto file = static_cast<double>(row_bytes(GetParam(), K) * 64);
    EXPECT_GE(static_cast<double>(cpu().packed_bytes(weight)), file);
    EXPECT_LE(static_cast<double>(cpu().packed_bytes(weight)), 1.06 * file);
    Weight packed = weight;
    packed.layout = WeightLayout::kPacked;
    EXPECT_EQ(cpu().packed_bytes(packed), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(EveryType, LinearBlocks, ::testing::ValuesIn(kBlockTypes),
                         [](const auto& type) { return std::string(name(type.param)); });

TEST(LinearFloats, AreNotPacked) {
  for (const WeightType type : {WeightType::kF32, WeightType::kF16, WeightType::kBF16}) {
    EXPECT_EQ(cpu().packed_bytes({.type = type, .in = 64, .out = 64}), 0);
  }
}

}  // namespace
}  // namespace inkstone::test

// Laws that the CPU kernels keep whatever the numbers: batch invariance, aliasing, NaN, extremes,
// refusals.
#include <algorithm>
#include <cmath>
#include <limits>
#include <new>

#include "kernels/harness.h"
#include "kernels/reference.h"
#include "support.h"

namespace inkstone::test {
namespace {

constexpr DType kTypes[] = {DType::kF32, DType::kBF16};
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN(),
                kInfinity = std::numeric_limits<float>::infinity();

void for_every_instruction_set(const std::function<void()>& f) {
  for (const int64_t target : instruction_sets()) {
    const ForcedInstructionSet forced(target);
    SCOPED_TRACE(cpu().description().english());
    f();
  }
}

std::vector<std::byte> bytes_of(ConstView view) {
  const auto* data = static_cast<const std::byte*>(view.data);
  return {data, data + view.bytes()};
}

// Row r of a product of five rows is, bit for bit, the product of row r alone.
void check_rows_alone(const MatmulCase& c) {
  const OperationCase operation = matmul_case(c);
  const CaseMemory memory(operation, 1);
  operation.run(cpu(), memory.views());
  const View a = memory.views()[0], b = memory.views()[1], all = memory.views()[2],
             bias = memory.views()[3];
  std::vector<float> row_memory(c.N);
  const View row{row_memory.data(), c.result, {1, c.N}};
  for (int64_t m = 0; m < c.M; ++m) {
    const Matmul op{.a = a.rows(m, 1), .b = b, .c = row, .bias = bias};
    c.product == Product::kRowsNN ? cpu().matmul_rows_nn(op) : cpu().matmul_rows_nt(op);
    EXPECT_EQ(bytes_of(row), bytes_of(all.rows(m, 1))) << operation.name << " row " << m;
  }
}

TEST(Properties, RowsOfAProductDoNotDependOnEachOther) {
  for_every_instruction_set([] {
    for (const Product product : {Product::kRowsNN, Product::kRowsNT}) {
      for (const DType type : kTypes) {
        check_rows_alone({.product = product,
                          .M = 5,
                          .N = 259,
                          .K = 193,
                          .operand = type,
                          .result = type,
                          .bias = true});
      }
    }
  });
}

TEST(Properties, RowsOfCachedAttentionDoNotDependOnEachOther) {
  const AttentionCase c{.B = 3, .T = 40, .NH = 2, .HS = 5};
  const OperationCase operation = attention_cached_case(c);
  for_every_instruction_set([&] {
    const CaseMemory together(operation, 0);
    operation.run(cpu(), together.views());
    const CaseMemory memory(operation, 1);
    const Views t = memory.views();
    const int64_t C = c.NH * c.HS;
    for (int64_t r = 0; r < c.B; ++r) {
      const auto one = [&](View v) {
        return v.reshaped({c.B, v.count() / c.B}).rows(r, 1).reshaped({1});
      };
      const View row = t[5].rows(r, 1);
      cpu().attention_cached({.qkv = t[0].rows(r, 1),
                              .slots = one(t[1]),
                              .positions = one(t[2]),
                              .keys = t[3],
                              .values = t[4],
                              .scale = c.scale(),
                              .out = row});
      EXPECT_EQ(bytes_of(row), bytes_of(together.views()[5].reshaped({c.B, C}).rows(r, 1)))
          << "row " << r;
    }
  });
}

// All rows of a sequence over a cache that they fill themselves, in the bounds of
// attention_forward.
TEST(Properties, CachedAttentionIsAttention) {
  for (const DType type : kTypes) {
    const AttentionCase c{.B = 1, .T = 130, .NH = 2, .HS = 20, .type = type};
    const int64_t C = c.NH * c.HS;
    const OperationCase forward = attention_forward_case(c);
    const CaseMemory memory(forward, 0);
    Values expected(forward.tensors, memory.views(), 1);
    forward.expect(expected);
    std::vector<int32_t> slots(c.T, 1), positions(c.T);
    for (int64_t t = 0; t < c.T; ++t) positions[t] = static_cast<int32_t>(t);
    std::vector<float> keys(2 * c.T * C), values(2 * c.T * C);  // large enough for both types
    const Shape cache{2, c.NH, c.T, c.HS};
    for_every_instruction_set([&] {
      cpu().attention_cached({.qkv = memory.views()[0].reshaped({c.T, 3 * C}),
                              .slots = view(slots.data(), {c.T}),
                              .positions = view(positions.data(), {c.T}),
                              .keys = {keys.data(), type, cache},
                              .values = {values.data(), type, cache},
                              .scale = c.scale(),
                              .out = memory.views()[1].reshaped({c.T, C})});
      EXPECT_TRUE(
          within_bounds(to_doubles(memory.views()[1]), expected[1], expected.bound(1), type));
    });
  }
}

void check_activation_in_place(Activation kind, DType type) {
  const OperationCase forward = activation_forward_case({kind, 1037, type}),
                      backward = activation_backward_case({kind, 1037, type});
  const CaseMemory f(forward, 0), b(backward, 0);
  const Views t = b.views();
  forward.run(cpu(), f.views());
  backward.run(cpu(), t);
  cpu().activation_forward({.kind = kind, .x = f.views()[0], .y = f.views()[0]});
  cpu().activation_backward({.kind = kind, .x = t[0], .dy = t[1], .dx = t[1]});
  EXPECT_EQ(f.bytes(0), f.bytes(1)) << forward.what;
  EXPECT_EQ(b.bytes(1), b.bytes(2)) << backward.what;
}

TEST(Properties, ActivationInPlace) {
  for_every_instruction_set([] {
    for (const Activation kind : kActivations) {
      for (const DType type : kTypes) check_activation_in_place(kind, type);
    }
  });
}

TEST(Properties, LayerNormSumInPlace) {
  enum { kX, kWeight, kBias, kY, kMean, kRstd, kDelta, kSum };
  const OperationCase operation = layer_norm_forward_case({.N = 5, .C = 37, .delta = true});
  const CaseMemory apart(operation, 0), together(operation, 0);
  operation.run(cpu(), apart.views());
  const Views t = together.views();
  cpu().layer_norm_forward({.x = t[kX],
                            .delta = t[kDelta],
                            .sum = t[kX],
                            .weight = t[kWeight],
                            .bias = t[kBias],
                            .y = t[kY],
                            .mean = t[kMean],
                            .rstd = t[kRstd]});
  EXPECT_EQ(together.bytes(kX), apart.bytes(kSum));
  EXPECT_EQ(together.bytes(kY), apart.bytes(kY));
}

struct Loss {
  std::vector<float> losses, dlogits;
};

Loss cross_entropy(const std::vector<float>& logits, const std::vector<int32_t>& targets) {
  const auto R = static_cast<int64_t>(targets.size()), V = static_cast<int64_t>(logits.size()) / R;
  Loss result{std::vector<float>(R, kNaN), std::vector<float>(R * V, kNaN)};
  cpu().cross_entropy({.logits = view(logits.data(), {R, V}),
                       .targets = view(targets.data(), {R}),
                       .losses = view(result.losses.data(), {R}),
                       .dlogits = view(result.dlogits.data(), {R, V})});
  return result;
}

TEST(Properties, NegativeTargetsCountNothing) {
  for_every_instruction_set([] {
    const Loss loss = cross_entropy(std::vector<float>(38, 1.5f), {-1, 3});
    EXPECT_EQ(loss.losses[0], 0);
    for (int v = 0; v < 19; ++v) EXPECT_EQ(loss.dlogits[v], 0) << v;
    EXPECT_NEAR(loss.losses[1], std::log(19.0), 1e-6);
  });
}

// A column at -infinity is as good as absent.
TEST(Properties, MaskedLogits) {
  std::vector<float> masked, without;
  for (int v = 0; v < 37; ++v) {
    const float x = std::sin(static_cast<float>(v));
    masked.push_back(v % 3 == 0 ? -kInfinity : x);
    if (v % 3 != 0) without.push_back(x);
  }
  for_every_instruction_set([&] {
    const Loss a = cross_entropy(masked, {1}), b = cross_entropy(without, {0});
    EXPECT_NEAR(a.losses[0], b.losses[0], 1e-5);
    for (int v = 0, kept = 0; v < 37; ++v) {
      EXPECT_NEAR(a.dlogits[v], v % 3 == 0 ? 0 : b.dlogits[kept++], 1e-6) << v;
    }
    EXPECT_EQ(cross_entropy(masked, {0}).losses[0], kInfinity);
  });
}

TEST(Properties, EqualHugeLogits) {
  for_every_instruction_set([] {
    for (const float x : {1e4f, -1e4f, 1e30f, -1e30f}) {
      const Loss loss = cross_entropy(std::vector<float>(17, x), {16});
      EXPECT_NEAR(loss.losses[0], std::log(17.0), 1e-6) << x;
      EXPECT_NEAR(loss.dlogits[0], 1 / 17.0, 1e-7) << x;
      EXPECT_NEAR(loss.dlogits[16], 1 / 17.0 - 1, 1e-6) << x;
    }
  });
}

struct Activated {
  std::vector<float> y, slope;
};

Activated activate(Activation kind, const std::vector<float>& x) {
  Activated result{std::vector<float>(x.size()), std::vector<float>(x.size(), 1)};
  const Shape shape{static_cast<int64_t>(x.size())};
  const View slope = view(result.slope.data(), shape);
  cpu().activation_forward(
      {.kind = kind, .x = view(x.data(), shape), .y = view(result.y.data(), shape)});
  cpu().activation_backward({.kind = kind, .x = view(x.data(), shape), .dy = slope, .dx = slope});
  return result;
}

TEST(Properties, ActivationsAtExtremes) {
  const std::vector<float> x = {-1e8f, -100, -20, -0.0f, 0, 20, 100, 1e8f};
  for_every_instruction_set([&] {
    for (const Activation kind : kActivations) {
      const Activated a = activate(kind, x);
      for (size_t i = 0; i < x.size(); ++i) {
        const double y = reference::activation(kind, x[i]),
                     slope = reference::activation_derivative(kind, x[i]);
        EXPECT_NEAR(a.y[i], y, 1e-30 + 1e-6 * std::fabs(y)) << x[i];
        EXPECT_NEAR(a.slope[i], slope, 1e-12 + 1e-6 * std::fabs(slope)) << x[i];
      }
      const Activated beyond = activate(kind, {kInfinity, -kInfinity});
      EXPECT_EQ(beyond.y[0], kInfinity);
      EXPECT_LE(beyond.y[1], 0);
      if (kind != Activation::kGelu && kind != Activation::kRelu) continue;
      EXPECT_EQ(beyond.slope, (std::vector<float>{1, 0}));
    }
  });
}

// A constant row has variance 0: the result is the bias. Powers of two, whose sums are exact.
TEST(Properties, LayerNormOfConstantRows) {
  enum { kX, kWeight, kBias, kY };
  const OperationCase operation = layer_norm_forward_case({.N = 3, .C = 64});
  for_every_instruction_set([&] {
    const CaseMemory memory(operation, 0);
    for (int64_t i = 0; i < 3 * 64; ++i)
      memory.views()[kX].as<float>()[i] = i < 64 ? 0 : i < 128 ? 0x1p26f : -0x1p-90f;
    operation.run(cpu(), memory.views());
    for (int64_t i = 0; i < 3 * 64; ++i) {
      EXPECT_EQ(memory.views()[kY].as<float>()[i], memory.views()[kBias].as<float>()[i % 64]) << i;
    }
  });
}

// Puts a NaN at one element of an input and says whether the output at an element that depends on
// it is a NaN.
bool passes_nan_on(const OperationCase& operation, int input, int64_t element, int output,
                   int64_t at) {
  const CaseMemory memory(operation, 0);
  const View view = memory.views()[input];
  view.dtype == DType::kBF16 ? void(view.as<bf16>()[element] = to_bf16(kNaN))
                             : void(view.as<float>()[element] = kNaN);
  operation.run(cpu(), memory.views());
  return std::isnan(to_doubles(memory.views()[output])[at]);
}

// A model that diverged must show it. Elements 3 (in a vector) and 36 (behind the last whole one)
// of 37.
TEST(Properties, NaNPassesOn) {
  for_every_instruction_set([] {
    for (const int64_t e : {3, 36}) {
      SCOPED_TRACE(e);
      for (const DType type : kTypes) {
        for (const Activation kind : kActivations) {
          OperationCase backward = activation_backward_case({kind, 37, type});
          EXPECT_TRUE(passes_nan_on(activation_forward_case({kind, 37, type}), 0, e, 1, e));
          // Relu's slope asks x for its sign alone.
          EXPECT_EQ(passes_nan_on(backward, 0, e, 2, e), kind != Activation::kRelu);
          backward.tensors[0].low = 1;
          EXPECT_TRUE(passes_nan_on(backward, 1, e, 2, e));
        }
        EXPECT_TRUE(passes_nan_on(add_case(37, type), 1, e, 0, e));
        EXPECT_TRUE(passes_nan_on(sum_rows_case(3, 37, type, false), 0, e, 1, e));
        const AttentionCase wide{.B = 1, .T = 2, .NH = 1, .HS = 37, .type = type};
        EXPECT_TRUE(passes_nan_on(attention_forward_case(wide), 0, e, 1, e));   // query 0
        EXPECT_TRUE(passes_nan_on(attention_backward_case(wide), 3, e, 4, e));  // dout
        EXPECT_TRUE(passes_nan_on(attention_cached_case(wide), 0, e, 5, 0));    // query
        const AttentionCase narrow{.B = 1, .T = 38, .NH = 1, .HS = 1, .type = type};
        // Key of slot 1.
        EXPECT_TRUE(passes_nan_on(attention_cached_case(narrow), 3, 38 + e, 5, 0));
      }
      EXPECT_TRUE(passes_nan_on(cast_case(37, DType::kBF16), 0, e, 1, e));
      EXPECT_TRUE(passes_nan_on(layer_norm_forward_case({.N = 1, .C = 37}), 0, e, 3, 0));
      EXPECT_TRUE(passes_nan_on(layer_norm_backward_case({.N = 1, .C = 37}), 0, e, 5, 0));
      EXPECT_TRUE(passes_nan_on(sum_of_squares_case(37), 0, e, 1, 0));
      EXPECT_TRUE(passes_nan_on(adamw_case(37, false), 1, e, 0, e));
      EXPECT_TRUE(std::isnan(cross_entropy(std::vector<float>(37, kNaN), {1}).losses[0]));
      std::vector<float> logits(37, 1);
      logits[e] = kNaN;
      const Loss loss = cross_entropy(logits, {1});
      EXPECT_TRUE(std::isnan(loss.losses[0]) && std::isnan(loss.dlogits[0]) &&
                  std::isnan(loss.dlogits[1]));
    }
  });
}

// Of 10^5 elements 7 in 10 are kept, within five standard deviations; seeds and sites choose
// independently.
TEST(Properties, DropoutKeepsTheRightShare) {
  constexpr int64_t kCount = 100000;
  constexpr double kKeep = 0.7;
  const auto mask = [](uint64_t seed, uint64_t site) {
    std::vector<float> x(kCount, 1);
    cpu().dropout(view(x.data(), {kCount}), {.rate = 0.3f, .seed = seed, .site = site});
    return x;
  };
  const auto both = [](const std::vector<float>& a, const std::vector<float>& b) {
    double count = 0;
    for (int64_t i = 0; i < kCount; ++i) count += a[i] > 0 && b[i] > 0 ? 1 : 0;
    return count / kCount;
  };
  const auto tolerance = [](double share) { return 5 * std::sqrt(share * (1 - share) / kCount); };
  const auto first = mask(1, 1);
  EXPECT_NEAR(both(first, first), kKeep, tolerance(kKeep));
  for (const auto& other : {mask(2, 1), mask(1, 2)}) {
    EXPECT_NEAR(both(first, other), kKeep * kKeep, tolerance(kKeep * kKeep));
  }
  EXPECT_EQ(first, mask(1, 1));
}

void refuses(const std::function<void()>& f, const std::string& part) {
  EXPECT_TRUE(mentions(thrown_by(f), part));
}

TEST(Properties, WrongSizesAndTypesAreRefused) {
  std::vector<float> memory(64);
  std::vector<int32_t> five(4, 5);
  const auto f32 = [&](const Shape& shape) { return view(memory.data(), shape); };
  const View bf{memory.data(), DType::kBF16, {2, 3}}, index = view(five.data(), {2});
  refuses(
      [&] {
        cpu().matmul_nn({.a = f32({2, 3}), .b = f32({4, 5}), .c = f32({2, 5})});
      },
      "inner");
  refuses([&] { cpu().matmul_nt({.a = f32({2, 3}), .b = bf, .c = f32({2, 2})}); }, "types");
  refuses(
      [&] {
        cpu().matmul_rows_nn({.a = f32({2, 3}), .b = f32({4, 5}), .c = f32({2, 5})});
      },
      "sizes");
  refuses(
      [&] {
        cpu().matmul_rows_nt(
            {.a = f32({2, 3}), .b = f32({5, 3}), .c = f32({2, 5}), .accumulate = true});
      },
      "accumulate");
  refuses(
      [&] {
        cpu().cross_entropy({.logits = f32({2, 5}), .targets = index, .losses = f32({2})});
      },
      "beyond V");
  refuses(
      [&] {
        cpu().embedding_forward({index, index, f32({5, 2}), f32({9, 2}), f32({2, 2})});
      },
      "index");
  refuses(
      [&] {
        cpu().cache_store({f32({2, 6}), index, index, f32({2, 1, 3, 2}), f32({2, 1, 3, 2})});
      },
      "index");
  refuses(
      [&] {
        cpu().activation_forward({.kind = Activation::kRelu, .x = f32({2, 3}), .y = bf});
      },
      "types");
  refuses([&] { cpu().add(bf, f32({2, 3})); }, "type");
  refuses([&] { cpu().dropout(f32({4}), {.rate = 1}); }, "rate");
  const View square = f32({2, 2}), scratch = f32({64});
  refuses([&] { cpu().muon({square, square, square, scratch, {}, 3}); }, "shape");
  refuses([&] { cpu().muon({square, f32({2, 3}), square, scratch}); }, "sizes");
  refuses([&] { cpu().muon({square, square, square, f32({8})}); }, "scratch");
}

// In whichever thread it happens, an error of a kernel comes out of the operation, and the backend
// works on.
TEST(Properties, WhatAKernelThrowsInAnyThreadComesOut) {
  constexpr int64_t kCount = 1 << 16, kNotThere = int64_t{1} << 50;
  std::vector<float> memory(kCount, 1.0f), other(kCount, 2.0f);
  const View x = view(memory.data(), {kCount}), delta = view(other.data(), {kCount});
  const View bf{memory.data(), DType::kBF16, {kCount}};
  std::vector<int32_t> zeros(8);
  const View index = view(zeros.data(), {8}), qkv = view(memory.data(), {8, 6}),
             cache = view(other.data(), {1, 1, kNotThere, 2}), out = view(memory.data(), {8, 2});
  for (const int threads : {1, 2, 3}) {
    Backend& backend = cpu(threads);
    for (int round = 0; round < 20; ++round) {
      refuses([&] { backend.add(bf, delta); }, "type");
      refuses(
          [&] {
            backend.sum_rows(view(memory.data(), {4, 1024}), {other.data(), DType::kBF16, {1024}},
                             false);
          },
          "type");
      // Working memory for 2^50 positions.
      EXPECT_THROW(backend.attention_cached({.qkv = qkv,
                                             .slots = index,
                                             .positions = index,
                                             .keys = cache,
                                             .values = cache,
                                             .out = out}),
                   std::bad_alloc);
    }
    std::fill(memory.begin(), memory.end(), 1.0f);
    std::fill(other.begin(), other.end(), 2.0f);
    backend.add(x, delta);
    EXPECT_EQ(std::ranges::count(memory, 3.0f), kCount);
    std::fill(memory.begin(), memory.end(), 1.0f);
  }
}

}  // namespace
}  // namespace inkstone::test

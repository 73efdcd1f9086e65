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


// Intervals 0..i say what no intervals say: the same bits.
TEST(Properties, CausalIntervalsAreCausalAttention) {
  enum { kOut = 1, kLse = 2, kDqkv = 4 };
  for (const DType type : kTypes) {
    for (const int64_t T : {1, 40, 64, 130}) {
      const AttentionCase c{.B = 2, .T = T, .NH = 2, .HS = 20, .type = type};
      AttentionCase with_arrays = c;
      with_arrays.mask = KeyMask::kCausalIntervals;
      for_every_instruction_set([&] {
        const CaseMemory f(attention_forward_case(c), 0), g(attention_forward_case(with_arrays), 0);
        attention_forward_case(c).run(cpu(), f.views());
        attention_forward_case(with_arrays).run(cpu(), g.views());
        EXPECT_EQ(f.bytes(kOut), g.bytes(kOut));
        EXPECT_EQ(f.bytes(kLse), g.bytes(kLse));
        const CaseMemory p(attention_backward_case(c), 0),
            q(attention_backward_case(with_arrays), 0);
        attention_backward_case(c).run(cpu(), p.views());
        attention_backward_case(with_arrays).run(cpu(), q.views());
        EXPECT_EQ(p.bytes(kDqkv), q.bytes(kDqkv));
      });
    }
  }
}

// Heads [rows,heads,HS] with gaps between rows and between heads, taken from or compared with
// others.
struct HeadsWithGaps {
  static constexpr float kGap = -7;
  int64_t rows, heads, HS, head_stride = HS + 2, row_stride = heads * head_stride + 3;
  std::vector<float> memory = std::vector<float>(rows * row_stride, kGap);

  StridedHeads strided() {
    return {view(memory.data(), {std::ssize(memory)}), heads, row_stride, head_stride};
  }
  void take(const StridedHeads& from) {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t h = 0; h < heads; ++h)
        std::copy_n(from.at<float>(r, h), HS, strided().at<float>(r, h));
    }
  }
  // The same numbers, and nothing written between them.
  bool equals(const StridedHeads& other) const {
    HeadsWithGaps expected{rows, heads, HS};
    expected.take(other);
    return memory == expected.memory;
  }
};

// Wherever q, k, v and their gradients lie, the bits are those of the packed ones.
TEST(Properties, AttentionTakesHeadsWhereTheyLie) {
  const AttentionCase c{
      .B = 2, .T = 70, .NH = 4, .HS = 5, .mask = KeyMask::kDocuments, .queries_per_key_head = 2};
  const OperationCase forward = attention_forward_case(c), backward = attention_backward_case(c);
  const CaseMemory memory(backward, 0), result(forward, 0);
  const Views t = memory.views(), to = result.views();
  HeadsWithGaps q{c.B * c.T, c.NH, c.HS}, k{c.B * c.T, c.KVH(), c.HS}, v = k, dq = q, dk = k,
                                                                       dv = k;
  const PackedHeads packed = heads_of(c, t[0]), gradients = heads_of(c, t[4]);
  q.take(packed.q), k.take(packed.k), v.take(packed.v);
  forward.run(cpu(), to);
  backward.run(cpu(), t);
  const auto out = result.bytes(1), lse = result.bytes(2);
  cpu().attention_forward({.q = q.strided(),
                           .k = k.strided(),
                           .v = v.strided(),
                           .first_keys = t[5],
                           .last_keys = t[6],
                           .scale = c.scale(),
                           .out = to[1],
                           .lse = to[2]});
  EXPECT_EQ(result.bytes(1), out);
  EXPECT_EQ(result.bytes(2), lse);
  std::vector<float> scratch(cpu().attention_backward_scratch_bytes(c.T, c.HS) / sizeof(float));
  cpu().attention_backward({.dout = t[3],
                            .q = q.strided(),
                            .k = k.strided(),
                            .v = v.strided(),
                            .first_keys = t[5],
                            .last_keys = t[6],
                            .out = t[1],
                            .lse = t[2],
                            .scale = c.scale(),
                            .dq = dq.strided(),
                            .dk = dk.strided(),
                            .dv = dv.strided(),
                            .scratch = view(scratch.data(), {std::ssize(scratch)})});
  EXPECT_TRUE(dq.equals(gradients.q));
  EXPECT_TRUE(dk.equals(gradients.k));
  EXPECT_TRUE(dv.equals(gradients.v));
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

// Rows of a step in memory of their own: AdamW's of these lengths, and a matrix of Muon's between.
struct StepOfRows {
  std::vector<std::unique_ptr<CaseMemory>> memory;
  std::vector<ParameterUpdate> rows;
  OptimizerStep step{
      .rows = {}, .clip = kClip, .adamw = {.correction1 = 0.1, .correction2 = 0.001}};

  StepOfRows() {
    for (const int64_t count : {1, 17, 5000, 0, 12291, 3}) {
      const OperationCase c = count > 0 ? adamw_case(count, true)
                                        : muon_case({.rows = 5, .columns = 9, .copy = true});
      memory.push_back(std::make_unique<CaseMemory>(c, 1));
      const Views t = memory.back()->views();
      ParameterUpdate row{.parameter = t[0], .gradient = t[1], .m = t[2], .lr = 0.01};
      if (count > 0) {
        row.v = t[3], row.copy = t[5];
      } else {
        row.rule = UpdateRule::kMuon;
        row.copy = t[4];
        step.scratch = t.back();
      }
      step.squared_norm = t[count > 0 ? 4 : 3];
      rows.push_back(row);
    }
  }
  std::vector<std::byte> bytes() const {
    std::vector<std::byte> all;
    for (const auto& m : memory) {
      for (size_t i = 0; i < m->views().size(); ++i) {
        if (m->views()[i].data == step.scratch.data) continue;
        const auto of_tensor = m->bytes(static_cast<int>(i));
        all.insert(all.end(), of_tensor.begin(), of_tensor.end());
      }
    }
    return all;
  }
};

TEST(Properties, AStepOverManyRowsIsAStepOfEach) {
  for_every_instruction_set([] {
    StepOfRows one_by_one;
    for (const ParameterUpdate& row : one_by_one.rows) {
      one_by_one.step.rows = std::span(&row, 1);
      cpu(1).optimizer_step(one_by_one.step);
    }
    for (const int threads : {1, 2, 3}) {
      StepOfRows together;
      together.step.rows = together.rows;
      cpu(threads).optimizer_step(together.step);
      EXPECT_TRUE(together.bytes() == one_by_one.bytes()) << threads << " threads";
    }
  });
}

TEST(Properties, AStepOfNoFiniteNormChangesNothing) {
  for (double squared_norm : {std::nan(""), HUGE_VAL}) {
    StepOfRows s;
    s.step.rows = s.rows;
    const std::vector<std::byte> before = s.bytes();
    const ConstView good = s.step.squared_norm;
    s.step.squared_norm = view(&squared_norm, {1});
    cpu().optimizer_step(s.step);
    EXPECT_TRUE(s.bytes() == before);
    s.step.squared_norm = good;
    cpu().optimizer_step(s.step);
    EXPECT_FALSE(s.bytes() == before);
  }
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
        cpu().linear({.x = f32({2, 3}), .weight = {.in = 4, .out = 5}, .y = f32({2, 5})});
      },
      "sizes");
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
        cpu().activation_forward({.kind = Activation::kRelu, .x = f32({2, 3}), .y = bf});
      },
      "types");
  refuses([&] { cpu().add(bf, f32({2, 3})); }, "type");
  refuses([&] { cpu().dropout(f32({4}), {.rate = 1}); }, "rate");
  const View square = f32({2, 2}), scratch = f32({64});
  const auto step = [&](const ParameterUpdate& row, View working_memory) {
    cpu().optimizer_step({.rows = std::span(&row, 1), .scratch = working_memory});
  };
  using enum UpdateRule;
  refuses([&] { step({kMuon, square, square, square, {}, {}, 3}, scratch); }, "shape");
  refuses([&] { step({kMuon, square, f32({2, 3}), square}, scratch); }, "sizes");
  refuses([&] { step({kMuon, square, square, square}, f32({8})); }, "scratch");
  refuses([&] { step({kAdamW, square, square, square, f32({3})}, {}); }, "size of v");
  refuses([&] { cpu().sum(square, f32({1}), false); }, "type");
  refuses([&] { cpu().sum(square, {memory.data(), DType::kF64, {2}}, false); }, "total");
  refuses(
      [&] {
        cpu().matmul_nn({.a = f32({2, 3}), .b = f32({3, 2}), .c = f32({2, 2}), .b_stride = 1});
      },
      "overlap");
}

// Two sequences of three queries, four heads of two channels, two heads of keys.
TEST(Properties, WrongAttentionIsRefused) {
  std::vector<float> memory(96);
  const View out = view(memory.data(), {2, 3, 8}), qkv = view(memory.data(), {2, 3, 16}),
             lse = view(memory.data(), {2, 4, 3});
  const PackedHeads heads = split_heads(qkv, 4, 2);
  const auto attend = [&](const PackedHeads& x, ConstView first, ConstView last) {
    cpu().attention_forward({.q = x.q,
                             .k = x.k,
                             .v = x.v,
                             .first_keys = first,
                             .last_keys = last,
                             .out = out,
                             .lse = lse});
  };
  const auto refuses_interval = [&](int32_t first, int32_t last, const std::string& part) {
    std::vector<int32_t> firsts(6), lasts(6, 2);
    firsts[4] = first, lasts[4] = last;
    refuses([&] { attend(heads, view(firsts.data(), {2, 3}), view(lasts.data(), {2, 3})); }, part);
  };
  refuses_interval(-1, 1, "interval");
  refuses_interval(2, 1, "interval");
  refuses_interval(2, 3, "interval");
  const std::vector<int32_t> zeros(6);
  refuses([&] { attend(heads, view(zeros.data(), {6}), {}); }, "one end");
  refuses([&] { attend(heads, view(zeros.data(), {5}), view(zeros.data(), {6})); }, "intervals");
  PackedHeads wrong = heads;
  wrong.v.row_stride = 17;
  refuses([&] { attend(wrong, {}, {}); }, "sizes");
  wrong = heads;
  wrong.v.heads = 1;
  refuses([&] { attend(wrong, {}, {}); }, "heads");
  wrong.k.heads = wrong.v.heads = 3;
  refuses([&] { attend(wrong, {}, {}); }, "heads");
  wrong = heads;
  wrong.k.data.dtype = DType::kBF16;
  refuses([&] { attend(wrong, {}, {}); }, "types");
}

// In whichever thread it happens, an error of a kernel comes out of the operation, and the backend
// works on.
TEST(Properties, WhatAKernelThrowsInAnyThreadComesOut) {
  constexpr int64_t kCount = 1 << 16, kNotThere = int64_t{1} << 50;
  std::vector<float> memory(kCount, 1.0f), other(kCount, 2.0f);
  const View x = view(memory.data(), {kCount}), delta = view(other.data(), {kCount});
  const View bf{memory.data(), DType::kBF16, {kCount}};
  std::vector<int32_t> zeros(8);
  const View index = view(zeros.data(), {8}), rows = view(memory.data(), {8, kNotThere});
  const Weight table{.layout = WeightLayout::kOutIn, .in = kNotThere, .out = 1, .data = rows.data};
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
      // Working memory for 2^50 channels.
      EXPECT_THROW(
          backend.embed(
              {.tokens = index, .positions = index, .wte = table, .wpe = table, .x = rows}),
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

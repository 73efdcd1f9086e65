// The CPU backend's kernels against the reference, at sizes that are no multiple of a vector, a
// tile or a thread's share of the work.
#include <thread>

#include "kernels/cpu/products.h"
#include "kernels/harness.h"
#include "kernels/late_backend.h"
#include "tensor/blocks.h"

namespace inkstone::test {
namespace {

constexpr DType kTypes[] = {DType::kF32, DType::kBF16};
constexpr int64_t kWidths[] = {1, 17, 768, 769};
constexpr DropoutMask kDropout{.rate = 0.3f, .seed = 17, .site = 5};

TEST(Kernels, Add) {
  for (const DType type : kTypes) {
    for (const int64_t count : {1, 17, 769, 12291}) check(add_case(count, type));
  }
}

TEST(Kernels, Cast) {
  for (const DType to : kTypes) {
    for (const int64_t count : {1, 17, 769, 12291}) check(cast_case(count, to));
  }
}

TEST(Kernels, SumRows) {
  for (const DType type : kTypes) {
    for (const int64_t C : kWidths) {
      for (const int64_t rows : {1, 2, 33, 130}) check(sum_rows_case(rows, C, type, C % 2 == 0));
    }
  }
  check(sum_rows_case(5, 17, DType::kF32, true));
}

TEST(Kernels, ScaleColumns) {
  for (const DType type : kTypes) {
    for (const int64_t columns : kWidths) {
      for (const int64_t rows : {1, 2, 33})
        check(scale_columns_case(rows, columns, type, rows > 1));
    }
  }
}

TEST(Kernels, SumProducts) {
  for (const DType type : kTypes) {
    for (const int64_t columns : kWidths) {
      for (const int64_t rows : {1, 2, 33})
        check(sum_products_case(rows, columns, type, rows == 2));
    }
  }
}

TEST(Kernels, AdaptedNorms) {
  for (const WeightLayout layout : {WeightLayout::kInOut, WeightLayout::kOutIn}) {
    for (const DType type : kTypes) {
      for (const int64_t rank : {1, 3}) {
        check(
            adapted_norms_case({.in = 17, .out = 5, .rank = rank, .layout = layout, .type = type}));
        check(adapted_norms_case(
            {.in = 33, .out = 130, .rank = rank, .layout = layout, .type = type}));
      }
    }
  }
}

// Exact: every type's numbers are f32, and are rounded once for bf16.
TEST(Kernels, WidensRowsOfEveryType) {
  constexpr int64_t kRows = 5, kColumns = 256;
  std::vector<float> values(kRows * kColumns);
  for (size_t i = 0; i < values.size(); ++i) values[i] = std::sin(0.37f * static_cast<float>(i));
  for (const std::string_view name : weight_type_names()) {
    SCOPED_TRACE(name);
    const WeightType type = *weight_type_by_name(name);
    std::vector<std::byte> stored(kRows * row_bytes(type, kColumns));
    std::vector<float> decoded(values.size()), widened(2 * kColumns);
    std::vector<bf16> rounded(2 * kColumns);
    encode_row(type, values.data(), kRows * kColumns, nullptr, stored.data());
    decode_row(type, stored.data(), kRows * kColumns, decoded.data());
    for (const WeightLayout layout : {WeightLayout::kInOut, WeightLayout::kOutIn}) {
      const bool in_out = layout == WeightLayout::kInOut;
      const Weight weight{type, layout, in_out ? kRows : kColumns, in_out ? kColumns : kRows,
                          stored.data()};
      cpu().widen({.weight = weight, .first_row = 2, .to = view(widened.data(), {2, kColumns})});
      cpu().widen({.weight = weight, .first_row = 2, .to = view(rounded.data(), {2, kColumns})});
      for (size_t i = 0; i < widened.size(); ++i) {
        const float expected = decoded[2 * kColumns + i];
        ASSERT_EQ(widened[i], expected) << i;
        ASSERT_EQ(rounded[i].bits, to_bf16(expected).bits) << i;
      }
    }
  }
}

TEST(Kernels, Sum) {
  for (const int64_t count : {1, 2, 17, 4099}) {
    for (const bool accumulate : {false, true}) check(sum_case(count, accumulate));
  }
}

TEST(Kernels, SumOfSquares) {
  for (const int64_t count : {1, 2, 17, 769, 65537, 200003}) check(sum_of_squares_case(count));
}

std::vector<ActivationCase> activation_grid() {
  std::vector<ActivationCase> cases;
  for (const Activation kind : kActivations) {
    for (const DType type : kTypes) {
      for (const int64_t count : {1, 17, 769, 4099}) cases.push_back({kind, count, type});
      for (const double range : {100.0, 16.0, 1e-3}) cases.push_back({kind, 4099, type, range});
    }
  }
  return cases;
}

TEST(Kernels, ActivationForward) {
  for (const ActivationCase& c : activation_grid()) check(activation_forward_case(c));
}

TEST(Kernels, ActivationBackward) {
  for (const ActivationCase& c : activation_grid()) check(activation_backward_case(c));
}

TEST(Kernels, Dropout) {
  for (const DType type : kTypes) {
    for (const float rate : {0.0f, 0.1f, 0.5f, 0.999f}) {
      for (const int64_t count : {1, 17, 5001})
        check(dropout_case(count, type, {.rate = rate, .seed = 3, .site = 9}));
    }
  }
}

TEST(Kernels, AdamW) {
  for (const bool copy : {false, true}) {
    for (const int64_t count : {1, 17, 769, 12291}) check(adamw_case(count, copy));
    check(adamw_case(769, copy, 1e-12));
    check(adamw_case(769, copy, 1e4));
  }
}

TEST(Kernels, Muon) {
  for (const bool copy : {false, true}) {
    check(muon_case({.rows = 1, .columns = 1, .copy = copy}));
    check(muon_case({.rows = 1, .columns = 17, .copy = copy}));
    check(muon_case({.rows = 17, .columns = 1, .copy = copy}));
    check(muon_case({.rows = 17, .columns = 40, .copy = copy}));
    check(muon_case({.rows = 40, .columns = 17, .copy = copy}));
    check(muon_case({.rows = 33, .columns = 33, .parts = 3, .copy = copy}));
  }
  check(muon_case({.rows = 96, .columns = 384}));
  check(muon_case({.rows = 17, .columns = 40, .gradient_range = 1e-12}));  // below the least norm
  check(muon_case({.rows = 17, .columns = 40, .gradient_range = 1e4}));
}

TEST(Kernels, CrossEntropy) {
  using Gradient = CrossEntropyCase::Gradient;
  for (const auto gradient :
       {Gradient::kNone, Gradient::kF32, Gradient::kBF16, Gradient::kInPlace}) {
    for (const int64_t V : {1, 2, 17, 5001})
      check(cross_entropy_case({.R = 9, .V = V, .gradient = gradient}));
    check(cross_entropy_case({.R = 9, .V = 769, .gradient = gradient, .weights = true}));
    check(cross_entropy_case({.R = 9, .V = 769, .gradient = gradient, .range = 1e4}));
    check(cross_entropy_case({.R = 9, .V = 769, .gradient = gradient, .range = 1, .offset = 1e4}));
  }
}

TEST(Kernels, EmbeddingForward) {
  for (const int64_t C : kWidths) {
    for (const int64_t N : {1, 2, 33})
      check(embedding_forward_case({.N = N, .C = C, .V = 41, .T = 7}));
  }
}

TEST(Kernels, EmbeddingBackward) {
  for (const int64_t C : kWidths) {
    for (const int64_t N : {1, 2, 33})
      check(embedding_backward_case({.N = N, .C = C, .V = 41, .T = 7}));
  }
  check(embedding_backward_case({.N = 130, .C = 17, .V = 1, .T = 1}));
  check(embedding_backward_case({.N = 33, .C = 17, .V = 41, .T = 7, .dwte = false}));
  check(embedding_backward_case({.N = 33, .C = 17, .V = 41, .T = 7, .dwpe = false}));
}

TEST(Kernels, LayerNormForward) {
  for (const DType type : kTypes) {
    for (const int64_t C : kWidths) {
      for (const bool delta : {false, true}) {
        for (const int64_t N : {1, 2, 33}) {
          check(layer_norm_forward_case({.N = N, .C = C, .type = type, .delta = delta}));
        }
        check(
            layer_norm_forward_case({.N = 5, .C = C, .type = type, .delta = delta, .bias = false}));
        // Mean/std 1000.
        check(layer_norm_forward_case({.N = 3, .C = C, .type = type, .delta = delta, .mean = 577}));
      }
    }
  }
}

TEST(Kernels, LayerNormBackward) {
  for (const DType type : kTypes) {
    for (const int64_t C : kWidths) {
      for (const bool accumulate : {false, true}) {
        for (const int64_t N : {1, 33, 130}) {
          check(layer_norm_backward_case({.N = N, .C = C, .type = type, .accumulate = accumulate}));
        }
        check(layer_norm_backward_case(
            {.N = 67, .C = C, .type = type, .accumulate = accumulate, .bias = false}));
        for (const bool bias : {false, true}) {
          check(layer_norm_backward_case({.N = 67,
                                          .C = C,
                                          .type = type,
                                          .accumulate = accumulate,
                                          .bias = bias,
                                          .dweight = false}));
        }
      }
    }
  }
}

// Every length with one head, every head size with some lengths.
std::vector<AttentionCase> attention_grid() {
  std::vector<AttentionCase> cases;
  for (const DType type : kTypes) {
    for (const int64_t T : {1, 2, 16, 17, 33, 64, 65, 130}) {
      for (const int64_t HS : {1, 5, 64, 80}) {
        if (HS % 5 == 0 || T % 2 == 1)
          cases.push_back({.B = 1, .T = T, .NH = 1, .HS = HS, .type = type});
      }
    }
    cases.push_back({.B = 2, .T = 33, .NH = 3, .HS = 5, .type = type});
    cases.push_back({.B = 2, .T = 65, .NH = 2, .HS = 64, .type = type, .dropout = kDropout});
    cases.push_back({.B = 1, .T = 130, .NH = 2, .HS = 5, .type = type, .dropout = kDropout});
    cases.push_back({.B = 2, .T = 1, .NH = 3, .HS = 17, .type = type, .dropout = kDropout});
    cases.push_back({.B = 1, .T = 130, .NH = 1, .HS = 64, .type = type, .range = 4});
    // Scores of 10^4: one is all.
    cases.push_back({.B = 1, .T = 65, .NH = 1, .HS = 5, .type = type, .range = 100});
  }
  return cases;
}

// Every mask at lengths inside a tile, at its end and over several; heads that share keys, and
// heads whose q, k and v lie together.
std::vector<AttentionCase> interval_grid() {
  std::vector<AttentionCase> cases;
  for (const DType type : kTypes) {
    for (const KeyMask mask : kIntervals) {
      for (const int64_t T : {1, 17, 64, 65, 200})
        cases.push_back({.B = 2, .T = T, .NH = 1, .HS = 5, .type = type, .mask = mask});
      AttentionCase c{.B = 1, .T = 130, .NH = 2, .HS = 17, .type = type, .mask = mask};
      c.queries_per_key_head = 2;
      cases.push_back(c);
      c.dropout = kDropout;
      cases.push_back(c);
    }
    cases.push_back({.B = 2, .T = 33, .NH = 6, .HS = 17, .type = type, .queries_per_key_head = 3});
    cases.push_back({.B = 2, .T = 33, .NH = 3, .HS = 17, .type = type, .interleaved = true});
    AttentionCase c{.B = 1, .T = 65, .NH = 1, .HS = 80, .type = type, .mask = KeyMask::kRandom};
    cases.push_back(c);
    c.range = 100;
    cases.push_back(c);
  }
  return cases;
}

TEST(Kernels, AttentionForward) {
  for (const AttentionCase& c : attention_grid()) check(attention_forward_case(c));
}

TEST(Kernels, AttentionBackward) {
  for (const AttentionCase& c : attention_grid()) check(attention_backward_case(c));
}

TEST(Kernels, AttentionForwardOfIntervals) {
  for (const AttentionCase& c : interval_grid()) check(attention_forward_case(c));
}

TEST(Kernels, AttentionBackwardOfIntervals) {
  for (const AttentionCase& c : interval_grid()) check(attention_backward_case(c));
}

// M, N, K with odd sizes in each place.
constexpr int64_t kProducts[][3] = {{1, 1, 1},     {1, 17, 769}, {2, 769, 17}, {5, 768, 64},
                                    {7, 5, 65},    {33, 17, 1},  {3, 1, 130},  {33, 130, 33},
                                    {65, 33, 768}, {1, 5001, 17}};

void check_products(Product product) {
  for (const auto& [M, N, K] : kProducts) {
    for (const DType operand : kTypes) {
      for (const DType result : kTypes) {
        // No use in the model.
        if (operand == DType::kF32 && result == DType::kBF16) continue;
        const MatmulCase c{
            .product = product, .M = M, .N = N, .K = K, .operand = operand, .result = result};
        MatmulCase with_bias = c, accumulated = c;
        with_bias.bias = accumulated.accumulate = true;
        check(matmul_case(c));
        check(matmul_case(with_bias));
        check(matmul_case(accumulated));
      }
    }
  }
}

// With each way of staging that there is for the type, whatever this machine would choose.
void check_every_staging(MatmulCase c) {
  check(matmul_case(c), cpu::Staging::kNever);
  check(matmul_case(c), cpu::Staging::kAlways);
  c.operand = DType::kBF16;
  check(matmul_case(c), cpu::Staging::kAlways);
  c.result = DType::kBF16;
  check(matmul_case(c), cpu::Staging::kAlways);
}

// One tile and parts of the next in every direction, and rows that collide in the cache (1024
// floats).
TEST(Kernels, ProductsOfSeveralTilesStagedAndNot) {
  constexpr int64_t kSizes[][3] = {{128, 256, 3}, {129, 257, 7}, {385, 100, 5},
                                   {17, 1024, 9}, {9, 1024, 17}, {800, 385, 2}};
  for (const Product product : {Product::kNN, Product::kNT, Product::kTN}) {
    for (const auto& [M, N, K] : kSizes) {
      for (const bool accumulate : {false, true}) {
        check_every_staging({.product = product,
                             .M = M,
                             .N = N,
                             .K = K,
                             .bias = !accumulate,
                             .accumulate = accumulate});
      }
    }
  }
}

// Rows that lie further apart than they are long: what is between them stays as it is.
TEST(Kernels, ProductsOfPaddedRows) {
  constexpr int64_t kSizes[][3] = {{1, 1, 1}, {5, 17, 33}, {129, 257, 7}};
  for (const Product product : {Product::kNN, Product::kNT, Product::kTN}) {
    for (const auto& [M, N, K] : kSizes) {
      for (const int64_t padding : {1, 16}) {
        for (const bool accumulate : {false, true}) {
          check_every_staging({.product = product,
                               .M = M,
                               .N = N,
                               .K = K,
                               .bias = !accumulate,
                               .accumulate = accumulate,
                               .padding = padding});
        }
      }
    }
  }
}

// 8 MB of a staged B are 128 of its rows here: one slice and a part of the next.
TEST(Kernels, ProductsStagedInSlices) {
  check_every_staging({.product = Product::kNN, .M = 2, .N = 16384, .K = 150, .bias = true});
  check_every_staging({.product = Product::kNT, .M = 2, .N = 150, .K = 16384, .bias = true});
}

// Ever new sizes do not fill the memory with primitives, and old ones can be had again.
TEST(Kernels, TheCacheOfPrimitivesIsBounded) {
  cpu::Products products(1);
  std::vector<float> memory(4096, 1.0f);
  const auto multiply = [&](int64_t n) {
    const cpu::Matrix row{memory.data(), DType::kF32, 1, n, n},
        column{memory.data(), DType::kF32, n, 1, 1};
    float result = 0;
    const cpu::Product p{cpu::Layout::kNN, row,  column, {&result, DType::kF32, 1, 1, 1},
                         nullptr,          false};
    products.multiply(*products.find(p), p, 0);
    EXPECT_EQ(result, static_cast<float>(n));
  };
  for (int64_t n = 1; n <= 400; ++n) {
    multiply(n);
    EXPECT_LE(products.size(), cpu::Products::kMostPrimitives);
  }
  EXPECT_EQ(products.size(), cpu::Products::kMostPrimitives);
  for (int64_t n = 1; n <= 400; n += 57) multiply(n);
}

TEST(Kernels, TwoBackendsMultiplyAtTheSameTime) {
  const OperationCase c = matmul_case({.product = Product::kNN, .M = 200, .N = 300, .K = 65});
  const CaseMemory expected(c, 0);
  c.run(cpu(1), expected.views());
  const std::vector<std::byte> product = expected.bytes(2);
  const auto work = [&] {
    const auto backend = make_cpu_backend(Runtime({.threads = 2}));
    for (int round = 0; round < 20; ++round) {
      const CaseMemory memory(c, 0, *backend);
      c.run(*backend, memory.views());
      EXPECT_EQ(memory.bytes(2), product);
    }
  };
  std::thread other(work);
  work();
  other.join();
}

TEST(Kernels, MatmulNN) { check_products(Product::kNN); }
TEST(Kernels, MatmulNT) { check_products(Product::kNT); }
TEST(Kernels, MatmulTN) { check_products(Product::kTN); }

std::vector<OperationCase> case_of_each_operation() {
  const AttentionCase attention{.B = 2, .T = 33, .NH = 2, .HS = 5, .dropout = kDropout};
  const EmbeddingSizes embedding{.N = 5, .C = 17, .V = 41, .T = 7};
  std::vector<OperationCase> cases;
  for (const Product product : {Product::kNN, Product::kNT, Product::kTN})
    cases.push_back(matmul_case({.product = product, .M = 5, .N = 17, .K = 33, .bias = true}));
  for (OperationCase& c : std::vector{add_case(769, DType::kBF16),
                                      cast_case(769, DType::kBF16),
                                      sum_rows_case(5, 17, DType::kF32, false),
                                      sum_case(769, true),
                                      scale_columns_case(5, 17, DType::kF32, true),
                                      sum_products_case(5, 17, DType::kF32, true),
                                      adapted_norms_case({.in = 17, .out = 5, .rank = 2}),
                                      sum_of_squares_case(769),
                                      dropout_case(769, DType::kF32, kDropout),
                                      adamw_case(769, true),
                                      muon_case({.rows = 17, .columns = 40, .copy = true}),
                                      activation_forward_case({Activation::kGelu, 769}),
                                      activation_backward_case({Activation::kGelu, 769}),
                                      embedding_forward_case(embedding),
                                      embedding_backward_case(embedding),
                                      layer_norm_forward_case({.N = 5, .C = 17, .delta = true}),
                                      layer_norm_backward_case({.N = 5, .C = 17}),
                                      attention_forward_case(attention),
                                      attention_backward_case(attention),
                                      linear_case({.R = 3, .K = 33, .N = 17}),
                                      cross_entropy_case({.R = 9, .V = 17})})
    cases.push_back(std::move(c));
  return cases;
}

// No operation waits, and none needs the host to reach its memory.
TEST(Kernels, RunOnADeviceThatIsLate) {
  LateBackend late(Runtime({.threads = 2}));
  for (const OperationCase& c : case_of_each_operation()) {
    SCOPED_TRACE(c.name);
    const CaseMemory here(c, 0), there(c, 0, late);
    const int64_t waits = late.waits();
    c.run(cpu(), here.views());
    c.run(late, there.views());
    EXPECT_EQ(late.waits(), waits);
    for (size_t i = 0; i < c.tensors.size(); ++i)
      EXPECT_EQ(here.bytes(static_cast<int>(i)), there.bytes(static_cast<int>(i)));
    EXPECT_TRUE(there.guards_intact());
  }
}

// Released memory is still there for what was called before.
TEST(Kernels, ReleaseTakesItsTurn) {
  LateBackend late(Runtime({.threads = 1}));
  const Buffer to(late, 64);
  {
    const Buffer from(late, 64);
    late.copy_from_host(std::vector<int32_t>(16, 7).data(), from.view(DType::kI32, {16}));
    late.copy(from.view(DType::kI32, {16}), to.view(DType::kI32, {16}));
  }
  std::vector<int32_t> got(16);
  late.copy_to_host(to.view(DType::kI32, {16}), got.data());
  EXPECT_EQ(got, std::vector<int32_t>(16, 7));
}

// The comparison itself notices what it should.
TEST(Harness, SeesErrorsBeyondTheBound) {
  const std::vector<double> want = {1, 2}, bound = {0.1, 0.1};
  EXPECT_TRUE(within_bounds({1.05, 1.95}, want, bound, DType::kF32));
  EXPECT_FALSE(within_bounds({1.05, 2.2}, want, bound, DType::kF32));
  EXPECT_FALSE(within_bounds({1, NAN}, want, bound, DType::kF32));
  EXPECT_FALSE(within_bounds({1, 2.0000001}, want, {0.1, -1}, DType::kF32));
  EXPECT_TRUE(within_bounds({1.104, 2}, want, bound, DType::kBF16));
}

}  // namespace
}  // namespace inkstone::test

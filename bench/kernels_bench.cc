// Every kernel at the shapes of GPT-2 124M, B = 4, T = 64: time, FLOP/s and bytes/s (each operand
// once) per call.
//   kernels_bench [--threads=N] [Google Benchmark's flags, as --benchmark_filter=attention]
#include <benchmark/benchmark.h>

#include <charconv>
#include <cstring>
#include <deque>

#include "kernels/operation_case.h"

namespace inkstone::test {
namespace {

constexpr int64_t B = 4, T = 64, N = B * T, C = 768, NH = 12, HS = C / NH, V = 50257,
                  kContext = 1024;
constexpr DType kTypes[] = {DType::kF32, DType::kBF16};

// The tensors of a case in the backend's memory.
struct Tensors {
  std::deque<Buffer> buffers;
  std::vector<View> views;

  Tensors(Backend& backend, const OperationCase& c) {
    const HostTensors host(c);
    for (const View& from : host.views()) {
      add(backend, from.bytes(), from.dtype, from.shape);
      backend.copy_from_host(from.data, views.back());
    }
    if (!c.scratch_bytes) return;
    const int64_t bytes = c.scratch_bytes(backend);
    add(backend, bytes, DType::kF32, {bytes / size_bytes(DType::kF32)});
  }

  void add(Backend& backend, int64_t bytes, DType type, const Shape& shape) {
    buffers.emplace_back(backend, bytes);
    views.push_back(buffers.back().view(type, shape));
  }
};

// Set once, by --threads.
int threads = 0;

void measure(benchmark::State& state, OperationCase c) {
  for (TensorSpec& t : c.tensors)
    if (t.role == Role::kOutput) t.role = Role::kUpdated;  // numbers, not NaN
  const auto backend = make_backend(Runtime({.threads = threads}));
  const Tensors tensors(*backend, c);
  const auto run = [&] {
    c.run(*backend, tensors.views);
    backend->synchronize();
  };
  run();
  for (auto _ : state) run();
  const auto per_call = [](double amount) {
    return benchmark::Counter(amount, benchmark::Counter::kIsIterationInvariantRate);
  };
  if (c.flops > 0) state.counters["FLOP/s"] = per_call(c.flops);
  state.counters["bytes/s"] = per_call(c.bytes());
}

// Updated tensors drift from call to call (dropout scales, accumulation grows): no kernel's time
// depends on that.
void add(const OperationCase& c) {
  benchmark::RegisterBenchmark((c.name + "/" + c.what).c_str(),
                               [c](benchmark::State& state) { measure(state, c); })
      ->Unit(benchmark::kMicrosecond)
      ->UseRealTime();
}

void add_linear(LinearCase c, DType type) {
  c.weight = type == DType::kBF16 ? WeightType::kBF16 : WeightType::kF32;
  add(linear_case(c));
}

// The products of one layer and of the logits: forward, and the gradients of inputs and of weights.
void add_products(DType type) {
  constexpr int64_t kLayer[][2] = {{3 * C, C}, {C, C}, {4 * C, C}, {C, 4 * C}};  // outputs, inputs
  for (const auto& [out, in] : kLayer) {
    MatmulCase forward{
        .product = Product::kNN, .M = N, .N = out, .K = in, .operand = type, .result = type};
    forward.bias = true;
    add(matmul_case(forward));
    add(matmul_case(
        {.product = Product::kNT, .M = N, .N = in, .K = out, .operand = type, .result = type}));
    add(matmul_case(
        {.product = Product::kTN, .M = in, .N = out, .K = N, .operand = type, .accumulate = true}));
    for (const int64_t R : {1, 8, 64, 1024}) add_linear({.R = R, .K = in, .N = out}, type);
  }
  for (const int64_t R : {1, 64})
    add_linear({.R = R, .K = C, .N = V, .layout = WeightLayout::kOutIn, .bias = false}, type);
  add(matmul_case({.product = Product::kNT, .M = N, .N = V, .K = C, .operand = type}));
}

void add_activations(DType type) {
  const DropoutMask dropout{.rate = 0.1f, .seed = 1, .site = 1};
  add(layer_norm_forward_case({.N = N, .C = C, .type = type, .delta = true}));
  add(layer_norm_backward_case({.N = N, .C = C, .type = type}));
  for (const Activation kind : kActivations) {
    add(activation_forward_case({kind, N * 4 * C, type}));
    add(activation_backward_case({kind, N * 4 * C, type}));
  }
  add(dropout_case(N * C, type, dropout));
  add(add_case(N * C, type));
  add(cast_case(N * C, type));
  add(sum_rows_case(N, 3 * C, type, false));
  add(scale_columns_case(N, 3 * C, type, true));
  add(sum_products_case(N, 3 * C, type, false));
  add(adapted_norms_case({.in = C, .out = 3 * C, .rank = 8, .type = type}));
  for (const DropoutMask& mask : {DropoutMask{}, dropout}) {
    const AttentionCase attention{
        .B = B, .T = T, .NH = NH, .HS = HS, .type = type, .dropout = mask};
    add(attention_forward_case(attention));
    add(attention_backward_case(attention));
  }
}

void add_all() {
  for (const DType type : kTypes) {
    add_products(type);
    add_activations(type);
  }
  add(embedding_forward_case({.N = N, .C = C, .V = V, .T = kContext}));
  add(embedding_backward_case({.N = N, .C = C, .V = V, .T = kContext}));
  add(cross_entropy_case({.R = N, .V = V, .gradient = CrossEntropyCase::Gradient::kInPlace}));
  add(cross_entropy_case({.R = N, .V = V, .gradient = CrossEntropyCase::Gradient::kBF16}));
  add(adamw_case(12 * C * C, true));  // one layer's matrices
  add(sum_of_squares_case(12 * C * C));
}

// Takes --threads=N out of the arguments; 0, the default, means all processors.
int take_thread_count(int& argc, char** argv) {
  constexpr const char* kFlag = "--threads=";
  int count = 0, kept = 1;
  for (int i = 1; i < argc; ++i) {
    if (std::strncmp(argv[i], kFlag, std::strlen(kFlag)) == 0) {
      const char* digits = argv[i] + std::strlen(kFlag);
      std::from_chars(digits, digits + std::strlen(digits), count);
    } else {
      argv[kept++] = argv[i];
    }
  }
  argc = kept;
  return count;
}

}  // namespace
}  // namespace inkstone::test

int main(int argc, char** argv) {
  inkstone::test::threads = inkstone::test::take_thread_count(argc, argv);
  inkstone::test::add_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::AddCustomContext(
      "backend", inkstone::make_backend(inkstone::Runtime({.threads = inkstone::test::threads}))
                     ->description()
                     .english());
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}

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
    for (size_t i = 0; i < c.tensors.size(); ++i) {
      TensorSpec t = c.tensors[i];
      buffers.emplace_back(backend, t.shape.count() * size_bytes(t.type));
      views.push_back(buffers.back().view(t.type, t.shape));
      if (t.role == Role::kOutput) t.role = Role::kUpdated;  // numbers, not NaN
      fill(t, static_cast<int>(i), views.back());
    }
    if (c.prepare) c.prepare(views);
  }
};

// Set once, by --threads.
int threads = 0;

void measure(benchmark::State& state, const OperationCase& c) {
  const auto backend = make_backend(Runtime({.threads = threads}));
  const Tensors tensors(*backend, c);
  c.run(*backend, tensors.views);
  for (auto _ : state) c.run(*backend, tensors.views);
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

// The products of one layer and of the logits: forward, and the gradients of inputs and of weights.
void add_products(DType type) {
  constexpr int64_t kLayer[][2] = {{3 * C, C}, {C, C}, {4 * C, C}, {C, 4 * C}};  // outputs, inputs
  for (const auto& [out, in] : kLayer) {
    MatmulCase forward{
        .product = Product::kNN, .M = N, .N = out, .K = in, .operand = type, .result = type};
    forward.bias = true;
    MatmulCase decoding = forward;
    decoding.product = Product::kRowsNN;
    decoding.M = 1;
    add(matmul_case(forward));
    add(matmul_case(
        {.product = Product::kNT, .M = N, .N = in, .K = out, .operand = type, .result = type}));
    add(matmul_case(
        {.product = Product::kTN, .M = in, .N = out, .K = N, .operand = type, .accumulate = true}));
    add(matmul_case(decoding));
  }
  add(matmul_case({.product = Product::kNT, .M = N, .N = V, .K = C, .operand = type}));
  add(matmul_case({.product = Product::kRowsNT, .M = 1, .N = V, .K = C, .operand = type}));
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
  for (const DropoutMask& mask : {DropoutMask{}, dropout}) {
    const AttentionCase attention{
        .B = B, .T = T, .NH = NH, .HS = HS, .type = type, .dropout = mask};
    add(attention_forward_case(attention));
    add(attention_backward_case(attention));
  }
  const AttentionCase cached{.B = 1, .T = kContext, .NH = NH, .HS = HS, .type = type};
  add(attention_cached_case(cached));
  add(cache_store_case(cached));
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

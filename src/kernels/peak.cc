#include "kernels/peak.h"

#include <algorithm>
#include <chrono>

namespace inkstone {
namespace {

// Shortest time in seconds of f over about `budget_s`, after one call to warm up.
template <typename F>
double best_seconds(double budget_s, F&& f) {
  using Clock = std::chrono::steady_clock;
  f();
  const auto start = Clock::now();
  double best = 1e30, elapsed = 0;
  for (int i = 0; i < 3 || elapsed < budget_s; ++i) {
    const auto begin = Clock::now();
    f();
    const auto end = Clock::now();
    best = std::min(best, std::chrono::duration<double>(end - begin).count());
    elapsed = std::chrono::duration<double>(end - start).count();
  }
  return best;
}

// Of C[m,n] = A[m,k] * B[k,n] in `budget_s` seconds.
double product_flops(Backend& backend, DType operand, int64_t m, int64_t k, int64_t n,
                     double budget_s) {
  const Buffer a(backend, m * k * size_bytes(operand)), b(backend, k * n * size_bytes(operand)),
      c(backend, m * n * 4);
  const Matmul op{
      .a = a.view(operand, {m, k}), .b = b.view(operand, {k, n}), .c = c.view(DType::kF32, {m, n})};
  const double seconds = best_seconds(budget_s, [&] {
    backend.matmul_nn(op);
    backend.synchronize();
  });
  return 2.0 * static_cast<double>(m * n * k) / seconds;
}

}  // namespace

double measure_gemm_peak_flops(Backend& backend, DType operand) {
  struct Product {
    int64_t m, k, n;
  };
  double peak = 0;
  for (const Product& s :
       {Product{256, 768, 768}, {256, 768, 3072}, {256, 3072, 768}, {1024, 768, 768}}) {
    peak = std::max(peak, product_flops(backend, operand, s.m, s.k, s.n, 0.04));
  }
  return operand == DType::kBF16 ? std::max(peak, measure_gemm_peak_flops(backend, DType::kF32))
                                 : peak;
}

GemmPeak::GemmPeak(Backend& backend, DType operand) : backend_(&backend), operand_(operand) {
  measure_again();
}

void GemmPeak::measure_again() { saw(measure_gemm_peak_flops(*backend_, operand_)); }
void GemmPeak::saw(double flops_per_s) { best_ = std::max(best_, flops_per_s); }

double measure_read_bandwidth(Backend& backend) {
  constexpr int64_t bytes = int64_t{256} << 20;
  const Buffer buffer(backend, bytes), total(backend, size_bytes(DType::kF64));
  backend.fill_zero(buffer.view(DType::kF32, {bytes / 4}));  // touches every page
  const double seconds = best_seconds(0.1, [&] {
    backend.sum_of_squares(buffer.view(DType::kF32, {bytes / 4}), total.view(DType::kF64, {1}));
    backend.synchronize();
  });
  return static_cast<double>(bytes) / seconds;
}

}  // namespace inkstone

// Muon: five Newton-Schulz steps orthogonalise each part of the update. With k the smaller and n
// the larger side a step is 4 k^2 n + 2 k^3 flops, limited by the GEMM peak; reading the gradient
// and writing moment and parameter is limited by memory. The k x k products are formed on the
// smaller side: (a + b A + c A^2) X, or X (a + b A + c A^2) with A = X^T X, which is the same
// matrix.
#include <hwy/base.h>
#include <algorithm>
#include <cmath>

#include "kernels/cpu/operations.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/muon.cc"
#include <hwy/foreach_target.h>

#include "kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

// m = beta m + (1 - beta) g; u = beta m + (1 - beta) g; `gradient_scale` and 1 - beta come as one.
void nesterov_row(const float* g, float* m, float* u, float beta, float rest, size_t count) {
  const F32 d;
  const VF b = hn::Set(d, beta), r = hn::Set(d, rest);
  const auto update = [&](VF gi, VF& mi) {
    const VF scaled = hn::Mul(r, gi);
    mi = hn::MulAdd(b, mi, scaled);
    return hn::MulAdd(b, mi, scaled);
  };
  for_vectors(
      count,
      [&](size_t i) {
        VF mi = load(m + i);
        store(update(load(g + i), mi), u + i);
        store(mi, m + i);
      },
      [&](size_t i, size_t n) {
        VF mi = load_part(m + i, n);
        store_part(update(load_part(g + i, n), mi), u + i, n);
        store_part(mi, m + i, n);
      });
}

// y = a x + b y
void combine(float a, const float* x, float b, float* y, size_t count) {
  const F32 d;
  const VF va = hn::Set(d, a), vb = hn::Set(d, b);
  const auto sum = [&](VF xi, VF yi) { return hn::MulAdd(va, xi, hn::Mul(vb, yi)); };
  for_vectors(
      count, [&](size_t i) { store(sum(load(x + i), load(y + i)), y + i); },
      [&](size_t i, size_t n) {
        store_part(sum(load_part(x + i, n), load_part(y + i, n)), y + i, n);
      });
}

// The parameter rounded to bf16.
void round_row(const float* from, bf16* to, size_t count) {
  for_vectors(
      count, [&](size_t i) { store(load(from + i), to + i); },
      [&](size_t i, size_t n) { store_part(load_part(from + i, n), to + i, n); });
}

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace inkstone::cpu {

HWY_EXPORT(nesterov_row);
HWY_EXPORT(combine);
HWY_EXPORT(round_row);

namespace {

constexpr int kSteps = 5;
constexpr float kA = 3.4445f, kB = -4.7750f, kC = 2.0315f;
constexpr double kLeastNorm = 1e-7;
constexpr int64_t kGrain = 4096;  // elements that are worth a piece of work

// One part of the parameter, [rows, columns], and the scratch that it is orthogonalised in.
struct Part {
  int64_t rows, columns, stride;  // stride: of the parameter's rows
  View x, next;                   // [rows, columns]
  View gram, square;              // [k, k]
};

int64_t padded(int64_t floats) { return (floats + 15) / 16 * 16; }

Part part_of(const ParameterUpdate& row, View scratch) {
  const int64_t rows = row.parameter.shape[0], stride = row.parameter.shape[1];
  const int64_t columns = stride / row.parts, side = std::min(rows, columns);
  float* at = scratch.as<float>();
  const auto take = [&](const Shape& shape) {
    const View view{at, DType::kF32, shape};
    at += padded(shape.count());
    return view;
  };
  const View x = take({rows, columns}), next = take({rows, columns});
  return {rows, columns, stride, x, next, take({side, side}), take({side, side})};
}

// Calls row(r) for every row of the part.
template <typename Row>
void for_rows(Context& context, const Part& part, Row&& row) {
  const int64_t grain = std::max<int64_t>(1, kGrain / part.columns);
  context.pool.parallel_for(part.rows, grain, [&](int64_t begin, int64_t end, int) {
    for (int64_t r = begin; r < end; ++r) row(r);
  });
}

// y = a x + b y of any shape.
void combine_all(Context& context, float a, ConstView x, float b, View y) {
  context.pool.parallel_for(y.count(), kGrain, [&](int64_t begin, int64_t end, int) {
    HWY_DYNAMIC_DISPATCH(combine)(a, x.as<float>() + begin, b, y.as<float>() + begin, end - begin);
  });
}

// X of norm 1 at most.
void normalise(Context& context, View x) {
  const double norm = std::max(std::sqrt(squared_norm(context, x)), kLeastNorm);
  combine_all(context, 0, x, static_cast<float>(1 / norm), x);
}

// Leaves X in part.x.
void orthogonalise(Context& context, Part& part) {
  const bool wide = part.rows <= part.columns;
  const int64_t side = part.gram.shape[0];
  for (int i = 0; i < kSteps; ++i) {
    (wide ? matmul_nt : matmul_tn)(context, {.a = part.x, .b = part.x, .c = part.gram});
    matmul_nn(context, {.a = part.gram, .b = part.gram, .c = part.square});
    combine_all(context, kB, part.gram, kC, part.square);
    for (int64_t d = 0; d < side; ++d) part.square.as<float>()[d * side + d] += kA;
    matmul_nn(context, wide ? Matmul{.a = part.square, .b = part.x, .c = part.next}
                            : Matmul{.a = part.x, .b = part.square, .c = part.next});
    std::swap(part.x, part.next);
  }
}

}  // namespace

int64_t muon_scratch_floats(const ParameterUpdate& row) {
  const int64_t rows = row.parameter.shape[0], columns = row.parameter.shape[1] / row.parts;
  const int64_t side = std::min(rows, columns);
  return 2 * padded(rows * columns) + 2 * padded(side * side);
}

void muon(Context& context, const MuonNumbers& numbers, const ParameterUpdate& op, View scratch,
          double gradient_scale) {
  Part part = part_of(op, scratch);
  const float beta = static_cast<float>(numbers.beta);
  const float rest = static_cast<float>((1 - numbers.beta) * gradient_scale);
  const float decay = static_cast<float>(1 - op.lr * op.weight_decay);
  const double shape_scale = std::sqrt(
      std::max(1.0, static_cast<double>(part.columns) / part.rows));
  const float rate = static_cast<float>(-op.lr * shape_scale);
  for (int64_t p = 0; p < op.parts; ++p) {
    const auto offset = [&](int64_t r) { return r * part.stride + p * part.columns; };
    for_rows(context, part, [&](int64_t r) {
      HWY_DYNAMIC_DISPATCH(nesterov_row)
      (op.gradient.as<float>() + offset(r), op.m.as<float>() + offset(r),
       part.x.as<float>() + r * part.columns, beta, rest, part.columns);
    });
    normalise(context, part.x);
    orthogonalise(context, part);
    for_rows(context, part, [&](int64_t r) {
      float* to = op.parameter.as<float>() + offset(r);
      HWY_DYNAMIC_DISPATCH(combine)
      (rate, part.x.as<float>() + r * part.columns, decay, to, part.columns);
      if (op.copy)
        HWY_DYNAMIC_DISPATCH(round_row)(to, op.copy.as<bf16>() + offset(r), part.columns);
    });
  }
}

}  // namespace inkstone::cpu
#endif

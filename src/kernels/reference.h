// The plain statement of every operation of the Backend contract (backend.h), in double precision
// with the simplest loops: what a kernel must compute, for reading and for tests. Never linked into
// the program.
//
// Legend: B batch, T time, N = B*T, C channels, NH heads, KVH heads of keys and values, HS = C/NH,
// V vocabulary. Row-major spans; a shape stands beside each. An optional span that is absent is
// empty. Sizes that are not passed follow from the spans' sizes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/backend.h"

namespace inkstone::reference {

using In = std::span<const double>;
using Out = std::span<double>;
using Indices = std::span<const int32_t>;

// nn: c[M,N] (+)= a[M,K] b[K,N] + bias[N];  nt: b is [N,K];  tn: a is [K,M].
struct MatmulSizes {
  int64_t M, N, K;
  bool accumulate = false;
};
void matmul_nn(const MatmulSizes& s, In a, In b, In bias, Out c);
void matmul_nt(const MatmulSizes& s, In a, In b, In bias, Out c);
void matmul_tn(const MatmulSizes& s, In a, In b, In bias, Out c);

// out[N] (+)= sum over rows of x[M,N].
void sum_rows(In x, Out out, bool accumulate);
// y[N,M] = x scale + bias by columns; bias may be absent.
void scale_columns(In x, In scale, In bias, Out y);
// out[M] += scale * sum over rows of x y, both [N,M].
void sum_products(In x, In y, In scale, Out out);
// Norms [out] of the columns of W + factor (B A)^T; W [in,out] or [out,in], a [rank,in], b
// [out,rank].
struct AdaptedSizes {
  int64_t in, out, rank;
  bool in_first;
  double factor = 1;
};
void adapted_norms(const AdaptedSizes& s, In w, In a, In b, Out norms);
double sum(In x);
double sum_of_squares(In x);
// x += delta.
void add(Out x, In delta);
// What remains of x in the type (f32, bf16 or f16), to nearest even.
double cast(double x, DType to);

// x[n,:] = wte[tokens[n],:] + wpe[positions[n],:];  x [N,C].
void embedding_forward(Indices tokens, Indices positions, In wte, In wpe, Out x);
// dwte[tokens[n],:] += dx[n,:];  dwpe[positions[n],:] += dx[n,:].
void embedding_backward(Indices tokens, Indices positions, In dx, Out dwte, Out dwpe);

// y = (s - mean) rstd weight + bias per row of s [N,C]; bias may be absent; the residual
// s = x + delta is add above.
void layer_norm_forward(In s, In weight, In bias, double epsilon, Out y, Out mean, Out rstd);
struct LayerNormGradients {
  Out dx;              // [N,C], accumulated into
  Out dweight, dbias;  // [C], accumulated into; dbias may be absent
};
void layer_norm_backward(In dy, In s, In weight, In mean, In rstd, const LayerNormGradients& to);

// f(x) and f'(x) of ActivationForward and ActivationBackward.
double activation(Activation kind, double x);
double activation_derivative(Activation kind, double x);

// 1/(1 - rate) if element (row, column) is kept, else 0; see dropout_hash.h.
double dropout_factor(const DropoutMask& mask, uint64_t row, uint32_t column);
// x *= the factor of each element; element i is (row i / 2^32, column i % 2^32).
void dropout(Out x, const DropoutMask& mask);

struct AttentionSizes {
  int64_t B, T, NH, KVH, HS;  // query head h reads key head h KVH / NH
  double scale = 1;
  DropoutMask dropout = {};
  // [B,T]: query i sees keys first_keys[i]..last_keys[i] of its sequence; without them 0..i.
  std::vector<int32_t> first_keys = {}, last_keys = {};

  int64_t first_key(int64_t b, int64_t i) const;
  int64_t last_key(int64_t b, int64_t i) const;
};
// q [B,T,NH,HS]; k and v [B,T,KVH,HS].
struct AttentionInputs {
  In q, k, v;
};
struct AttentionGradients {
  Out dq, dk, dv;
};
// Of one (batch, query head): [T,T], softmax(scale q k^T) with zeros where a key is not seen,
// before dropout; and each row's log-sum-exp [T].
struct Probabilities {
  std::vector<double> P, lse;
};
Probabilities attention_probabilities(const AttentionSizes& s, In q, In k, int64_t b, int64_t h);
// -> out [B,T,NH,HS], lse [B,NH,T].
void attention_forward(const AttentionSizes& s, const AttentionInputs& in, Out out, Out lse);
// dout [B,T,NH,HS] -> gradients, overwritten. Probabilities are computed anew.
void attention_backward(const AttentionSizes& s, In dout, const AttentionInputs& in,
                        const AttentionGradients& to);

// Rows over keys and values in pages (AttentionPaged); M pages a sequence at most, of the type
// `cache`.
struct PagedSizes {
  int64_t R, NH, HS, M;
  double scale = 1;
  DType cache = DType::kF32;
};
struct PagedRows {
  Indices sequences, positions, first_keys, last_keys;  // [R]
  Indices pages;                                        // [S,M]
};
// qkv [R,3C]; keys [P,NH,HS,16] and values [P,NH,16,HS], rounded to their type (kI8: bytes).
void store_in_pages(const PagedSizes& s, const PagedRows& rows, In qkv, Out keys, Out values);
// Of rows that are stored already: row r over positions first_keys[r]..last_keys[r]; out [R,C].
void attention_paged(const PagedSizes& s, const PagedRows& rows, In qkv, In keys, In values,
                     Out out);

// logits [R,V], targets [R], weights [R] (absent: all 1) -> losses [R], dlogits [R,V] (absent:
// losses only).
void cross_entropy(In logits, Indices targets, In weights, double gradient_scale, Out losses,
                   Out dlogits);

// What a step multiplies gradients of this norm by.
double gradient_scale(double squared_norm, double clip);
// One row of a step; of `row` only lr, weight_decay and parts count. m and v as OptimizerStep has
// them, parameter, gradient and m of muon [rows, row.parts * columns].
void adamw(const AdamWNumbers& numbers, const ParameterUpdate& row, double scale, Out parameter,
           In gradient, Out m, Out v);
struct MuonSizes {
  int64_t rows, columns;
};
void muon(const MuonNumbers& numbers, const ParameterUpdate& row, double scale, const MuonSizes& s,
          Out parameter, In gradient, Out m);

}  // namespace inkstone::reference

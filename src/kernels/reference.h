// The plain statement of every operation of the Backend contract (backend.h), in double precision
// with the simplest loops: what a kernel must compute, for reading and for tests. Never linked into
// the program.
//
// Legend: B batch, T time, N = B*T, C channels, NH heads, HS = C/NH, V vocabulary. Row-major spans;
// a shape stands beside each. An optional span that is absent is empty. Sizes that are not passed
// follow from the spans' sizes.
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
double sum_of_squares(In x);
// x += delta.
void add(Out x, In delta);
// What remains of x in the type (f32 or bf16), to nearest even.
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
  int64_t B, T, NH, HS;
  double scale = 1;
  DropoutMask dropout = {};
};
// Of one (batch, head): [T,T], softmax(scale q k^T) with zeros where j > i, before dropout; and
// each row's log-sum-exp [T].
struct Probabilities {
  std::vector<double> P, lse;
};
Probabilities attention_probabilities(const AttentionSizes& s, In qkv, int64_t b, int64_t h);
// qkv [B,T,3C] -> out [B,T,C], lse [B,NH,T].
void attention_forward(const AttentionSizes& s, In qkv, Out out, Out lse);
// dout [B,T,C], qkv [B,T,3C] -> dqkv [B,T,3C], overwritten. Probabilities are computed anew.
void attention_backward(const AttentionSizes& s, In dout, In qkv, Out dqkv);

struct CacheSizes {
  int64_t R, NH, T, HS;
  double scale = 1;
};
// qkv [R,3C]; keys and values [S,NH,T,HS]; out [R,C].
void cache_store(const CacheSizes& s, In qkv, Indices slots, Indices positions, Out keys,
                 Out values);
// Of rows that are stored already: row r over positions 0..positions[r] of its slot.
void attention_cached(const CacheSizes& s, In qkv, Indices slots, Indices positions, In keys,
                      In values, Out out);

// logits [R,V], targets [R] -> losses [R], dlogits [R,V] (absent: losses only).
void cross_entropy(In logits, Indices targets, double gradient_scale, Out losses, Out dlogits);

// The numbers of AdamWStep; its views are not used.
void adamw(const AdamWStep& numbers, Out parameter, In gradient, Out m, Out v);
// parameter, gradient and m [rows, numbers.parts * columns].
struct MuonSizes {
  int64_t rows, columns;
};
void muon(const MuonStep& numbers, const MuonSizes& s, Out parameter, In gradient, Out m);

}  // namespace inkstone::reference

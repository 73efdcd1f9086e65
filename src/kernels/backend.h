// The contract between the model and a device: about 25 operations. The model is written once
// against it.
//
// Everywhere: views are contiguous and row-major and live in this backend's memory; "activation
// type" is f32 or bf16, the same for all activations of one model; parameters handed to
// normalisation and the embeddings, all parameter gradients and the residual stream are f32; sums
// are accumulated in f32 or wider. Operations are queued in order; copy_to_host and the operations
// that return a number wait for all that was queued before. One thread uses a backend at a time.
// Every operation gives the same bits for the same input and device, whatever the number of
// threads. A wrong shape or type is a bug of the caller (INK_CHECK). The plain statement of each
// operation is in reference.h.
//
// Legend: B batch, T time, N = B*T, C channels, NH heads, HS = C/NH, V vocabulary.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "inkstone/message.h"
#include "inkstone/model_config.h"
#include "inkstone/runtime.h"
#include "tensor/view.h"

namespace inkstone {

// C[M,N] = A * B + bias (or C += A * B + bias), A and B of one type (f32 or bf16), C f32 or bf16.
struct Matmul {
  ConstView a, b;
  View c;
  ConstView bias = {};  // [N] f32, added to every row; may be absent
  bool accumulate = false;
};

// x[n,:] = wte[tokens[n],:] + wpe[positions[n],:]
struct EmbeddingForward {
  ConstView tokens, positions;  // [N] i32
  ConstView wte, wpe;           // [V,C], [T,C] f32
  View x;                       // [N,C] f32
};

// dwte[tokens[n],:] += dx[n,:]; dwpe[positions[n],:] += dx[n,:]. The additions run in the order of
// n.
struct EmbeddingBackward {
  ConstView tokens, positions;
  ConstView dx;     // [N,C] f32
  View dwte, dwpe;  // accumulated into
};

// s = x + delta (s = x without delta); y = (s - mean) * rstd * weight + bias per row (without bias:
// (s - mean) * rstd * weight), with the biased variance, rstd = 1/sqrt(variance + epsilon). Source:
// Ba et al. 2016, arXiv:1607.06450.
struct LayerNormForward {
  ConstView x;           // [N,C] f32
  ConstView delta = {};  // [N,C] activation type, optional
  View sum = {};         // [N,C] f32, written if delta is given; may be x itself
  ConstView weight;      // [C] f32
  ConstView bias = {};   // [C] f32; may be absent
  float epsilon = 1e-5f;
  View y;           // [N,C] activation type
  View mean, rstd;  // [N] f32
};

// dx += the gradient through the normalisation (the residual path is in dx already);
// dweight (+)= sum_n dy * (s - mean) * rstd; dbias (+)= sum_n dy, not computed where it is absent.
struct LayerNormBackward {
  ConstView dy;  // [N,C] activation type
  ConstView sum, weight, mean, rstd;
  View dx;                  // [N,C] f32, accumulated into
  View dweight;             // [C] f32
  View dbias = {};          // [C] f32; may be absent
  bool accumulate = false;  // of dweight and dbias
};

// y = f(x), of activation type; y may be x itself. f by kind:
//   kGeluTanh  0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
//   kGelu      x Phi(x), Phi(x) = 0.5 (1 + erf(x / sqrt(2)))
//   kRelu      max(x, 0)
//   kSilu      x / (1 + e^-x)
// Sources: Hendrycks and Gimpel 2016, arXiv:1606.08415 (all but relu).
struct ActivationForward {
  Activation kind;
  ConstView x;
  View y;
};

// dx = dy * f'(x); dx may be dy itself. f' by kind:
//   kGeluTanh  s + x 2u' s (1 - s), s = 1 / (1 + e^-2u), u = sqrt(2/pi) (x + 0.044715 x^3)
//   kGelu      Phi(x) + x phi(x), phi(x) = e^(-x^2/2) / sqrt(2 pi)
//   kRelu      1 where x > 0, else 0 (also at 0, as PyTorch has it)
//   kSilu      s (1 + x (1 - s)), s = 1 / (1 + e^-x)
struct ActivationBackward {
  Activation kind;
  ConstView x, dy;
  View dx;
};

// Which elements are dropped is a pure function of (seed, site, index of the element): the backward
// pass finds the same ones without storing them. Kept elements are scaled by 1/(1 - rate).
struct DropoutMask {
  float rate = 0;     // in [0, 1); 0: nothing is dropped
  uint64_t seed = 0;  // of the step
  uint64_t site = 0;  // which dropout of the model
};

// Causal self-attention, all heads, without a T x T matrix for more than one tile of one head.
// out = softmax(scale * Q K^T + mask) V per (b, head); dropout acts on the softmax's output.
// Source: Dao et al. 2022, arXiv:2205.14135 (tiling); Vaswani et al. 2017.
struct AttentionForward {
  ConstView qkv;  // [B,T,3C] activation type: q | k | v, each [NH,HS]
  int64_t heads = 1;
  float scale = 1;
  View out;  // [B,T,C] activation type
  View lse;  // [B,NH,T] f32: log-sum-exp of each row of scores, which the backward pass needs
  DropoutMask dropout = {};
};

struct AttentionBackward {
  ConstView dout, qkv, out, lse;
  int64_t heads = 1;
  float scale = 1;
  View dqkv;     // [B,T,3C] activation type, overwritten
  View scratch;  // f32, of attention_backward_scratch_bytes; its content does not matter
  DropoutMask dropout = {};
};

// Attention of new rows over a cache. First every row's k and v are stored at (slots[r],
// positions[r]), then row r attends to positions 0..positions[r] of its slot. A row's result
// depends on that row and its slot alone, not on the other rows (batch invariance).
struct AttentionCached {
  ConstView qkv;               // [R,3C] activation type
  ConstView slots, positions;  // [R] i32
  View keys, values;           // [S,NH,T,HS] activation type
  float scale = 1;
  View out;  // [R,C] activation type
};

// Stores each row's k and v at (slots[r], positions[r]) of the cache, as AttentionCached does
// first: for rows whose attention attention_forward computes (the beginning of a sequence).
struct CacheStore {
  ConstView qkv;               // [R,3C] activation type
  ConstView slots, positions;  // [R] i32
  View keys, values;           // [S,NH,T,HS] activation type
};

// loss[r] = logsumexp(logits[r,:]) - logits[r,targets[r]]; 0 where targets[r] < 0.
// dlogits[r,v] = (softmax(logits[r,:])[v] - [v == targets[r]]) * gradient_scale; 0 where targets[r]
// < 0.
struct CrossEntropy {
  ConstView logits;   // [R,V] f32
  ConstView targets;  // [R] i32
  View losses;        // [R] f32
  View dlogits = {};  // [R,V] f32 (may be logits itself) or bf16; absent: losses only
  float gradient_scale = 1;
};

// g = gradient * gradient_scale; m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;
// parameter -= lr * (m / correction1 / (sqrt(v / correction2) + epsilon) + weight_decay *
// parameter), correction_i = 1 - beta_i^t. Source: Loshchilov and Hutter 2019, arXiv:1711.05101;
// the order of operations is torch.optim.AdamW's (the decay first). Numbers are double, as
// PyTorch's are, and rounded to f32 last: 1 - beta2 of a beta2 that is rounded first is off by
// 1e-5.
struct AdamWStep {
  View parameter;  // [n] f32
  ConstView gradient;
  View m, v;
  View copy = {};  // [n] bf16, the parameter rounded; optional
  double lr = 0, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0;
  double correction1 = 1, correction2 = 1;
  double gradient_scale = 1;
};

// Muon for a matrix [R, parts * C] of `parts` matrices side by side, each of which is a map of its
// own (q | k | v). With g = gradient * gradient_scale: m = beta m + (1 - beta) g; u = beta m + (1 -
// beta) g (Nesterov); each part of u becomes X = u / max(|u|, 1e-7) and five times X = 3.4445 X
// - 4.7750 A X + 2.0315 A^2 X with A = X X^T, which brings all singular values near 1; parameter =
// (1 - lr weight_decay) parameter - lr sqrt(max(1, C / R)) X. Source: Jordan 2024,
// kellerjordan.github.io/posts/muon; the order of operations is torch.optim.Muon's, which
// orthogonalises in bf16.
struct MuonStep {
  View parameter;  // [R, parts * C] f32
  ConstView gradient;
  View m;
  View scratch;    // f32, of muon_scratch_bytes; its content does not matter
  View copy = {};  // bf16, the parameter rounded; optional
  int64_t parts = 1;
  double lr = 0, beta = 0.95, weight_decay = 0;
  double gradient_scale = 1;
};

class Backend;

// Memory of a backend, freed with it. 64-byte aligned. Movable.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Backend& backend, int64_t bytes);
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer();

  void* data() const { return data_; }
  int64_t bytes() const { return bytes_; }
  View view(DType type, const Shape& shape, int64_t offset_bytes = 0) const;

 private:
  Backend* backend_ = nullptr;
  void* data_ = nullptr;
  int64_t bytes_ = 0;
};

class Backend {
 public:
  explicit Backend(const Runtime& runtime) : runtime_(runtime) {}
  virtual ~Backend() = default;
  const Runtime& runtime() const { return runtime_; }
  // "cpu (AVX-512 BF16, 2 threads)"
  virtual Message description() const = 0;

  // True when the host can read and write a view's memory directly, after a call that waits.
  virtual bool shares_host_memory() const { return false; }
  // Memory. allocate throws kInputOutput with the size when there is not enough; its content is
  // zero.
  virtual void* allocate(int64_t bytes) = 0;
  virtual void release(void* data, int64_t bytes) noexcept = 0;
  virtual void copy_to_host(ConstView from, void* to) = 0;
  virtual void copy_from_host(const void* from, View to) = 0;
  virtual void copy(ConstView from, View to) = 0;
  virtual void fill_zero(View x) = 0;
  // Converts between f32 and bf16 (to nearest even).
  virtual void cast(ConstView from, View to) = 0;

  // nn: A[M,K] B[K,N];  nt: A[M,K] B[N,K]^T;  tn: A[K,M]^T B[K,N].
  virtual void matmul_nn(const Matmul& op) = 0;
  virtual void matmul_nt(const Matmul& op) = 0;
  virtual void matmul_tn(const Matmul& op) = 0;
  // As nn and nt for few rows (decoding): limited by reading B once. A row of C depends on its row
  // of A and on B alone, whatever M is (batch invariance). accumulate is not supported.
  virtual void matmul_rows_nn(const Matmul& op) = 0;
  virtual void matmul_rows_nt(const Matmul& op) = 0;
  // out[N] (+)= sum over rows of x[M,N].
  virtual void sum_rows(ConstView x, View out, bool accumulate) = 0;

  virtual void embedding_forward(const EmbeddingForward& op) = 0;
  virtual void embedding_backward(const EmbeddingBackward& op) = 0;
  virtual void layer_norm_forward(const LayerNormForward& op) = 0;
  virtual void layer_norm_backward(const LayerNormBackward& op) = 0;
  virtual void activation_forward(const ActivationForward& op) = 0;
  virtual void activation_backward(const ActivationBackward& op) = 0;
  // x = x * mask / (1 - rate), in place; x f32 or bf16. Applied to a gradient it is its own
  // backward pass.
  virtual void dropout(View x, const DropoutMask& mask) = 0;
  // x += delta; x f32, delta activation type.
  virtual void add(View x, ConstView delta) = 0;
  virtual void attention_forward(const AttentionForward& op) = 0;
  virtual void attention_backward(const AttentionBackward& op) = 0;
  // qkv [B,T,3C] of the operations that are to come.
  virtual int64_t attention_backward_scratch_bytes(const Shape& qkv, int64_t heads) const = 0;
  virtual void attention_cached(const AttentionCached& op) = 0;
  virtual void cache_store(const CacheStore& op) = 0;
  virtual void cross_entropy(const CrossEntropy& op) = 0;

  virtual void adamw(const AdamWStep& op) = 0;
  virtual void muon(const MuonStep& op) = 0;
  // Of a step for a parameter of this shape.
  virtual int64_t muon_scratch_bytes(const Shape& parameter, int64_t parts) const = 0;
  // Sum of x^2 (f32) in double. NaN and infinity pass through.
  virtual double sum_of_squares(ConstView x) = 0;

 private:
  Runtime runtime_;
};

// Makes the backend of the runtime's device. kUnsupported, saying what is missing and what to do,
// when this build or this machine has none.
std::unique_ptr<Backend> make_backend(const Runtime& runtime);

// Makers of the single devices; each is defined by its folder, or by its stub.cc where the device
// is not built.
std::unique_ptr<Backend> make_cpu_backend(const Runtime& runtime);
std::unique_ptr<Backend> make_cuda_backend(const Runtime& runtime);

}  // namespace inkstone

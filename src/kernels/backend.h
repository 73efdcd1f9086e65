// The contract between the model and a device: about 30 operations. The model is written once
// against it.
//
// Everywhere: views are contiguous (but for the strides of Matmul and of heads) and row-major and
// live in this backend's memory; "activation type" is f32 or bf16, the same for all activations of
// one model; parameters handed to normalisation and the embeddings, all parameter gradients and the
// residual stream are f32; sums are accumulated in f32 or wider. One thread uses a backend at a
// time. Every operation gives the same bits for the same input and device, whatever the number of
// threads. A wrong shape or type is a bug of the caller (INK_CHECK). The plain statement of each
// operation is in reference.h.
//
// Time. Operations, copies and the release of memory take effect in the order in which they are
// called, but maybe later than the call returns. Only copy_to_host and synchronize wait, for all
// that was called before. Whatever a call was given in the host's memory (its struct, spans in it,
// the source of copy_from_host) has been consumed when it returns. So numbers stay on the device
// until somebody must see them: an operation whose result is a number writes it to a view of one
// f64, and one that depends on such a number reads it there. What a kernel finds wrong with the
// numbers themselves (an index out of range) may be thrown by a later call, at the latest by the
// next that waits.
//
// Legend: B batch, T time, N = B*T, C channels, NH heads, KVH heads of keys and values, HS = C/NH,
// V vocabulary.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "inkstone/message.h"
#include "inkstone/model_config.h"
#include "inkstone/runtime.h"
#include "tensor/strided_heads.h"
#include "tensor/view.h"
#include "tensor/weight_type.h"

namespace inkstone {

// C[M,N] = A * B + bias (or C += A * B + bias), A and B of one type (f32 or bf16), C f32 or bf16.
// The rows of a matrix may lie further apart than they are long: what is between them is neither
// read nor written.
struct Matmul {
  ConstView a, b;
  View c;
  ConstView bias = {};  // [N] f32, added to every row; may be absent
  bool accumulate = false;
  // Elements from one row to the next; 0: as many as the matrix has columns.
  int64_t a_stride = 0, b_stride = 0, c_stride = 0;
};

// How a weight W, a map from `in` to `out` numbers, lies in memory.
enum class WeightLayout : uint8_t {
  kInOut,   // [in, out] row-major: Hugging Face's Conv1D; f32, f16 or bf16
  kOutIn,   // [out, in] row-major, each row in blocks of its type: embeddings, GGUF
  kPacked,  // the order in which this backend reads it (Backend::pack)
};

// A matrix that activations are multiplied with, of any type that a file holds. It owns nothing.
struct Weight {
  WeightType type = WeightType::kF32;
  WeightLayout layout = WeightLayout::kInOut;
  int64_t in = 0, out = 0;
  const void* data = nullptr;
};

// y = x W + bias, for inference: y[r,n] = bias[n] + sum_k x[r,k] W[k,n]. A row of y depends on its
// own row of x and on W alone, bit for bit, whatever R is and wherever in x the row stands (batch
// invariance). With weights in blocks the row of x is rounded to 8-bit integers with a scale for
// every block (kernels/cpu/linear_blocks.cc); else products are f32. Sums are f32.
struct Linear {
  ConstView x;  // [R,in] f32 or bf16
  Weight weight;
  ConstView bias = {};  // [out] f32; may be absent
  View y;               // [R,out] f32 or bf16
};

// x[n,:] = wte[tokens[n],:] + wpe[positions[n],:], from weights of any type, which are not trained.
struct Embed {
  ConstView tokens, positions;  // [N] i32
  Weight wte, wpe;              // kOutIn: out is V (T), in is C
  View x;                       // [N,C] f32
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
  ConstView dx;               // [N,C] f32
  View dwte = {}, dwpe = {};  // accumulated into; each may be absent
};

// to[i,:] = the numbers of row `first_row` + i of a weight, as its rows lie (kInOut: [in,out],
// kOutIn: [out,in]; not kPacked). Rounds to nearest even where `to` is bf16.
struct Widen {
  Weight weight;
  int64_t first_row = 0;
  View to;  // [rows, columns] f32 or bf16
};

// y[n,j] = x[n,j] * scale[j] + bias[j].
struct ScaleColumns {
  ConstView x;          // [N,M] f32 or bf16
  ConstView scale;      // [M] f32
  ConstView bias = {};  // [M] f32; may be absent
  View y;               // [N,M], x's type; may be x itself
};

// out[j] (+)= scale[j] * sum_n x[n,j] y[n,j]: the gradient of ScaleColumns' scale, times a factor.
struct SumProducts {
  ConstView x, y;   // [N,M] f32 or bf16, of one type
  ConstView scale;  // [M] f32
  View out;         // [M] f32
  bool accumulate = false;
};

// norms[j] = the Euclidean norm of column j of W + factor (B A)^T, all inputs of that map's output
// j; inverses[j] = 1 / norms[j], 0 where that is 0. Sums in f64. Source: Liu et al. 2024,
// arXiv:2402.09353 (DoRA), equation 5.
struct AdaptedNorms {
  Weight weight;   // as it lies, of any type but kPacked
  ConstView a, b;  // [r,in], [out,r] f32
  float factor = 1;
  View norms, inverses;  // [out] f32
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
// dweight (+)= sum_n dy * (s - mean) * rstd; dbias (+)= sum_n dy; each not computed where it is
// absent.
struct LayerNormBackward {
  ConstView dy;  // [N,C] activation type
  ConstView sum, weight, mean, rstd;
  View dx;                  // [N,C] f32, accumulated into
  View dweight = {};        // [C] f32; may be absent
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

// Self-attention, all heads, without a T x T matrix for more than one tile of one head.
// out = softmax(scale * Q K^T + mask) V per (b, head); dropout acts on the softmax's output. Query
// head h reads key head h KVH / NH; KVH divides NH. Query i of sequence b sees the keys
// first_keys[b,i]..last_keys[b,i] of its sequence, both inclusive, at least one and none outside
// [0,T); without the two arrays it sees 0..i (causal). Documents apart, a prefix that is seen
// whole, windows are such intervals too; tiles of keys that no query of a tile sees cost nothing.
// Source: Dao et al. 2022, arXiv:2205.14135 (tiling); Vaswani et al. 2017; Ainslie et al. 2023,
// arXiv:2305.13245 (shared key heads).
struct AttentionForward {
  ConstStridedHeads q, k, v;                  // rows [B,T], activation type; NH, KVH, KVH heads
  ConstView first_keys = {}, last_keys = {};  // [B,T] i32; both or none
  float scale = 1;
  View out;  // [B,T,C] activation type
  View lse;  // [B,NH,T] f32: log-sum-exp of each row of scores, which the backward pass needs
  DropoutMask dropout = {};
};

// Gradients of a key head are the sums over the query heads that read it, in their order; those of
// keys that no query sees are 0.
struct AttentionBackward {
  ConstView dout;                             // [B,T,C] activation type
  ConstStridedHeads q, k, v;                  // as in the forward pass
  ConstView first_keys = {}, last_keys = {};  // as in the forward pass
  ConstView out, lse;                         // of the forward pass
  float scale = 1;
  StridedHeads dq, dk, dv;  // rows [B,T], activation type, overwritten; not in q, k or v
  View scratch;             // f32, of attention_backward_scratch_bytes; its content does not matter
  DropoutMask dropout = {};
};

// Positions of one page of a cache.
inline constexpr int64_t kPagePositions = 16;

// Attention of new rows over keys and values in pages. Page p of a layer holds, for each head, the
// keys and the values of 16 consecutive positions, as page_layout.h has them; position t of
// sequence s lies in page pages[s, t / 16] at t mod 16. First every row's k and v are stored at its
// sequence and position, then row r attends to the positions first_keys[r]..last_keys[r] of its
// sequence: all of them were stored before or are rows of this call. Rows of a sequence stand
// together, in the order of their positions. A row's result depends on its query and on the keys
// and values that it sees alone, bit for bit, not on the other rows (batch invariance, chunks).
struct AttentionPaged {
  ConstView qkv;                    // [R,3C] f32 or bf16: q | k | v, each [NH,HS]
  ConstView sequences, positions;   // [R] i32
  ConstView first_keys, last_keys;  // [R] i32
  ConstView pages;                  // [S,M] i32: numbers of pages
  View keys;    // [P,NH,HS,16] f32, bf16 or f16; q8_0: [P,NH,page_elements(kI8,HS)] i8
  View values;  // [P,NH,16,HS], the same type; q8_0: as keys
  float scale = 1;
  View out;  // [R,C], qkv's type
};

// loss[r] = weights[r] (logsumexp(logits[r,:]) - logits[r,targets[r]]); 0 where targets[r] < 0.
// dlogits[r,v] = (softmax(logits[r,:])[v] - [v == targets[r]]) weights[r] gradient_scale; 0 where
// targets[r] < 0.
struct CrossEntropy {
  ConstView logits;        // [R,V] f32
  ConstView targets;       // [R] i32
  ConstView weights = {};  // [R] f32; absent: all 1
  View losses;             // [R] f32
  View dlogits = {};       // [R,V] f32 (may be logits itself) or bf16; absent: losses only
  float gradient_scale = 1;
};

// How a parameter moves, g being its gradient times the scale of the whole step:
//   kAdamW  m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2; parameter -= lr * (m /
//           correction1 / (sqrt(v / correction2) + epsilon) + weight_decay * parameter),
//           correction_i = 1 - beta_i^t. Source: Loshchilov and Hutter 2019, arXiv:1711.05101; the
//           order of operations is torch.optim.AdamW's (the decay first).
//   kMuon   for a matrix [R, parts * C] of `parts` matrices side by side, each of which is a map of
//           its own (q | k | v): m = beta m + (1 - beta) g; u = beta m + (1 - beta) g (Nesterov);
//           each part of u becomes X = u / max(|u|, 1e-7) and five times X = 3.4445 X - 4.7750 A X
//           + 2.0315 A^2 X with A = X X^T, which brings all singular values near 1; parameter =
//           (1 - lr weight_decay) parameter - lr sqrt(max(1, C / R)) X. Source: Jordan 2024,
//           kellerjordan.github.io/posts/muon; the order of operations is torch.optim.Muon's, which
//           orthogonalises in bf16.
enum class UpdateRule : uint8_t { kAdamW, kMuon };

// One parameter of a step.
struct ParameterUpdate {
  UpdateRule rule = UpdateRule::kAdamW;
  View parameter = {};  // f32
  ConstView gradient = {};
  View m = {}, v = {};  // f32; v of AdamW alone
  View copy = {};       // bf16, the parameter rounded; optional
  int64_t parts = 1;    // of Muon
  double lr = 0, weight_decay = 0;
};

// Numbers are double, as PyTorch's are, and rounded to f32 last: 1 - beta2 of a beta2 that is
// rounded first is off by 1e-5.
struct AdamWNumbers {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, correction1 = 1, correction2 = 1;
};
struct MuonNumbers {
  double beta = 0.95;
};

// A step of the optimiser over all parameters. Where the norm, sqrt(squared_norm), is not finite
// nothing is changed; else the gradients' scale is min(1, clip / (norm + 1e-6)), as
// torch.nn.utils.clip_grad_norm_ has it, and 1 where clip is 0 or no squared_norm is given.
struct OptimizerStep {
  std::span<const ParameterUpdate> rows;
  ConstView squared_norm = {};  // [1] f64: sum_of_squares of all gradients
  double clip = 0;
  AdamWNumbers adamw = {};
  MuonNumbers muon = {};
  View scratch = {};  // f32, of optimizer_scratch_bytes; its content does not matter
};

class Backend;

// Memory of a backend, released with it. 64-byte aligned. Movable.
class Buffer {
 public:
  Buffer() = default;
  enum class Memory { kAllocated, kReserved };
  Buffer(Backend& backend, int64_t bytes, Memory memory = Memory::kAllocated);
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
  // zero. What was called before may still use memory that is released.
  virtual void* allocate(int64_t bytes) = 0;
  // As allocate, but memory is taken page by page when it is first written, where the device can.
  virtual void* reserve(int64_t bytes) = 0;
  virtual void release(void* data, int64_t bytes) noexcept = 0;
  // These two wait.
  virtual void copy_to_host(ConstView from, void* to) = 0;
  virtual void synchronize() = 0;
  virtual void copy_from_host(const void* from, View to) = 0;
  virtual void copy(ConstView from, View to) = 0;
  virtual void fill_zero(View x) = 0;
  // Converts between f32 and bf16 (to nearest even).
  virtual void cast(ConstView from, View to) = 0;

  // nn: A[M,K] B[K,N];  nt: A[M,K] B[N,K]^T;  tn: A[K,M]^T B[K,N].
  virtual void matmul_nn(const Matmul& op) = 0;
  virtual void matmul_nt(const Matmul& op) = 0;
  virtual void matmul_tn(const Matmul& op) = 0;
  // out[N] (+)= sum over rows of x[M,N].
  virtual void sum_rows(ConstView x, View out, bool accumulate) = 0;
  // total[1] (+)= sum of x[N] f32, in f64.
  virtual void sum(ConstView x, View total, bool accumulate) = 0;
  // total[1] = sum of x^2 (f32) in f64. NaN and infinity pass through.
  virtual void sum_of_squares(ConstView x, View total) = 0;

  virtual void widen(const Widen& op) = 0;
  virtual void scale_columns(const ScaleColumns& op) = 0;
  virtual void sum_products(const SumProducts& op) = 0;
  virtual void adapted_norms(const AdaptedNorms& op) = 0;

  virtual void linear(const Linear& op) = 0;
  virtual void embed(const Embed& op) = 0;
  virtual void attention_paged(const AttentionPaged& op) = 0;
  // Bytes that `pack` fills; 0: linear takes the weight as it lies.
  virtual int64_t packed_bytes(const Weight& weight) const = 0;
  // Copies a weight into the order in which linear reads it, at `to` (64-byte aligned, in memory of
  // this backend), and returns it as that. Only where packed_bytes is above 0.
  virtual Weight pack(const Weight& from, void* to) = 0;

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
  // For sequences of T positions and heads of HS channels.
  virtual int64_t attention_backward_scratch_bytes(int64_t T, int64_t HS) const = 0;
  virtual void cross_entropy(const CrossEntropy& op) = 0;

  // How many of `rows` rows of logits [V] f32 the output layer takes at once: 1 to `rows`, and of
  // more rows no fewer.
  virtual int64_t logits_rows(int64_t rows, int64_t vocab_size) const = 0;

  virtual void optimizer_step(const OptimizerStep& op) = 0;
  // Of a step over these rows, of which only rules, shapes and parts count.
  virtual int64_t optimizer_scratch_bytes(std::span<const ParameterUpdate> rows) const = 0;

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

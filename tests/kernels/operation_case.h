// One use of one operation of the Backend contract at one size: a single declaration that feeds the
// comparison with the reference (kernels_test.cc) and the benchmark (bench/kernels_bench.cc).
//
// Error bounds are derived, not tuned. With u = 2^-24, the unit roundoff of f32: a sum of n terms
// in any order errs by at most n u sum|terms|; where a kernel sums along a vector, n is the terms
// of one lane and a few for the reduction. First order in u, with small factors rounded up. bf16
// results are rounded once, by 2^-8 relative (its unit roundoff).
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "kernels/reference.h"

namespace inkstone::test {

constexpr double kUnit = 0x1p-24;
inline double unit_roundoff(DType type) { return type == DType::kBF16 ? 0x1p-8 : kUnit; }

enum class Role { kInput, kOutput, kUpdated };

// Content before the call: numbers in [low, high), a pure function of the case's tensor index and
// the element; integer tensors: integers in the range. Outputs begin as NaN, so that an element
// that is not written shows.
struct TensorSpec {
  std::string name;
  DType type;
  Shape shape;
  Role role = Role::kInput;
  double low = -1, high = 1;
  std::vector<int32_t> given = {};  // integers instead of random ones
};

using Views = std::span<const View>;

// Tensors as double, in the case's order; expect() puts results in the place of outputs and says
// how far a kernel may be from them.
class Values {
 public:
  // lanes: of the shortest vectors that the bounds have to hold for.
  Values(const std::vector<TensorSpec>& tensors, Views views, int64_t lanes);
  std::vector<double>& operator[](int i) { return values_[i]; }
  const std::vector<double>& operator[](int i) const { return values_[i]; }
  std::vector<double>& bound(int i) { return bounds_[i]; }
  const std::vector<double>& bound(int i) const { return bounds_[i]; }
  std::vector<int32_t> integers(int i) const { return {values_[i].begin(), values_[i].end()}; }
  // Additions on the way of one term through a sum along n terms.
  double depth(int64_t n) const { return static_cast<double>(n) / static_cast<double>(lanes_) + 8; }
  void set_bound(int i, const std::function<double(int64_t)>& bound_of_element);

 private:
  std::vector<std::vector<double>> values_, bounds_;
  int64_t lanes_;
};

struct OperationCase {
  std::string name;  // "layer_norm_forward", for the benchmark
  std::string what;  // shape and types
  std::vector<TensorSpec> tensors;
  std::function<void(Backend&, Views)> run;
  std::function<void(Values&)> expect;
  std::function<void(Views)> prepare = {};  // completes inputs that depend on others
  double flops = 0;                         // of one call
  bool vector_code = true;                  // has code per instruction set of ours
  double bytes_of_rows = 0;  // read and written, where that is not all of the tensors
  // Of working memory that the backend asks for: run() finds it, f32, behind the case's tensors.
  std::function<int64_t(const Backend&)> scratch_bytes = {};
  double bytes() const;  // read and written by one call, each operand once
};

// The tensors of a case in the host's memory, filled. Each lies between `guard_bytes` bytes of
// kGuard, of which there are `offset` more elements before it.
class HostTensors {
 public:
  static constexpr std::byte kGuard{0xA5};
  explicit HostTensors(const OperationCase& c, int64_t guard_bytes = 0, int64_t offset = 0);
  Views views() const { return views_; }
  // Of tensor i, with what stands around it.
  std::span<const std::byte> memory(size_t i) const { return memory_[i]; }
  // Where in it the tensor begins.
  int64_t front_bytes(size_t i) const {
    return static_cast<const std::byte*>(views_[i].data) - memory_[i].data();
  }

 private:
  std::vector<std::vector<std::byte>> memory_;
  std::vector<View> views_;
};

// Element i of a view becomes x, rounded to its type.
void put(View to, int64_t i, double x);
// Writes a tensor's content before the call.
void fill(const TensorSpec& tensor, int index, View to);
std::vector<double> to_doubles(ConstView view);

enum class Product { kNN, kNT, kTN };
struct MatmulCase {
  Product product;
  int64_t M, N, K;
  DType operand = DType::kF32, result = DType::kF32;
  bool bias = false, accumulate = false;
  int64_t padding = 0;  // elements between two rows of each matrix
};
OperationCase matmul_case(const MatmulCase& c);

struct LinearCase {
  int64_t R, K, N;
  WeightType weight = WeightType::kF32;  // f32, bf16 or f16
  WeightLayout layout = WeightLayout::kInOut;
  DType x = DType::kF32, y = DType::kF32;
  bool bias = true;
};
// Tensors: x, weight, y, bias.
OperationCase linear_case(const LinearCase& c);
// The weight that lies in `data`, as the case says.
Weight weight_of(const LinearCase& c, const void* data);

OperationCase add_case(int64_t count, DType delta);
OperationCase cast_case(int64_t count, DType to);
OperationCase sum_rows_case(int64_t rows, int64_t columns, DType type, bool accumulate);
OperationCase scale_columns_case(int64_t rows, int64_t columns, DType type, bool bias);
OperationCase sum_products_case(int64_t rows, int64_t columns, DType type, bool accumulate);
struct AdaptedNormsCase {
  int64_t in, out, rank;
  WeightLayout layout = WeightLayout::kInOut;
  DType type = DType::kF32;
};
OperationCase adapted_norms_case(const AdaptedNormsCase& c);
OperationCase sum_case(int64_t count, bool accumulate);
OperationCase sum_of_squares_case(int64_t count);
OperationCase dropout_case(int64_t count, DType type, const DropoutMask& mask);
// optimizer_step of one row, whose gradient is scaled by about 0.7.
OperationCase adamw_case(int64_t count, bool copy, double gradient_range = 1);

struct MuonCase {
  int64_t rows, columns, parts = 1;
  bool copy = false;
  double gradient_range = 1;
};
OperationCase muon_case(const MuonCase& c);

// Of the steps of these cases: a square of the norm, and a clip.
constexpr double kSquaredNorm = 4, kClip = 1.4;

constexpr Activation kActivations[] = {Activation::kGeluTanh, Activation::kGelu, Activation::kRelu,
                                       Activation::kSilu};
struct ActivationCase {
  Activation kind;
  int64_t count;
  DType type = DType::kF32;
  double range = 8;  // of x
};
OperationCase activation_forward_case(const ActivationCase& c);
OperationCase activation_backward_case(const ActivationCase& c);

struct EmbeddingSizes {
  int64_t N, C, V, T;
  bool dwte = true, dwpe = true;  // of the backward pass: which are wanted
};
OperationCase embedding_forward_case(const EmbeddingSizes& s);
OperationCase embedding_backward_case(const EmbeddingSizes& s);

struct LayerNormCase {
  int64_t N, C;
  DType type = DType::kF32;
  bool delta = false, accumulate = false;
  double mean = 0;  // x lies in [mean - 1, mean + 1)
  bool bias = true;
  bool dweight = true;  // of the backward pass: whether it is wanted
};
OperationCase layer_norm_forward_case(const LayerNormCase& c);
OperationCase layer_norm_backward_case(const LayerNormCase& c);

// Which keys a query sees; kCausal gives no arrays, the others do.
enum class KeyMask {
  kCausal,
  kDocuments,  // those of its document up to itself
  kPrefix,     // up to itself, and all of a prefix
  kWindow,     // the last 21 up to itself
  kRandom,     // any interval, with or without itself
  kEnds,       // the first ones or the last ones; none sees the middle
  kCausalIntervals,
  kGiven,  // AttentionCase::given_first and given_last
};
constexpr KeyMask kIntervals[] = {KeyMask::kDocuments, KeyMask::kPrefix, KeyMask::kWindow,
                                  KeyMask::kRandom, KeyMask::kEnds};

struct AttentionCase {
  int64_t B, T, NH, HS;
  DType type = DType::kF32;
  DropoutMask dropout = {};
  double range = 1;  // of q, k and v
  KeyMask mask = KeyMask::kCausal;
  int64_t queries_per_key_head = 1;
  std::vector<int32_t> given_first = {}, given_last = {};  // [B,T], for kGiven
  bool interleaved = false;  // rows are q | k | v of head 0, of head 1, ..., not all q | all k | v
  float scale() const;
  int64_t KVH() const { return NH / queries_per_key_head; }
  int64_t width() const { return (NH + 2 * KVH()) * HS; }
  reference::AttentionSizes sizes() const;  // with the intervals
};
// What the views of a case's qkv or dqkv [B,T,width] are to the operation.
PackedHeads heads_of(const AttentionCase& c, View qkv);
OperationCase attention_forward_case(const AttentionCase& c);
OperationCase attention_backward_case(const AttentionCase& c);

// A row of AttentionPaged.
struct PagedRow {
  int32_t sequence, position, first_key, last_key;
};
// Rows of S sequences of up to M pages; positions that no row stores are there before.
struct PagedCase {
  int64_t NH, HS, S, M;
  std::vector<PagedRow> rows;
  DType type = DType::kF32, cache = DType::kF32;
  double range = 1;  // of q, k and v
  float scale() const;
};
OperationCase attention_paged_case(const PagedCase& c);

struct CrossEntropyCase {
  int64_t R, V;
  enum class Gradient { kNone, kF32, kBF16, kInPlace } gradient = Gradient::kF32;
  double range = 5, offset = 0;  // of logits
  bool weights = false;
};
OperationCase cross_entropy_case(const CrossEntropyCase& c);

}  // namespace inkstone::test

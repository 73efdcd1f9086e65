// Matrix products by oneDNN.
//
// 2 M N K flops over (M K + K N + M N) elements: limited by the GEMM peak at training shapes (see
// docs/performance.md). oneDNN splits the work over its OpenMP threads; for one shape, thread count
// and machine the result is the same bits every time. Primitives are made once per shape and kept.
//
// Below AVX-512 oneDNN has no bf16 products, and its f32 kernel is half as fast on a B whose rows
// lie a multiple of 4096 bytes apart (they fall into the same few sets of the cache). There B is
// copied first, in slices, as f32 with rows that do not collide; bf16 operands are widened (which
// is exact) and a bf16 result is rounded once, so that the numbers are those of a machine that
// multiplies bf16 and adds in f32.
#include <dnnl.hpp>

#include <algorithm>
#include <map>
#include <mutex>
#include <tuple>
#include <vector>

#include "base/error.h"
#include "base/threads.h"
#include "kernels/cpu/operations.h"

namespace inkstone::cpu {
namespace {

enum class Layout { kNN, kNT, kTN };

// Row-major; stride: elements from one row to the next.
struct Matrix {
  void* data;
  DType dtype;
  int64_t rows, columns, stride;

  Matrix column_range(int64_t begin, int64_t count) const {
    return {static_cast<std::byte*>(data) + begin * size_bytes(dtype), dtype, rows, count, stride};
  }
  Matrix row_range(int64_t begin, int64_t count) const {
    return {static_cast<std::byte*>(data) + begin * stride * size_bytes(dtype), dtype, count,
            columns, stride};
  }
};

// C = A * B + bias (or C += ...), A and B as the layout says.
struct Product {
  Layout layout;
  Matrix a, b, c;
  const float* bias;  // may be null
  bool accumulate;

  int64_t m() const { return c.rows; }
  int64_t n() const { return c.columns; }
  int64_t k() const { return layout == Layout::kTN ? a.rows : a.columns; }
};

// What oneDNN makes a primitive for.
struct Key {
  Layout layout;
  DType operand, result;
  int64_t m, n, k, a_stride, b_stride, c_stride;
  bool bias, accumulate;
  int threads;
  auto operator<=>(const Key&) const = default;
};

// One engine and stream for the process: oneDNN's CPU engine holds no state of ours.
struct Device {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  std::mutex mutex;
  std::map<Key, dnnl::matmul> primitives;
};

Device& device() {
  static Device instance;
  return instance;
}

dnnl::memory::data_type to_dnnl(DType type) {
  return type == DType::kF32 ? dnnl::memory::data_type::f32 : dnnl::memory::data_type::bf16;
}

// The memory of rows x columns, which oneDNN is to read as rows x columns or as its transpose.
dnnl::memory::desc description(DType type, int64_t rows, int64_t columns, int64_t stride,
                               bool transposed) {
  if (transposed) return {{columns, rows}, to_dnnl(type), dnnl::memory::dims{1, stride}};
  return {{rows, columns}, to_dnnl(type), dnnl::memory::dims{stride, 1}};
}

struct Descriptions {
  explicit Descriptions(const Key& key)
      : a(key.layout == Layout::kTN ? description(key.operand, key.k, key.m, key.a_stride, true)
                                    : description(key.operand, key.m, key.k, key.a_stride, false)),
        b(key.layout == Layout::kNT ? description(key.operand, key.n, key.k, key.b_stride, true)
                                    : description(key.operand, key.k, key.n, key.b_stride, false)),
        c(description(key.result, key.m, key.n, key.c_stride, false)),
        bias(description(DType::kF32, 1, key.n, key.n, false)) {}
  dnnl::memory::desc a, b, c, bias;
};

dnnl::matmul make_primitive(const Key& key, const Descriptions& d) {
  dnnl::primitive_attr attributes;
  if (key.accumulate) {
    dnnl::post_ops sum;
    sum.append_sum(1.0f);
    attributes.set_post_ops(sum);
  }
  const auto operation = key.bias ? dnnl::matmul::desc(d.a, d.b, d.bias, d.c)
                                  : dnnl::matmul::desc(d.a, d.b, d.c);
  return dnnl::matmul(dnnl::matmul::primitive_desc(operation, attributes, device().engine));
}

dnnl::matmul primitive(const Key& key, const Descriptions& d) {
  const std::lock_guard lock(device().mutex);
  const auto found = device().primitives.find(key);
  if (found != device().primitives.end()) return found->second;
  return device().primitives.emplace(key, make_primitive(key, d)).first->second;
}

void multiply(const Product& p) {
  const Key key{p.layout,     p.a.dtype,     p.c.dtype,  p.m(),      p.n(),
                p.k(),        p.a.stride,    p.b.stride, p.c.stride, p.bias != nullptr,
                p.accumulate, thread_count()};
  const Descriptions d(key);
  const auto memory = [](const dnnl::memory::desc& desc, const void* data) {
    return dnnl::memory(desc, device().engine, const_cast<void*>(data));
  };
  std::unordered_map<int, dnnl::memory> arguments{{DNNL_ARG_SRC, memory(d.a, p.a.data)},
                                                  {DNNL_ARG_WEIGHTS, memory(d.b, p.b.data)},
                                                  {DNNL_ARG_DST, memory(d.c, p.c.data)}};
  if (key.bias) arguments.emplace(DNNL_ARG_BIAS, memory(d.bias, p.bias));
  try {
    primitive(key, d).execute(device().stream, arguments);
    device().stream.wait();
  } catch (const dnnl::error& e) {
    fail(ErrorCode::kUnsupported, "matrix product [{}, {}] x [{}, {}] in {}: oneDNN says: {}",
         key.m, key.k, key.k, key.n, name(key.operand), e.what());
  }
}

bool has_avx512() {
  static const bool has = [] {  // an instruction set is named by the bits of all that it includes
    const auto wanted = static_cast<unsigned>(dnnl::cpu_isa::avx512_core);
    return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & wanted) == wanted;
  }();
  return has;
}

bool rows_collide(int64_t stride) {
  return stride * static_cast<int64_t>(sizeof(float)) % 4096 == 0;
}

// An f32 matrix in `memory` with rows that do not collide.
Matrix scratch_matrix(int64_t rows, int64_t columns, std::vector<float>& memory) {
  const int64_t stride = rows_collide(columns) ? columns + 16 : columns;
  if (memory.size() < static_cast<size_t>(rows * stride)) memory.resize(rows * stride);
  return {memory.data(), DType::kF32, rows, columns, stride};
}

// A copy of `m` in `memory`, as f32.
Matrix staged(const Matrix& m, std::vector<float>& memory) {
  const Matrix copy = scratch_matrix(m.rows, m.columns, memory);
  copy_rows({.from = m.data,
             .from_dtype = m.dtype,
             .from_stride = m.stride,
             .to = copy.data,
             .to_dtype = DType::kF32,
             .to_stride = copy.stride,
             .rows = m.rows,
             .columns = m.columns});
  return copy;
}

// The part of a product that rows [begin, begin + count) of B take part in: nn adds up such parts,
// nt puts them side by side.
Product slice_of(const Product& p, const Matrix& b, int64_t begin) {
  Product part = p;
  part.b = b;
  if (p.layout == Layout::kNN) {
    part.a = p.a.column_range(begin, b.rows);
    part.accumulate = p.accumulate || begin > 0;
    if (begin > 0) part.bias = nullptr;
  } else if (p.layout == Layout::kNT) {
    part.c = p.c.column_range(begin, b.rows);
    if (p.bias != nullptr) part.bias = p.bias + begin;
  }
  return part;
}

// The product with B staged in slices, so that the copy stays in cache and small; A and C too where
// they are bf16.
void multiply_staged(const Product& p) {
  constexpr int64_t kSliceBytes = int64_t{8} << 20;
  static thread_local std::vector<float> a_memory, b_memory, c_memory;  // kept between calls
  Product whole = p;
  if (p.a.dtype == DType::kBF16) whole.a = staged(p.a, a_memory);
  if (p.c.dtype == DType::kBF16) {
    whole.c = p.accumulate ? staged(p.c, c_memory)
                           : scratch_matrix(p.c.rows, p.c.columns, c_memory);
  }
  const int64_t slice_rows = p.layout == Layout::kTN
                                 ? p.b.rows
                                 : std::max<int64_t>(
                                       64, kSliceBytes / (p.b.columns * int64_t{sizeof(float)}));
  for (int64_t begin = 0; begin < p.b.rows; begin += slice_rows) {
    const Matrix rows = p.b.row_range(begin, std::min(slice_rows, p.b.rows - begin));
    multiply(slice_of(whole, staged(rows, b_memory), begin));
  }
  if (p.c.dtype != DType::kBF16) return;
  copy_rows({.from = whole.c.data,
             .from_dtype = DType::kF32,
             .from_stride = whole.c.stride,
             .to = p.c.data,
             .to_dtype = DType::kBF16,
             .to_stride = p.c.stride,
             .rows = p.c.rows,
             .columns = p.c.columns});
}

Matrix matrix_of(ConstView v) {
  INK_CHECK(v.shape.rank() == 2, "matmul takes matrices");
  INK_CHECK(v.dtype == DType::kF32 || v.dtype == DType::kBF16, "matmul takes f32 or bf16");
  return {const_cast<void*>(v.data), v.dtype, v.shape[0], v.shape[1], v.shape[1]};
}

Product product_of(const Matmul& op, Layout layout) {
  const Product p{layout,
                  matrix_of(op.a),
                  matrix_of(op.b),
                  matrix_of(op.c),
                  op.bias ? op.bias.as<float>() : nullptr,
                  op.accumulate};
  INK_CHECK((layout == Layout::kTN ? p.a.columns : p.a.rows) == p.m(), "matmul: rows of A and C");
  INK_CHECK((layout == Layout::kNT ? p.b.rows : p.b.columns) == p.n(),
            "matmul: columns of B and C");
  INK_CHECK((layout == Layout::kNT ? p.b.columns : p.b.rows) == p.k(), "matmul: inner sizes");
  INK_CHECK(op.a.dtype == op.b.dtype, "matmul: types of A and B");
  INK_CHECK(!op.bias || op.bias.count() == p.n(), "matmul: bias");
  return p;
}

void run(const Matmul& op, Layout layout) {
  const Product p = product_of(op, layout);
  if (p.m() == 0 || p.n() == 0) return;
  const bool any_bf16 = p.a.dtype == DType::kBF16 || p.c.dtype == DType::kBF16;
  const bool slow = layout == Layout::kNN && rows_collide(p.b.stride) && p.m() > 16;
  if (!has_avx512() && (any_bf16 || slow)) return multiply_staged(p);
  multiply(p);
}

}  // namespace

void matmul_nn(const Matmul& op) { run(op, Layout::kNN); }
void matmul_nt(const Matmul& op) { run(op, Layout::kNT); }
void matmul_tn(const Matmul& op) { run(op, Layout::kTN); }

}  // namespace inkstone::cpu

// Matrix products by oneDNN.
//
// 2 M N K flops over (M K + K N + M N) elements: limited by the GEMM peak at training shapes (see
// docs/performance.md). oneDNN splits the work over its OpenMP threads; for one shape, thread count and
// machine the result is the same bits every time. Primitives are made once per shape and kept.
#include <dnnl.hpp>

#include <mutex>
#include <tuple>
#include <map>

#include "base/error.h"
#include "base/threads.h"
#include "kernels/cpu/operations.h"

namespace inkstone::cpu {
namespace {

enum class Layout { kNN, kNT, kTN };

struct Key {
  Layout layout;
  DType operand, result;
  int64_t m, n, k;
  bool bias, accumulate;
  int threads;
  auto tie() const { return std::tie(layout, operand, result, m, n, k, bias, accumulate, threads); }
  bool operator<(const Key& other) const { return tie() < other.tie(); }
};

dnnl::memory::data_type to_dnnl(DType type) {
  INK_CHECK(type == DType::kF32 || type == DType::kBF16, "matmul takes f32 or bf16");
  return type == DType::kF32 ? dnnl::memory::data_type::f32 : dnnl::memory::data_type::bf16;
}

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

dnnl::memory::desc a_desc(const Key& key) {
  using tag = dnnl::memory::format_tag;
  return {{key.m, key.k}, to_dnnl(key.operand), key.layout == Layout::kTN ? tag::ba : tag::ab};
}

dnnl::memory::desc b_desc(const Key& key) {
  using tag = dnnl::memory::format_tag;
  return {{key.k, key.n}, to_dnnl(key.operand), key.layout == Layout::kNT ? tag::ba : tag::ab};
}

dnnl::memory::desc c_desc(const Key& key) {
  return {{key.m, key.n}, to_dnnl(key.result), dnnl::memory::format_tag::ab};
}

dnnl::memory::desc bias_desc(const Key& key) {
  return {{1, key.n}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::ab};
}

dnnl::matmul make_primitive(const Key& key) {
  dnnl::primitive_attr attributes;
  if (key.accumulate) {
    dnnl::post_ops sum;
    sum.append_sum(1.0f);
    attributes.set_post_ops(sum);
  }
  const auto description = key.bias ? dnnl::matmul::desc(a_desc(key), b_desc(key), bias_desc(key), c_desc(key))
                                    : dnnl::matmul::desc(a_desc(key), b_desc(key), c_desc(key));
  return dnnl::matmul(dnnl::matmul::primitive_desc(description, attributes, device().engine));
}

dnnl::matmul primitive(const Key& key) {
  const std::lock_guard lock(device().mutex);
  const auto found = device().primitives.find(key);
  if (found != device().primitives.end()) return found->second;
  return device().primitives.emplace(key, make_primitive(key)).first->second;
}

Key make_key(const Matmul& op, Layout layout) {
  const bool a_transposed = layout == Layout::kTN, b_transposed = layout == Layout::kNT;
  const int64_t k = op.a.shape[a_transposed ? 0 : 1];
  INK_CHECK(op.a.shape.rank() == 2 && op.b.shape.rank() == 2 && op.c.shape.rank() == 2, "matmul takes matrices");
  INK_CHECK(op.a.shape[a_transposed ? 1 : 0] == op.c.shape[0], "matmul: rows of A and C");
  INK_CHECK(op.b.shape[b_transposed ? 0 : 1] == op.c.shape[1], "matmul: columns of B and C");
  INK_CHECK(op.b.shape[b_transposed ? 1 : 0] == k, "matmul: inner sizes");
  INK_CHECK(op.a.dtype == op.b.dtype, "matmul: types of A and B");
  INK_CHECK(!op.bias || (op.bias.count() == op.c.shape[1] && op.bias.dtype == DType::kF32), "matmul: bias");
  return {layout, op.a.dtype, op.c.dtype, op.c.shape[0], op.c.shape[1], k,
          static_cast<bool>(op.bias), op.accumulate, thread_count()};
}

void run(const Matmul& op, Layout layout) {
  const Key key = make_key(op, layout);
  if (key.m == 0 || key.n == 0) return;
  auto& engine = device().engine;
  const auto memory = [&](const dnnl::memory::desc& desc, const void* data) {
    return dnnl::memory(desc, engine, const_cast<void*>(data));
  };
  std::unordered_map<int, dnnl::memory> arguments{{DNNL_ARG_SRC, memory(a_desc(key), op.a.data)},
                                                  {DNNL_ARG_WEIGHTS, memory(b_desc(key), op.b.data)},
                                                  {DNNL_ARG_DST, memory(c_desc(key), op.c.data)}};
  if (key.bias) arguments.emplace(DNNL_ARG_BIAS, memory(bias_desc(key), op.bias.data));
  try {
    primitive(key).execute(device().stream, arguments);
    device().stream.wait();
  } catch (const dnnl::error& e) {
    fail(ErrorCode::kUnsupported, "matrix product [{}, {}] x [{}, {}] in {}: oneDNN says: {}", key.m, key.k,
         key.k, key.n, name(key.operand), e.what());
  }
}

}  // namespace

void matmul_nn(const Matmul& op) { run(op, Layout::kNN); }
void matmul_nt(const Matmul& op) { run(op, Layout::kNT); }
void matmul_tn(const Matmul& op) { run(op, Layout::kTN); }

}  // namespace inkstone::cpu

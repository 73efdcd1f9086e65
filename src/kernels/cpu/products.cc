#include "kernels/cpu/products.h"

#include <dnnl.hpp>

#include <list>
#include <map>
#include <utility>
#include <vector>

#include "base/error.h"
#include "kernels/cpu/context.h"

#if DNNL_CPU_RUNTIME == DNNL_RUNTIME_OMP
#include <omp.h>
#endif

namespace inkstone::cpu {
namespace {

// While it lives, oneDNN works in the calling thread alone. The setting is the thread's own.
class OneThread {
 public:
#if DNNL_CPU_RUNTIME == DNNL_RUNTIME_OMP
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }
#elif DNNL_CPU_RUNTIME != DNNL_RUNTIME_SEQ
#error "oneDNN must be built for OpenMP, as Debian's is, or without threads"
#endif
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  [[maybe_unused]] int before_ = 0;
};

// What a primitive is made for.
struct Key {
  Layout layout;
  DType operand, result;
  int64_t m, n, k, a_stride, b_stride, c_stride;
  bool bias, accumulate;
  auto operator<=>(const Key&) const = default;
};

Key key_of(const Product& p) {
  return {p.layout,   p.a.dtype,  p.c.dtype,         p.m(),       p.n(), p.k(), p.a.stride,
          p.b.stride, p.c.stride, p.bias != nullptr, p.accumulate};
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

dnnl::primitive_attr attributes(bool accumulate) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (accumulate) {
    dnnl::post_ops sum;
    sum.append_sum(1.0f);
    attributes.set_post_ops(sum);
  }
  return attributes;
}

}  // namespace

struct Products::Primitive {
  Primitive(const Key& key, const dnnl::engine& engine)
      : a(key.layout == Layout::kTN ? description(key.operand, key.k, key.m, key.a_stride, true)
                                    : description(key.operand, key.m, key.k, key.a_stride, false)),
        b(key.layout == Layout::kNT ? description(key.operand, key.n, key.k, key.b_stride, true)
                                    : description(key.operand, key.k, key.n, key.b_stride, false)),
        c(description(key.result, key.m, key.n, key.c_stride, false)),
        bias(description(DType::kF32, 1, key.n, key.n, false)) {
    const OneThread alone;
    const auto how = attributes(key.accumulate);
#if DNNL_VERSION_MAJOR >= 3
    const auto details = key.bias ? dnnl::matmul::primitive_desc(engine, a, b, bias, c, how)
                                  : dnnl::matmul::primitive_desc(engine, a, b, c, how);
#else
    const auto operation = key.bias ? dnnl::matmul::desc(a, b, bias, c)
                                    : dnnl::matmul::desc(a, b, c);
    const dnnl::matmul::primitive_desc details(operation, how, engine);
#endif
    scratchpad = details.scratchpad_desc();
    primitive = dnnl::matmul(details);
  }

  dnnl::memory::desc a, b, c, bias, scratchpad;
  dnnl::matmul primitive;
};

struct Products::Impl {
  explicit Impl(int threads) : scratch(threads) {
    for (int i = 0; i < threads; ++i) streams.emplace_back(engine);
  }

  struct Kept {
    std::shared_ptr<const Primitive> primitive;
    std::list<Key>::iterator place;
  };
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  std::vector<dnnl::stream> streams;  // by thread
  std::vector<Scratch> scratch;       // by thread
  std::map<Key, Kept> kept;
  std::list<Key> recent;  // the last used first
};

Products::Products(int threads) : impl_(std::make_unique<Impl>(threads)) {}
Products::~Products() = default;

size_t Products::size() const { return impl_->kept.size(); }

std::shared_ptr<const Products::Primitive> Products::find(const Product& p) {
  const Key key = key_of(p);
  auto& [engine, streams, scratch, kept, recent] = *impl_;
  if (const auto found = kept.find(key); found != kept.end()) {
    recent.splice(recent.begin(), recent, found->second.place);
    return found->second.primitive;
  }
  std::shared_ptr<const Primitive> primitive;
  try {
    primitive = std::make_shared<const Primitive>(key, engine);
  } catch (const dnnl::error& e) {
    fail(ErrorCode::kUnsupported, "matrix product [{}, {}] x [{}, {}] in {}: oneDNN says: {}",
         key.m, key.k, key.k, key.n, name(key.operand), e.what());
  }
  if (kept.size() == kMostPrimitives) {
    kept.erase(recent.back());
    recent.pop_back();
  }
  recent.push_front(key);
  kept.emplace(key, Impl::Kept{primitive, recent.begin()});
  return primitive;
}

void Products::multiply(const Primitive& primitive, const Product& p, int thread) {
  const OneThread alone;
  const auto memory = [&](const dnnl::memory::desc& desc, const void* data) {
    return dnnl::memory(desc, impl_->engine, const_cast<void*>(data));
  };
  std::unordered_map<int, dnnl::memory> arguments{{DNNL_ARG_SRC, memory(primitive.a, p.a.data)},
                                                  {DNNL_ARG_WEIGHTS, memory(primitive.b, p.b.data)},
                                                  {DNNL_ARG_DST, memory(primitive.c, p.c.data)}};
  if (p.bias != nullptr) arguments.emplace(DNNL_ARG_BIAS, memory(primitive.bias, p.bias));
  if (const auto bytes = static_cast<int64_t>(primitive.scratchpad.get_size()); bytes > 0) {
    const int64_t element = sizeof(float);
    float* const scratch = impl_->scratch[thread].take((bytes + element - 1) / element);
    arguments.emplace(DNNL_ARG_SCRATCHPAD, memory(primitive.scratchpad, scratch));
  }
  try {
    primitive.primitive.execute(impl_->streams[thread], arguments);
    impl_->streams[thread].wait();
  } catch (const dnnl::error& e) {
    fail(ErrorCode::kInternal, "matrix product [{}, {}] x [{}, {}]: oneDNN says: {}", p.m(), p.k(),
         p.k(), p.n(), e.what());
  }
}

bool has_avx512() {
  static const bool has = [] {  // an instruction set is named by the bits of all that it includes
    const auto wanted = static_cast<unsigned>(dnnl::cpu_isa::avx512_core);
    return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & wanted) == wanted;
  }();
  return has;
}

}  // namespace inkstone::cpu

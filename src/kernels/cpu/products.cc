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

// The arguments of a primitive in one thread: made once, since oneDNN allocates several blocks for
// each; only what they point to changes.
class Arguments {
 public:
  Arguments() { memories_.reserve(kMost), list_.reserve(kMost); }
  void point(int argument, const dnnl::memory::desc& desc, const dnnl::engine& engine,
             const void* data) {
    for (size_t i = 0; i < list_.size(); ++i) {
      if (list_[i].arg == argument) return memories_[i].set_data_handle(const_cast<void*>(data));
    }
    memories_.emplace_back(desc, engine, const_cast<void*>(data));
    list_.push_back({argument, memories_.back().get()});
  }
  const std::vector<dnnl_exec_arg_t>& list() const { return list_; }

 private:
  static constexpr size_t kMost = 5;  // two operands, result, bias, scratch
  std::vector<dnnl::memory> memories_;
  std::vector<dnnl_exec_arg_t> list_;
};

}  // namespace

struct Products::Primitive {
  Primitive(const Key& key, const dnnl::engine& engine, int threads)
      : a(key.layout == Layout::kTN ? description(key.operand, key.k, key.m, key.a_stride, true)
                                    : description(key.operand, key.m, key.k, key.a_stride, false)),
        b(key.layout == Layout::kNT ? description(key.operand, key.n, key.k, key.b_stride, true)
                                    : description(key.operand, key.k, key.n, key.b_stride, false)),
        c(description(key.result, key.m, key.n, key.c_stride, false)),
        bias(description(DType::kF32, 1, key.n, key.n, false)),
        arguments(threads) {
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
  mutable std::vector<Arguments> arguments;  // by thread
};

struct Products::Impl {
  explicit Impl(int count) : threads(count), scratch(count) {
    for (int i = 0; i < count; ++i) streams.emplace_back(engine);
  }

  struct Kept {
    std::shared_ptr<const Primitive> primitive;
    std::list<Key>::iterator place;
  };
  int threads;
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
  auto& kept = impl_->kept;
  auto& recent = impl_->recent;
  if (const auto found = kept.find(key); found != kept.end()) {
    recent.splice(recent.begin(), recent, found->second.place);
    return found->second.primitive;
  }
  std::shared_ptr<const Primitive> primitive;
  try {
    primitive = std::make_shared<const Primitive>(key, impl_->engine, impl_->threads);
  } catch (const dnnl::error& e) {
    fail(ErrorCode::kUnsupported, "matrix product [{}, {}] x [{}, {}] in {}: oneDNN says: {}",
         key.m, key.k, key.k, key.n, name(key.operand), e.what());
  }
  while (kept.size() >= kMostPrimitives) {
    kept.erase(recent.back());
    recent.pop_back();
  }
  recent.push_front(key);
  kept.emplace(key, Impl::Kept{primitive, recent.begin()});
  return primitive;
}

void Products::multiply(const Primitive& primitive, const Product& p, int thread) {
  const OneThread alone;
  Arguments& arguments = primitive.arguments[thread];
  const auto point = [&](int argument, const dnnl::memory::desc& desc, const void* data) {
    arguments.point(argument, desc, impl_->engine, data);
  };
  try {
    point(DNNL_ARG_SRC, primitive.a, p.a.data);
    point(DNNL_ARG_WEIGHTS, primitive.b, p.b.data);
    point(DNNL_ARG_DST, primitive.c, p.c.data);
    if (p.bias != nullptr) point(DNNL_ARG_BIAS, primitive.bias, p.bias);
    if (const auto bytes = static_cast<int64_t>(primitive.scratchpad.get_size()); bytes > 0) {
      const int64_t element = sizeof(float);
      point(DNNL_ARG_SCRATCHPAD, primitive.scratchpad,
            impl_->scratch[thread].take((bytes + element - 1) / element));
    }
    const auto& list = arguments.list();
    dnnl::error::wrap_c_api(
        dnnl_primitive_execute(primitive.primitive.get(), impl_->streams[thread].get(),
                               static_cast<int>(list.size()), list.data()),
        "it could not be executed");
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

// The CPU backend: memory, copies, and every operation forwarded to its kernel.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/error.h"
#include "kernels/cpu/operations.h"

namespace inkstone {
namespace {

constexpr int64_t kHugePageBytes = int64_t{2} << 20;

// Whole pages of the system, at an address that is a multiple of a huge page's size: more is
// mapped, and what lies before and behind is given back. Null where there is not enough.
void* map_pages(int64_t bytes, int flags) {
  const auto size = static_cast<size_t>(bytes), page = static_cast<size_t>(kHugePageBytes);
  if (size > SIZE_MAX - 2 * page) return nullptr;
  void* const mapped = ::mmap(nullptr, size + page, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  auto* const begin = static_cast<std::byte*>(mapped);
  const size_t system_page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t before = (page - reinterpret_cast<uintptr_t>(begin) % page) % page;
  const size_t used = (before + size + system_page - 1) / system_page * system_page;
  if (before > 0) ::munmap(begin, before);
  if (used < size + page) ::munmap(begin + used, size + page - used);
  return begin + before;
}

// flags: of mmap, besides those that it needs.
void* zeroed_memory(int64_t bytes, int flags) {
  void* data = nullptr;
  if (bytes >= kHugePageBytes) {
    data = map_pages(bytes, flags);
  } else if (bytes >= 0) {
    const int64_t size = std::max<int64_t>(bytes + 63, 64) / 64 * 64;
    data = std::aligned_alloc(64, size);
    if (data != nullptr) std::memset(data, 0, size);
  }
  if (data == nullptr) {
    fail(ErrorCode::kInputOutput,
         "not enough memory: {} MB more are needed; try a smaller batch, context or model",
         bytes / 1000000);
  }
  return data;
}

class CpuBackend final : public Backend {
 public:
  CpuBackend(const Runtime& runtime, cpu::Staging staging)
      : Backend(runtime), context_(runtime.pool(), staging) {}

  Message description() const override {
    if (runtime().threads() == 1) return message("cpu ({}, 1 thread)", cpu::instruction_set());
    return message("cpu ({}, {} threads)", cpu::instruction_set(), runtime().threads());
  }

  bool shares_host_memory() const override { return true; }

  // Large blocks lie on huge pages: fewer page faults and TLB misses while weights stream through.
  void* allocate(int64_t bytes) override {
    void* const data = zeroed_memory(bytes, 0);
    if (bytes >= kHugePageBytes) {
      ::madvise(data, static_cast<size_t>(bytes), MADV_HUGEPAGE);
      context_.pool.parallel_for(bytes, kHugePageBytes, [&](int64_t begin, int64_t end, int) {
        std::memset(static_cast<std::byte*>(data) + begin, 0, end - begin);
      });
    }
    return data;
  }
  void* reserve(int64_t bytes) override { return zeroed_memory(bytes, MAP_NORESERVE); }
  void release(void* data, int64_t bytes) noexcept override {
    if (bytes >= kHugePageBytes) {
      ::munmap(data, static_cast<size_t>(bytes));
    } else {
      std::free(data);
    }
  }

  void copy_to_host(ConstView from, void* to) override { move_bytes(from.data, to, from.bytes()); }
  void synchronize() override {}  // every call is done when it returns
  void copy_from_host(const void* from, View to) override { move_bytes(from, to.data, to.bytes()); }
  void copy(ConstView from, View to) override {
    INK_CHECK(from.dtype == to.dtype && from.count() == to.count(), "copy: types or sizes");
    move_bytes(from.data, to.data, to.bytes());
  }
  void fill_zero(View x) override { std::memset(x.data, 0, x.bytes()); }
  void cast(ConstView from, View to) override { cpu::cast(context_, from, to); }

  void matmul_nn(const Matmul& op) override { cpu::matmul_nn(context_, op); }
  void matmul_nt(const Matmul& op) override { cpu::matmul_nt(context_, op); }
  void matmul_tn(const Matmul& op) override { cpu::matmul_tn(context_, op); }
  void sum_rows(ConstView x, View out, bool accumulate) override {
    cpu::sum_rows(context_, x, out, accumulate);
  }
  void sum(ConstView x, View total, bool accumulate) override { cpu::sum(x, total, accumulate); }
  void sum_of_squares(ConstView x, View total) override { cpu::sum_of_squares(context_, x, total); }
  void widen(const Widen& op) override { cpu::widen(context_, op); }
  void scale_columns(const ScaleColumns& op) override { cpu::scale_columns(context_, op); }
  void sum_products(const SumProducts& op) override { cpu::sum_products(context_, op); }
  void adapted_norms(const AdaptedNorms& op) override { cpu::adapted_norms(context_, op); }
  void linear(const Linear& op) override { cpu::linear(context_, op); }
  void embed(const Embed& op) override { cpu::embed(context_, op); }
  void attention_paged(const AttentionPaged& op) override { cpu::attention_paged(context_, op); }
  int64_t packed_bytes(const Weight& weight) const override { return cpu::packed_bytes(weight); }
  Weight pack(const Weight& from, void* to) override { return cpu::pack(context_, from, to); }
  void embedding_forward(const EmbeddingForward& op) override {
    cpu::embedding_forward(context_, op);
  }
  void embedding_backward(const EmbeddingBackward& op) override {
    cpu::embedding_backward(context_, op);
  }
  void layer_norm_forward(const LayerNormForward& op) override {
    cpu::layer_norm_forward(context_, op);
  }
  void layer_norm_backward(const LayerNormBackward& op) override {
    cpu::layer_norm_backward(context_, op);
  }
  void activation_forward(const ActivationForward& op) override {
    cpu::activation_forward(context_, op);
  }
  void activation_backward(const ActivationBackward& op) override {
    cpu::activation_backward(context_, op);
  }
  void dropout(View x, const DropoutMask& mask) override { cpu::dropout(context_, x, mask); }
  void add(View x, ConstView delta) override { cpu::add(context_, x, delta); }
  void attention_forward(const AttentionForward& op) override {
    cpu::attention_forward(context_, op);
  }
  void attention_backward(const AttentionBackward& op) override {
    cpu::attention_backward(context_, op);
  }
  int64_t attention_backward_scratch_bytes(int64_t T, int64_t HS) const override {
    return cpu::attention_backward_scratch_floats(context_, T, HS) *
           static_cast<int64_t>(sizeof(float));
  }
  void cross_entropy(const CrossEntropy& op) override { cpu::cross_entropy(context_, op); }
  int64_t logits_rows(int64_t rows, int64_t vocab_size) const override {
    return cpu::logits_rows(rows, vocab_size);
  }
  void optimizer_step(const OptimizerStep& op) override { cpu::optimizer_step(context_, op); }
  int64_t optimizer_scratch_bytes(std::span<const ParameterUpdate> rows) const override {
    return cpu::optimizer_scratch_floats(rows) * static_cast<int64_t>(sizeof(float));
  }

 private:
  void move_bytes(const void* from, void* to, int64_t bytes) {
    context_.pool.parallel_for(bytes, int64_t{1} << 20, [&](int64_t begin, int64_t end, int) {
      std::memcpy(static_cast<std::byte*>(to) + begin, static_cast<const std::byte*>(from) + begin,
                  end - begin);
    });
  }

  cpu::Context context_;
};

}  // namespace

std::unique_ptr<Backend> make_cpu_backend(const Runtime& runtime) {
  return make_cpu_backend(runtime, cpu::Staging::kWhereFaster);
}

std::unique_ptr<Backend> make_cpu_backend(const Runtime& runtime, cpu::Staging staging) {
  return std::make_unique<CpuBackend>(runtime, staging);
}

}  // namespace inkstone

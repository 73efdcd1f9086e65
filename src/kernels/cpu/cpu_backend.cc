// The CPU backend: memory, copies, and every operation forwarded to its kernel.
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/checked.h"
#include "base/error.h"
#include "kernels/cpu/operations.h"

namespace inkstone {
namespace {

constexpr int64_t kHugePageBytes = int64_t{2} << 20;

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
    const int64_t alignment = bytes >= kHugePageBytes ? kHugePageBytes : 64;
    const int64_t size = checked_sum(std::max<int64_t>(bytes, 1), alignment - 1) / alignment *
                         alignment;
    std::unique_ptr<void, decltype(&std::free)> data(
        bytes < 0 ? nullptr : std::aligned_alloc(alignment, size), &std::free);
    if (data == nullptr) {
      fail(ErrorCode::kInputOutput,
           "not enough memory: {} MB more are needed; try a smaller batch, context or model",
           bytes / 1000000);
    }
    if (alignment == kHugePageBytes) ::madvise(data.get(), size, MADV_HUGEPAGE);
    context_.pool.parallel_for(size, kHugePageBytes, [&](int64_t begin, int64_t end, int) {
      std::memset(static_cast<std::byte*>(data.get()) + begin, 0, end - begin);
    });
    return data.release();
  }
  void release(void* data, int64_t) noexcept override { std::free(data); }

  void copy_to_host(ConstView from, void* to) override { move_bytes(from.data, to, from.bytes()); }
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
  void matmul_rows_nn(const Matmul& op) override { cpu::matmul_rows_nn(context_, op); }
  void matmul_rows_nt(const Matmul& op) override { cpu::matmul_rows_nt(context_, op); }
  void sum_rows(ConstView x, View out, bool accumulate) override {
    cpu::sum_rows(context_, x, out, accumulate);
  }
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
  int64_t attention_backward_scratch_bytes(const Shape& qkv, int64_t heads) const override {
    return cpu::attention_backward_scratch_floats(context_, qkv, heads) *
           static_cast<int64_t>(sizeof(float));
  }
  void attention_cached(const AttentionCached& op) override { cpu::attention_cached(context_, op); }
  void cache_store(const CacheStore& op) override { cpu::cache_store(op); }
  void cross_entropy(const CrossEntropy& op) override { cpu::cross_entropy(context_, op); }
  void adamw(const AdamWStep& op) override { cpu::adamw(context_, op); }
  void muon(const MuonStep& op) override { cpu::muon(context_, op); }
  int64_t muon_scratch_bytes(const Shape& parameter, int64_t parts) const override {
    return cpu::muon_scratch_floats(parameter, parts) * static_cast<int64_t>(sizeof(float));
  }
  double sum_of_squares(ConstView x) override { return cpu::sum_of_squares(context_, x); }

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

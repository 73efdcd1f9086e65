// The CPU backend: memory, copies, and every operation forwarded to its kernel.
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/error.h"
#include "base/threads.h"
#include "kernels/cpu/operations.h"

namespace inkstone {
namespace {

constexpr int64_t kHugePageBytes = int64_t{2} << 20;

class CpuBackend final : public Backend {
 public:
  std::string description() const override {
    return fmt::format("cpu ({}, {} thread{})", cpu::instruction_set(), thread_count(),
                       thread_count() > 1 ? "s" : "");
  }

  bool shares_host_memory() const override { return true; }

  // Large blocks lie on huge pages: fewer page faults and TLB misses while weights stream through.
  void* allocate(int64_t bytes) override {
    const int64_t alignment = bytes >= kHugePageBytes ? kHugePageBytes : 64;
    const int64_t size = (std::max<int64_t>(bytes, 1) + alignment - 1) / alignment * alignment;
    void* data = bytes < 0 ? nullptr : std::aligned_alloc(alignment, size);
    if (data == nullptr) {
      fail(ErrorCode::kInputOutput,
           "not enough memory: {} MB more are needed; try a smaller batch, context or model",
           bytes / 1000000);
    }
    if (alignment == kHugePageBytes) ::madvise(data, size, MADV_HUGEPAGE);
    parallel_for(size, kHugePageBytes, [&](int64_t begin, int64_t end, int) {
      std::memset(static_cast<std::byte*>(data) + begin, 0, end - begin);
    });
    return data;
  }
  void release(void* data, int64_t) noexcept override { std::free(data); }

  void copy_to_host(ConstView from, void* to) override { move_bytes(from.data, to, from.bytes()); }
  void copy_from_host(const void* from, View to) override { move_bytes(from, to.data, to.bytes()); }
  void copy(ConstView from, View to) override {
    INK_CHECK(from.dtype == to.dtype && from.count() == to.count(), "copy: types or sizes");
    move_bytes(from.data, to.data, to.bytes());
  }
  void fill_zero(View x) override { std::memset(x.data, 0, x.bytes()); }
  void cast(ConstView from, View to) override { cpu::cast(from, to); }

  void matmul_nn(const Matmul& op) override { cpu::matmul_nn(op); }
  void matmul_nt(const Matmul& op) override { cpu::matmul_nt(op); }
  void matmul_tn(const Matmul& op) override { cpu::matmul_tn(op); }
  void matmul_rows_nn(const Matmul& op) override { cpu::matmul_rows_nn(op); }
  void matmul_rows_nt(const Matmul& op) override { cpu::matmul_rows_nt(op); }
  void sum_rows(ConstView x, View out, bool accumulate) override {
    cpu::sum_rows(x, out, accumulate);
  }
  void embedding_forward(const EmbeddingForward& op) override { cpu::embedding_forward(op); }
  void embedding_backward(const EmbeddingBackward& op) override { cpu::embedding_backward(op); }
  void layer_norm_forward(const LayerNormForward& op) override { cpu::layer_norm_forward(op); }
  void layer_norm_backward(const LayerNormBackward& op) override { cpu::layer_norm_backward(op); }
  void gelu_forward(const GeluForward& op) override { cpu::gelu_forward(op); }
  void gelu_backward(const GeluBackward& op) override { cpu::gelu_backward(op); }
  void dropout(View x, const DropoutMask& mask) override { cpu::dropout(x, mask); }
  void add(View x, ConstView delta) override { cpu::add(x, delta); }
  void attention_forward(const AttentionForward& op) override { cpu::attention_forward(op); }
  void attention_backward(const AttentionBackward& op) override { cpu::attention_backward(op); }
  void attention_cached(const AttentionCached& op) override { cpu::attention_cached(op); }
  void cache_store(const CacheStore& op) override { cpu::cache_store(op); }
  void cross_entropy(const CrossEntropy& op) override { cpu::cross_entropy(op); }
  void adamw(const AdamWStep& op) override { cpu::adamw(op); }
  double sum_of_squares(ConstView x) override { return cpu::sum_of_squares(x); }

 private:
  static void move_bytes(const void* from, void* to, int64_t bytes) {
    parallel_for(bytes, int64_t{1} << 20, [&](int64_t begin, int64_t end, int) {
      std::memcpy(static_cast<std::byte*>(to) + begin, static_cast<const std::byte*>(from) + begin,
                  end - begin);
    });
  }
};

}  // namespace

std::unique_ptr<Backend> make_cpu_backend() { return std::make_unique<CpuBackend>(); }

}  // namespace inkstone

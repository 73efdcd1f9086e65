// A device that is late, as a GPU may be: every operation is held back until somebody waits, and
// whoever else touches its memory gets a segmentation fault. It counts how often somebody waits and
// allocates. Behind it stands the CPU backend.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <functional>
#include <map>
#include <new>
#include <span>
#include <utility>
#include <vector>

#include "kernels/backend.h"

namespace inkstone::test {

class LateBackend final : public Backend {
 public:
  explicit LateBackend(const Runtime& runtime)
      : Backend(runtime), cpu_(make_cpu_backend(runtime)) {}
  ~LateBackend() override {
    now([] {});
  }

  int64_t waits() const { return waits_; }
  int64_t allocations() const { return allocations_; }

  Message description() const override { return cpu_->description(); }

  void* allocate(int64_t bytes) override {
    ++allocations_;
    const size_t size = static_cast<size_t>(std::max<int64_t>(bytes, 1));
    void* data = ::mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) throw std::bad_alloc();
    memory_.emplace(data, size);
    return data;
  }
  void* reserve(int64_t bytes) override { return allocate(bytes); }
  void release(void* data, int64_t) noexcept override {
    later([=, this] {
      ::munmap(data, memory_.at(data));
      memory_.erase(data);
    });
  }
  void copy_to_host(ConstView from, void* to) override {
    ++waits_;
    now([&] { cpu_->copy_to_host(from, to); });
  }
  void synchronize() override {
    ++waits_;
    now([] {});
  }
  void copy_from_host(const void* from, View to) override {
    const auto* bytes = static_cast<const std::byte*>(from);
    later([this, to, source = std::vector<std::byte>(bytes, bytes + to.bytes())] {
      cpu_->copy_from_host(source.data(), to);
    });
  }
  void copy(ConstView from, View to) override {
    later([=, this] { cpu_->copy(from, to); });
  }
  void fill_zero(View x) override {
    later([=, this] { cpu_->fill_zero(x); });
  }
  void cast(ConstView from, View to) override {
    later([=, this] { cpu_->cast(from, to); });
  }

  void matmul_nn(const Matmul& op) override { later(&Backend::matmul_nn, op); }
  void matmul_nt(const Matmul& op) override { later(&Backend::matmul_nt, op); }
  void matmul_tn(const Matmul& op) override { later(&Backend::matmul_tn, op); }
  void sum_rows(ConstView x, View out, bool accumulate) override {
    later([=, this] { cpu_->sum_rows(x, out, accumulate); });
  }
  void sum(ConstView x, View total, bool accumulate) override {
    later([=, this] { cpu_->sum(x, total, accumulate); });
  }
  void sum_of_squares(ConstView x, View total) override {
    later([=, this] { cpu_->sum_of_squares(x, total); });
  }

  void widen(const Widen& op) override { later(&Backend::widen, op); }
  void scale_columns(const ScaleColumns& op) override { later(&Backend::scale_columns, op); }
  void sum_products(const SumProducts& op) override { later(&Backend::sum_products, op); }
  void adapted_norms(const AdaptedNorms& op) override { later(&Backend::adapted_norms, op); }
  void linear(const Linear& op) override { later(&Backend::linear, op); }
  void embed(const Embed& op) override { later(&Backend::embed, op); }
  void attention_paged(const AttentionPaged& op) override { later(&Backend::attention_paged, op); }
  int64_t packed_bytes(const Weight& weight) const override { return cpu_->packed_bytes(weight); }
  Weight pack(const Weight& from, void* to) override {
    Weight packed;
    now([&] { packed = cpu_->pack(from, to); });  // the layout is known without waiting elsewhere
    return packed;
  }

  void embedding_forward(const EmbeddingForward& op) override {
    later(&Backend::embedding_forward, op);
  }
  void embedding_backward(const EmbeddingBackward& op) override {
    later(&Backend::embedding_backward, op);
  }
  void layer_norm_forward(const LayerNormForward& op) override {
    later(&Backend::layer_norm_forward, op);
  }
  void layer_norm_backward(const LayerNormBackward& op) override {
    later(&Backend::layer_norm_backward, op);
  }
  void activation_forward(const ActivationForward& op) override {
    later(&Backend::activation_forward, op);
  }
  void activation_backward(const ActivationBackward& op) override {
    later(&Backend::activation_backward, op);
  }
  void dropout(View x, const DropoutMask& mask) override {
    later([=, this] { cpu_->dropout(x, mask); });
  }
  void add(View x, ConstView delta) override {
    later([=, this] { cpu_->add(x, delta); });
  }
  void attention_forward(const AttentionForward& op) override {
    later(&Backend::attention_forward, op);
  }
  void attention_backward(const AttentionBackward& op) override {
    later(&Backend::attention_backward, op);
  }
  int64_t attention_backward_scratch_bytes(int64_t T, int64_t HS) const override {
    return cpu_->attention_backward_scratch_bytes(T, HS);
  }
  void cross_entropy(const CrossEntropy& op) override { later(&Backend::cross_entropy, op); }
  int64_t logits_rows(int64_t rows, int64_t vocab_size) const override {
    return cpu_->logits_rows(rows, vocab_size);
  }

  void optimizer_step(const OptimizerStep& op) override {
    later([this, step = op, rows = std::vector(op.rows.begin(), op.rows.end())]() mutable {
      step.rows = rows;
      cpu_->optimizer_step(step);
    });
  }
  int64_t optimizer_scratch_bytes(std::span<const ParameterUpdate> rows) const override {
    return cpu_->optimizer_scratch_bytes(rows);
  }

 private:
  void later(std::function<void()> f) { held_back_.push_back(std::move(f)); }
  template <typename Op>
  void later(void (Backend::*operation)(const Op&), const Op& op) {
    later([=, this] { (cpu_.get()->*operation)(op); });
  }
  // Everything that was held back, and f.
  template <typename F>
  void now(F&& f) {
    const Open open(memory_);
    for (const auto& earlier : std::exchange(held_back_, {})) earlier();
    f();
  }

  // The memory can be touched while this lives.
  using Memory = std::map<void*, size_t>;
  struct Open {
    explicit Open(const Memory& m) : memory(m) { protect(PROT_READ | PROT_WRITE); }
    ~Open() { protect(PROT_NONE); }
    void protect(int how) const {
      for (const auto& [data, bytes] : memory) ::mprotect(data, bytes, how);
    }
    const Memory& memory;
  };

  std::unique_ptr<Backend> cpu_;
  Memory memory_;
  std::vector<std::function<void()>> held_back_;
  int64_t waits_ = 0, allocations_ = 0;
};

}  // namespace inkstone::test

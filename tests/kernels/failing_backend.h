// A device that fails: the call that a test names throws, as one does where memory is short or a
// device is lost. Behind it stands the CPU backend.
#pragma once

#include <memory>
#include <span>
#include <utility>

#include "base/error.h"
#include "kernels/backend.h"

namespace inkstone::test {

class FailingBackend final : public Backend {
 public:
  explicit FailingBackend(const Runtime& runtime)
      : Backend(runtime), cpu_(make_cpu_backend(runtime)) {}

  // After so many calls more one throws kInputOutput, and those behind it do not.
  void fail_after(int64_t calls) {
    calls_left_ = calls;
    is_armed_ = true;
  }
  // None throws any more. True: one did since fail_after.
  bool disarm() { return !std::exchange(is_armed_, false); }

  Message description() const override { return cpu_->description(); }
  bool shares_host_memory() const override { return cpu_->shares_host_memory(); }

  void* allocate(int64_t bytes) override {
    count();
    return cpu_->allocate(bytes);
  }
  void* reserve(int64_t bytes) override {
    count();
    return cpu_->reserve(bytes);
  }
  void release(void* data, int64_t bytes) noexcept override { cpu_->release(data, bytes); }
  void copy_to_host(ConstView from, void* to) override {
    count();
    cpu_->copy_to_host(from, to);
  }
  void synchronize() override { cpu_->synchronize(); }
  void copy_from_host(const void* from, View to) override {
    count();
    cpu_->copy_from_host(from, to);
  }
  void copy(ConstView from, View to) override {
    count();
    cpu_->copy(from, to);
  }
  void fill_zero(View x) override { cpu_->fill_zero(x); }
  void cast(ConstView from, View to) override { cpu_->cast(from, to); }

  void matmul_nn(const Matmul& op) override { cpu_->matmul_nn(op); }
  void matmul_nt(const Matmul& op) override { cpu_->matmul_nt(op); }
  void matmul_tn(const Matmul& op) override { cpu_->matmul_tn(op); }
  void sum_rows(ConstView x, View out, bool accumulate) override {
    cpu_->sum_rows(x, out, accumulate);
  }
  void sum(ConstView x, View total, bool accumulate) override { cpu_->sum(x, total, accumulate); }
  void sum_of_squares(ConstView x, View total) override { cpu_->sum_of_squares(x, total); }

  void widen(const Widen& op) override { cpu_->widen(op); }
  void scale_columns(const ScaleColumns& op) override { cpu_->scale_columns(op); }
  void sum_products(const SumProducts& op) override { cpu_->sum_products(op); }
  void adapted_norms(const AdaptedNorms& op) override { cpu_->adapted_norms(op); }
  void linear(const Linear& op) override {
    count();
    cpu_->linear(op);
  }
  void embed(const Embed& op) override {
    count();
    cpu_->embed(op);
  }
  void attention_paged(const AttentionPaged& op) override {
    count();
    cpu_->attention_paged(op);
  }
  int64_t packed_bytes(const Weight& weight) const override { return cpu_->packed_bytes(weight); }
  Weight pack(const Weight& from, void* to) override { return cpu_->pack(from, to); }

  void embedding_forward(const EmbeddingForward& op) override { cpu_->embedding_forward(op); }
  void embedding_backward(const EmbeddingBackward& op) override { cpu_->embedding_backward(op); }
  void layer_norm_forward(const LayerNormForward& op) override {
    count();
    cpu_->layer_norm_forward(op);
  }
  void layer_norm_backward(const LayerNormBackward& op) override { cpu_->layer_norm_backward(op); }
  void activation_forward(const ActivationForward& op) override {
    count();
    cpu_->activation_forward(op);
  }
  void activation_backward(const ActivationBackward& op) override { cpu_->activation_backward(op); }
  void dropout(View x, const DropoutMask& mask) override { cpu_->dropout(x, mask); }
  void add(View x, ConstView delta) override { cpu_->add(x, delta); }
  void attention_forward(const AttentionForward& op) override { cpu_->attention_forward(op); }
  void attention_backward(const AttentionBackward& op) override { cpu_->attention_backward(op); }
  int64_t attention_backward_scratch_bytes(int64_t T, int64_t HS) const override {
    return cpu_->attention_backward_scratch_bytes(T, HS);
  }
  void cross_entropy(const CrossEntropy& op) override { cpu_->cross_entropy(op); }
  int64_t logits_rows(int64_t rows, int64_t vocab_size) const override {
    return cpu_->logits_rows(rows, vocab_size);
  }

  void optimizer_step(const OptimizerStep& op) override { cpu_->optimizer_step(op); }
  int64_t optimizer_scratch_bytes(std::span<const ParameterUpdate> rows) const override {
    return cpu_->optimizer_scratch_bytes(rows);
  }

 private:
  // Of what inference calls.
  void count() {
    if (!is_armed_ || calls_left_-- > 0) return;
    is_armed_ = false;
    fail(ErrorCode::kInputOutput, "the device failed");
  }

  std::unique_ptr<Backend> cpu_;
  int64_t calls_left_ = 0;
  bool is_armed_ = false;
};

}  // namespace inkstone::test

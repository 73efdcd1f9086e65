#include "train/ranks.h"

#include <utility>

namespace inkstone {
namespace {

class SingleRank final : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void all_reduce_sum(std::span<float>) override {}
  void all_reduce_sum(std::span<double>) override {}
  void broadcast(std::span<std::byte>, int) override {}
};

}  // namespace

std::shared_ptr<Communicator> single_rank() { return std::make_shared<SingleRank>(); }

Ranks::Ranks(std::shared_ptr<Communicator> communicator)
    : communicator_(communicator ? std::move(communicator) : single_rank()) {
  INK_CHECK(size() >= 1 && rank() >= 0 && rank() < size(), "ranks are 0 to size - 1");
}

void Ranks::sum(Backend& backend, View numbers) {
  if (is_alone()) return;
  const bool staged = !backend.shares_host_memory();
  if (staged) {
    staging_.resize(static_cast<size_t>(numbers.bytes()));
    backend.copy_to_host(numbers, staging_.data());
  } else {
    backend.synchronize();
  }
  void* data = staged ? staging_.data() : numbers.data;
  const auto count = static_cast<size_t>(numbers.count());
  if (numbers.dtype == DType::kF64) {
    communicator_->all_reduce_sum(std::span(static_cast<double*>(data), count));
  } else {
    INK_CHECK(numbers.dtype == DType::kF32, "sums are of f32 or f64");
    communicator_->all_reduce_sum(std::span(static_cast<float*>(data), count));
  }
  if (staged) backend.copy_from_host(data, numbers);
}

double Ranks::sum(double value) {
  if (!is_alone()) communicator_->all_reduce_sum(std::span(&value, 1));
  return value;
}

bool Ranks::take_first(bool value) { return take_first(value ? 1.0 : 0.0) != 0; }

double Ranks::take_first(double value) {
  if (!is_alone()) communicator_->broadcast(std::as_writable_bytes(std::span(&value, 1)), 0);
  return value;
}

}  // namespace inkstone

#include "model/weights.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "base/thread_pool.h"
#include "kernels/page_layout.h"
#include "model/quantize_plan.h"
#include "tensor/blocks.h"

namespace inkstone {
namespace {

const std::byte* row_at(const Weight& weight, int64_t row) {
  return static_cast<const std::byte*>(weight.data) + row * row_bytes(weight.type, weight.in);
}

// What is held when nothing is asked for.
WeightType usual_type(WeightType stored, DType compute) {
  return stored == WeightType::kF32 && compute == DType::kBF16 ? WeightType::kBF16 : stored;
}

// Every row of `from` in the type, [out, in], at `to`.
void convert_rows(ThreadPool& pool, const Weight& from, WeightType type, const std::string& name,
                  std::byte* to) {
  const int64_t bytes = row_bytes(type, from.in);
  pool.parallel_for(from.out, 8, [&](int64_t begin, int64_t end, int) {
    std::vector<float> values(static_cast<size_t>(from.in));
    for (int64_t n = begin; n < end; ++n) {
      decode_row(from.type, row_at(from, n), from.in, values.data());
      check_fits(values, type, name);
      encode_row(type, values.data(), from.in, nullptr, to + n * bytes);
    }
  });
}

// [in, out] floats as [out, in] float32.
std::vector<float> transposed(ThreadPool& pool, const Weight& from) {
  std::vector<float> values(static_cast<size_t>(from.in * from.out));
  const int64_t bytes = row_bytes(from.type, from.out);
  pool.parallel_for(from.in, 8, [&](int64_t begin, int64_t end, int) {
    std::vector<float> row(static_cast<size_t>(from.out));
    for (int64_t k = begin; k < end; ++k) {
      decode_row(from.type, static_cast<const std::byte*>(from.data) + k * bytes, from.out,
                 row.data());
      for (int64_t n = 0; n < from.out; ++n)
        values[static_cast<size_t>(n * from.in + k)] = row[static_cast<size_t>(n)];
    }
  });
  return values;
}

// A matrix [in, out] of floats read as [in] rows of `out` numbers.
Weight rows_first(const Weight& weight) {
  return {weight.type, WeightLayout::kOutIn, weight.out, weight.in, weight.data};
}

constexpr std::array<std::string_view, 4> kCacheNames = {"f32", "f16", "bf16", "q8_0"};
constexpr DType kCacheTypes[] = {DType::kF32, DType::kF16, DType::kBF16, DType::kI8};

DType checked_cache(DType type, const ModelConfig& config) {
  if (head_size_fits(type, config.head_size())) return type;
  fail(
      ErrorCode::kMismatch,
      "the model's heads have {} channels, and a q8_0 cache takes a multiple of {}: choose a cache "
      "of another type, such as f16",
      config.head_size(), kScaleChannels);
}

}  // namespace

int64_t stored_bytes(const Weight& weight) {
  const bool in_first = weight.layout == WeightLayout::kInOut;
  return in_first ? weight.in * row_bytes(weight.type, weight.out)
                  : weight.out * row_bytes(weight.type, weight.in);
}

std::span<const std::string_view> cache_type_names() { return kCacheNames; }

std::optional<DType> cache_type_by_name(std::string_view name) {
  const auto at = std::ranges::find(kCacheNames, name);
  if (at == kCacheNames.end()) return std::nullopt;
  return kCacheTypes[at - kCacheNames.begin()];
}

Weights::Weights(Backend& backend, const ModelConfig& config, const WeightOptions& options,
                 HfConfigFiles files)
    : backend_(&backend),
      config_(config),
      table_(config),
      compute_(options.compute),
      cache_(checked_cache(options.cache.value_or(options.compute), config)),
      packed_(options.packed),
      files_(std::move(files)),
      matrices_(table_.rows().size()),
      embeddings_(table_.rows().size()),
      vectors_(table_.rows().size()) {}

Weights::Weights(const Network& network, std::optional<DType> cache)
    : Weights(network.backend(), network.config(),
              {.type = {}, .compute = network.compute(), .cache = cache}, network.files()) {
  for (int row = 0; row < table_.count(); ++row) {
    const ParameterRow& r = table_[row];
    const auto at = static_cast<size_t>(row);
    if (r.multiplied) {
      matrices_[at] = weight_of(network.operand(row), table_layout(r));
      multiplied_bytes_ += network.operand(row).bytes();
    }
    if (row == table_.wte() || row == table_.wpe())
      embeddings_[at] = weight_of(network.master(row), table_layout(r));
    if (r.shape.rank() == 1) vectors_[at] = network.master(row);
  }
}

Weights::Weights(Backend& backend, OpenedModel model, const WeightOptions& options)
    : Weights(backend, model.config, options, std::move(model.files)) {
  source_ = std::move(model.source);
  for (int row = 0; row < table_.count(); ++row) {
    const ParameterRow& r = table_[row];
    const auto at = static_cast<size_t>(row);
    const Weight stored = source_->get(row);
    const bool is_embedding = row == table_.wte() || row == table_.wpe();
    if (r.multiplied) {
      const WeightType usual = usual_type(source_->type(row), compute_);
      matrices_[at] = matrix_of(stored, options.type.value_or(usual), r.name);
    }
    if (is_embedding) embeddings_[at] = as_it_lies(stored);
    if (r.shape.rank() == 1) vectors_[at] = vector_of(stored);
    const bool is_converted = r.multiplied && matrices_[at].data != stored.data;
    if (is_converted && !is_embedding) source_->release(row);
  }
}

int64_t Weights::held_bytes() const {
  int64_t bytes = 0;
  for (int row = 0; row < table_.count(); ++row) {
    const Weight &matrix = this->matrix(row), &embedding = this->embedding(row);
    if (matrix.data != nullptr) bytes += stored_bytes(matrix);
    if (embedding.data != nullptr && embedding.data != matrix.data)
      bytes += stored_bytes(embedding);
    if (const ConstView vector = this->vector(row)) bytes += vector.bytes();
  }
  return bytes;
}

std::byte* Weights::take(int64_t bytes) {
  memory_.emplace_back(*backend_, bytes);
  return static_cast<std::byte*>(memory_.back().data());
}

Weight Weights::copied(const Weight& from) {
  const int64_t bytes = stored_bytes(from);
  Weight copy = from;
  std::byte* const to = take(bytes);
  backend_->copy_from_host(from.data, {to, DType::kU8, {bytes}});
  copy.data = to;
  return copy;
}

Weight Weights::as_it_lies(const Weight& stored) {
  return backend_->shares_host_memory() ? stored : copied(stored);
}

// A float type, element by element in the order in which they lie.
Weight Weights::converted_floats(const Weight& stored, WeightType type, const std::string& name) {
  const Weight rows = stored.layout == WeightLayout::kInOut ? rows_first(stored) : stored;
  std::vector<std::byte> converted(static_cast<size_t>(rows.out * row_bytes(type, rows.in)));
  convert_rows(backend_->runtime().pool(), rows, type, name, converted.data());
  return copied({type, stored.layout, stored.in, stored.out, converted.data()});
}

Weight Weights::blocks(const Weight& stored, WeightType type, const std::string& name) {
  ThreadPool& pool = backend_->runtime().pool();
  Weight from = stored;
  std::vector<float> values;
  if (stored.layout == WeightLayout::kInOut) {
    values = transposed(pool, stored);
    from = {WeightType::kF32, WeightLayout::kOutIn, stored.in, stored.out, values.data()};
  }
  std::vector<std::byte> converted;
  if (from.type != type) {
    converted.resize(static_cast<size_t>(from.out * row_bytes(type, from.in)));
    convert_rows(pool, from, type, name, converted.data());
    from = {type, WeightLayout::kOutIn, from.in, from.out, converted.data()};
  }
  const int64_t bytes = backend_->packed_bytes(from);
  multiplied_bytes_ += bytes > 0 ? bytes : stored_bytes(from);
  return bytes > 0 ? backend_->pack(from, take(bytes)) : copied(from);
}

Weight Weights::matrix_of(const Weight& stored, WeightType wanted, const std::string& name) {
  const WeightType type = fitting_type(wanted, stored.in);
  if (!packed_ && type == stored.type) return as_it_lies(stored);
  if (is_float(type)) multiplied_bytes_ += stored.in * stored.out * block_of(type).bytes;
  if (is_float(type) && type == stored.type) return as_it_lies(stored);
  return is_float(type) ? converted_floats(stored, type, name) : blocks(stored, type, name);
}

ConstView Weights::vector_of(const Weight& stored) {
  std::vector<float> values(static_cast<size_t>(stored.in));
  decode_row(stored.type, stored.data, stored.in, values.data());
  const View to{take(stored.in * size_bytes(DType::kF32)), DType::kF32, {stored.in}};
  backend_->copy_from_host(values.data(), to);
  return to;
}

}  // namespace inkstone

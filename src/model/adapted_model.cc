#include "model/adapted_model.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "inkstone/model.h"
#include "tensor/blocks.h"

namespace inkstone {
namespace fs = std::filesystem;
namespace {

constexpr const char *kInputRow = "wte.weight", *kOutputRow = "lm_head.weight";

const AdapterModule* find_module(const Adapter& adapter, std::string_view row) {
  for (const AdapterModule& m : adapter.modules) {
    if (row.size() == m.name.size() + 7 && row.starts_with(m.name) && row.ends_with(".weight"))
      return &m;
  }
  return nullptr;
}

const AdapterTensor* find_whole(const Adapter& adapter, std::string_view row) {
  const auto at = std::ranges::find(adapter.whole, row, &AdapterTensor::name);
  return at == adapter.whole.end() ? nullptr : &*at;
}

// The output layer that was trained beside the embedding and came out the same.
bool is_same_output(const Adapter& adapter, const AdapterTensor& output) {
  const AdapterTensor* embedding = find_whole(adapter, kInputRow);
  return embedding != nullptr && embedding->values == output.values;
}

bool unties(const Adapter& adapter) {
  if (find_module(adapter, kInputRow) != nullptr || find_module(adapter, kOutputRow) != nullptr)
    return true;
  if (const AdapterTensor* output = find_whole(adapter, kOutputRow))
    return !is_same_output(adapter, *output);
  return find_whole(adapter, kInputRow) != nullptr && !output_follows(adapter.config);
}

// delta[n] of the row k of (B A)^T times s, summed in double precision.
void add_change(const AdapterModule& m, int64_t k, std::vector<double>& delta,
                const std::vector<float>& b_by_rank) {
  std::ranges::fill(delta, 0.0);
  for (int64_t r = 0; r < m.rank; ++r) {
    const double a = m.scale * m.a[static_cast<size_t>(r * m.in + k)];
    const float* const b = b_by_rank.data() + r * m.out;
    for (int64_t n = 0; n < m.out; ++n) delta[static_cast<size_t>(n)] += a * b[n];
  }
}

// B [out, rank] as [rank, out], so that sums run along its rows.
std::vector<float> by_rank(const AdapterModule& m) {
  std::vector<float> turned(m.b.size());
  for (int64_t n = 0; n < m.out; ++n) {
    for (int64_t r = 0; r < m.rank; ++r)
      turned[static_cast<size_t>(r * m.out + n)] = m.b[static_cast<size_t>(n * m.rank + r)];
  }
  return turned;
}

// w [in, out] with the columns scaled to the magnitudes. A column of zeros has no direction and
// stays.
void scale_columns(const AdapterModule& m, std::span<float> w) {
  std::vector<double> factor(static_cast<size_t>(m.out), 0.0);
  for (int64_t k = 0; k < m.in; ++k) {
    for (int64_t n = 0; n < m.out; ++n) {
      const double x = w[static_cast<size_t>(k * m.out + n)];
      factor[static_cast<size_t>(n)] += x * x;
    }
  }
  for (size_t n = 0; n < factor.size(); ++n)
    factor[n] = factor[n] > 0 ? m.magnitude[n] / std::sqrt(factor[n]) : 1.0;
  for (int64_t k = 0; k < m.in; ++k) {
    for (int64_t n = 0; n < m.out; ++n) {
      float& x = w[static_cast<size_t>(k * m.out + n)];
      x = static_cast<float>(x * factor[static_cast<size_t>(n)]);
    }
  }
}

void transpose(std::span<const float> from, int64_t rows, int64_t columns, std::span<float> to) {
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j)
      to[static_cast<size_t>(j * rows + i)] = from[static_cast<size_t>(i * columns + j)];
  }
}

// w [in, out] += s (B A)^T, with DoRA scaled.
void merge(const AdapterModule& m, std::span<float> w) {
  const std::vector<float> b = by_rank(m);
  std::vector<double> delta(static_cast<size_t>(m.out));
  for (int64_t k = 0; k < m.in; ++k) {
    add_change(m, k, delta, b);
    for (int64_t n = 0; n < m.out; ++n) {
      float& x = w[static_cast<size_t>(k * m.out + n)];
      x = static_cast<float>(x + delta[static_cast<size_t>(n)]);
    }
  }
  if (!m.magnitude.empty()) scale_columns(m, w);
}

// The tensors of a model, of which some are changed.
class AdaptedSource final : public TensorSource {
 public:
  AdaptedSource(OpenedModel& model, Adapter adapter)
      : adapter_(std::move(adapter)),
        base_(std::move(model.source)),
        base_table_(model.config),
        table_(adapted_config(model.config, adapter_)) {}

  Weight get(int row) const override {
    const std::string& name = table_[row].name;
    const AdapterTensor* const whole = whole_of(row);
    const AdapterModule* const module = find_module(adapter_, name);
    if (module == nullptr) return whole == nullptr ? base_->get(base_row(row)) : of(row, *whole);
    std::vector<float>& values = made_[row];
    if (values.empty()) values = merged(row, *module, whole);
    return weight(row, values.data());
  }
  WeightType type(int row) const override { return base_->type(base_row(row)); }
  void release(int row) const override {
    made_.erase(row);
    base_->release(base_row(row));
  }

 private:
  // The row of the model that a row comes from.
  int base_row(int row) const {
    const int own = named_row(base_table_, table_[row].name);
    return own == kNoRow ? base_table_.output() : own;
  }

  // What the adapter brings whole; of a tied output layer the embedding that it follows.
  const AdapterTensor* whole_of(int row) const {
    const std::string& name = table_[row].name;
    const AdapterTensor* const whole = find_whole(adapter_, name);
    const bool follows = name == kOutputRow && base_table_.output() == base_table_.wte() &&
                         output_follows(adapter_.config);
    return whole == nullptr && follows ? find_whole(adapter_, kInputRow) : whole;
  }

  std::vector<float> merged(int row, const AdapterModule& module,
                            const AdapterTensor* whole) const {
    const ParameterRow& r = table_[row];
    std::vector<float> values(static_cast<size_t>(r.shape.count()));
    if (whole != nullptr) {
      values = whole->values;
    } else {
      read_tensor(base_->get(base_row(row)), r, values);
      base_->release(base_row(row));
    }
    if (r.name != kOutputRow) {
      merge(module, values);
    } else {  // [V, C] there
      std::vector<float> turned(values.size());
      transpose(values, module.out, module.in, turned);
      merge(module, turned);
      transpose(turned, module.in, module.out, values);
    }
    check_fits(values, WeightType::kF32, r.name);
    return values;
  }

  Weight of(int row, const AdapterTensor& whole) const { return weight(row, whole.values.data()); }

  Weight weight(int row, const float* values) const {
    const ParameterRow& r = table_[row];
    Weight weight{.type = WeightType::kF32, .layout = table_layout(r)};
    const bool in_first = weight.layout == WeightLayout::kInOut;
    weight.in = r.shape.rank() == 1 ? r.shape[0] : r.shape[in_first ? 0 : 1];
    weight.out = r.shape.rank() == 1 ? 1 : r.shape[in_first ? 1 : 0];
    weight.data = values;
    return weight;
  }

  Adapter adapter_;
  std::unique_ptr<TensorSource> base_;
  ParameterTable base_table_, table_;
  mutable std::map<int, std::vector<float>> made_;  // by row, until release()
};

}  // namespace

ModelConfig adapted_config(const ModelConfig& model, const Adapter& adapter) {
  ModelConfig config = model;
  if (const AdapterTensor* embedding = find_whole(adapter, kInputRow))
    config.vocab_size = embedding->shape[0];
  config.tied_output = model.tied_output && !unties(adapter);
  return config;
}

OpenedModel adapted_model(OpenedModel model, Adapter adapter) {
  OpenedModel result;
  result.config = adapted_config(model.config, adapter);
  result.files = std::move(model.files);
  result.name = model.name;
  result.source = std::make_unique<AdaptedSource>(model, std::move(adapter));
  return result;
}

fs::path base_of_adapter(const fs::path& adapter) {
  const std::string base = read_adapter_config(adapter).base_model;
  for (const fs::path& place : {adapter / base, fs::path(base)}) {
    if (base.empty() || !fs::exists(place)) continue;
    const fs::path model = find_model(place.lexically_normal());
    if (!is_adapter(model)) return model;
    fail(ErrorCode::kUnsupported,
         "'{}' is an adapter for '{}', which is an adapter again: merge that one first "
         "(inkstone merge)",
         adapter.string(), model.string());
  }
  fail(ErrorCode::kNotFound,
       "'{}' is an adapter for the model '{}', which is not here: give the model's folder as MODEL "
       "and this one with --adapter",
       adapter.string(), base);
}

namespace {

// MODEL and --adapter, after an adapter that was given as MODEL.
std::pair<fs::path, fs::path> base_and_adapter(const fs::path& model, const fs::path& adapter) {
  if (!is_adapter(model)) return {model, adapter.empty() ? adapter : find_adapter(adapter)};
  if (!adapter.empty()) {
    fail(ErrorCode::kUsage, "'{}' is an adapter itself: give its model and --adapter, or it alone",
         model.string());
  }
  return {base_of_adapter(model), model};
}

}  // namespace

OpenedModel open_model(const fs::path& model, const fs::path& adapter,
                       const std::function<void(const Message&)>& on_message) {
  const auto [base, change] = base_and_adapter(model, adapter);
  OpenedModel opened = open_model(base, on_message);
  if (change.empty()) return opened;
  Adapter read = read_adapter(change, opened.config);
  return adapted_model(std::move(opened), std::move(read));
}

ModelConfig load_config(const fs::path& model, const fs::path& adapter) {
  const auto [base, change] = base_and_adapter(model, adapter);
  const ModelConfig config = load_config(base);
  return change.empty() ? config : adapted_config(config, read_adapter(change, config));
}

}  // namespace inkstone

#include "model/network.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/hash.h"
#include "base/rng.h"
#include "base/thread_pool.h"
#include "model/weights.h"

namespace inkstone {

Weight weight_of(ConstView view, WeightLayout layout) {
  const bool in_first = layout == WeightLayout::kInOut;
  return {.type = view.dtype == DType::kBF16 ? WeightType::kBF16 : WeightType::kF32,
          .layout = layout,
          .in = view.shape[in_first ? 0 : 1],
          .out = view.shape[in_first ? 1 : 0],
          .data = view.data};
}

Network::Network(Backend& backend, const ModelConfig& config, DType compute)
    : backend_(&backend), config_(config), table_((validate(config), config)), compute_(compute) {
  INK_CHECK(compute == DType::kF32 || compute == DType::kBF16, "compute type");
  master_ = Buffer(backend, table_.flat_count() * size_bytes(DType::kF32));
  if (compute == DType::kBF16)
    copies_ = Buffer(backend, table_.flat_count() * size_bytes(DType::kBF16));
}

Network::Network(const Weights& base, const LoraOptions& lora)
    : backend_(&base.backend()),
      config_(base.config()),
      files_(base.files()),
      lora_(lora),
      table_(config_, lora),
      compute_(base.compute()),
      base_(&base),
      master_(*backend_, table_.flat_count() * size_bytes(DType::kF32)) {
  if (compute_ == DType::kBF16)
    copies_ = Buffer(*backend_, table_.flat_count() * size_bytes(DType::kBF16));
}

View Network::master(int row) const {
  if (row == kNoRow) return {};
  const ParameterRow& r = table_[row];
  INK_CHECK(r.offset != kNoOffset, "a row of the base");
  return master_.view(DType::kF32, r.shape, r.offset * size_bytes(DType::kF32));
}

View Network::copy(int row) const {
  const ParameterRow& r = table_[row];
  if (compute_ == DType::kF32 || !r.multiplied || r.offset == kNoOffset) return {};
  return copies_.view(compute_, r.shape, r.offset * size_bytes(compute_));
}

View Network::operand(int row) const {
  INK_CHECK(table_[row].multiplied, "not an operand of a GEMM");
  return compute_ == DType::kF32 ? master(row) : copy(row);
}

Weight Network::matrix(int row) const {
  const ParameterRow& r = table_[row];
  if (r.offset == kNoOffset) return base_->matrix(row);
  return weight_of(operand(row), table_layout(r));
}

ConstView Network::vector(int row) const {
  if (row == kNoRow || table_[row].offset != kNoOffset) return master(row);
  return base_->vector(row);
}

void Network::refresh_copies() {
  for (int row = 0; row < table_.count(); ++row) {
    if (const View to = copy(row)) backend_->cast(master(row), to);
  }
}

namespace {

// The number of element i of a row of `columns` columns.
double initial_value(const Random& random, Initialisation how, int64_t i, double scale,
                     int64_t columns) {
  if (how != Initialisation::kUniform) return scale * random.normal(i);
  return (2 * random.uniform(i) - 1) / std::sqrt(static_cast<double>(columns));
}

// Of a row's random numbers.
uint64_t substream_of(const ParameterRow& row) {
  return hash64(row.name) & ((uint64_t{1} << 56) - 1);  // above it stands the stream
}

bool is_random(Initialisation how) {
  return how == Initialisation::kNormal || how == Initialisation::kNormalResidual ||
         how == Initialisation::kUniform;
}

}  // namespace

void Network::initialise_row(int row, uint64_t seed, std::vector<float>& values) {
  const ParameterRow& r = table_[row];
  values.assign(r.shape.count(), r.initialisation == Initialisation::kOne ? 1.0f : 0.0f);
  if (is_random(r.initialisation)) {
    const bool residual = r.initialisation == Initialisation::kNormalResidual;
    const double scale = config_.initializer_range /
                         (residual ? std::sqrt(2.0 * static_cast<double>(config_.layers)) : 1.0);
    const Random random(seed, RandomStream::kInitialisation, substream_of(r));
    backend_->runtime().pool().parallel_for(
        r.shape.count(), 1024, [&](int64_t begin, int64_t end, int) {
          for (int64_t i = begin; i < end; ++i) {
            values[i] = static_cast<float>(
                initial_value(random, r.initialisation, i, scale, r.shape.last()));
          }
        });
  }
  backend_->copy_from_host(values.data(), master(row));
}

// The magnitudes of the adapter of a matrix.
void Network::measure_columns(int row) {
  const AdapterRows rows = table_.adapter(row);
  if (rows.magnitude == kNoRow) return;
  const Buffer inverses(*backend_, master(rows.magnitude).bytes());
  backend_->adapted_norms({.weight = matrix(row),
                           .a = master(rows.a),
                           .b = master(rows.b),
                           .factor = static_cast<float>(adapter_scale(lora_)),
                           .norms = master(rows.magnitude),
                           .inverses = inverses.view(DType::kF32, table_[rows.magnitude].shape)});
}

void Network::initialise(uint64_t seed) {
  std::vector<float> values;
  for (int row = 0; row < table_.count(); ++row) {
    if (table_[row].offset != kNoOffset) initialise_row(row, seed, values);
  }
  for (int row = 0; row < table_.count(); ++row) measure_columns(row);
  refresh_copies();
}

namespace {

// x [rows, C], of which the first `known` rows are there: the others become their mean.
void fill_with_mean(std::span<float> x, int64_t known, int64_t C) {
  std::vector<double> mean(static_cast<size_t>(C));
  for (int64_t i = 0; i < known * C; ++i) mean[i % C] += x[i] / static_cast<double>(known);
  for (auto i = static_cast<size_t>(known * C); i < x.size(); ++i)
    x[i] = static_cast<float>(mean[i % static_cast<size_t>(C)]);
}

// A row of the table, where the file may have fewer ids.
void read_row(const Weight& stored, const ParameterTable& table, int row, std::span<float> values) {
  ParameterRow wanted = table[row];
  const bool of_ids = row == table.wte() || row == table.output();
  if (!of_ids || stored.out == wanted.shape[0]) return read_tensor(stored, wanted, values);
  const int64_t C = wanted.shape[1], known = stored.out;
  wanted.shape = {known, C};
  read_tensor(stored, wanted, values.first(static_cast<size_t>(known * C)));
  fill_with_mean(values, known, C);
}

}  // namespace

std::unique_ptr<Network> load_network(Backend& backend, OpenedModel model, DType compute) {
  auto network = std::make_unique<Network>(backend, model.config, compute);
  network->set_files(std::move(model.files));
  const ParameterTable& table = network->table();
  std::vector<float> values;
  for (int row = 0; row < table.count(); ++row) {
    values.resize(static_cast<size_t>(table[row].shape.count()));
    read_row(model.source->get(row), table, row, values);
    backend.copy_from_host(values.data(), network->master(row));
    model.source->release(row);
  }
  network->refresh_copies();
  return network;
}

}  // namespace inkstone

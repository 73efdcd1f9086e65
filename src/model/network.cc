#include "model/network.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/rng.h"
#include "base/thread_pool.h"

namespace inkstone {

Network::Network(Backend& backend, const ModelConfig& config, DType compute)
    : backend_(&backend), config_(config), table_((validate(config), config)), compute_(compute) {
  INK_CHECK(compute == DType::kF32 || compute == DType::kBF16, "compute type");
  master_ = Buffer(backend, table_.flat_count() * size_bytes(DType::kF32));
  if (compute == DType::kBF16)
    copies_ = Buffer(backend, table_.flat_count() * size_bytes(DType::kBF16));
}

View Network::master(int row) const {
  if (row == kNoRow) return {};
  const ParameterRow& r = table_[row];
  return master_.view(DType::kF32, r.shape, r.offset * size_bytes(DType::kF32));
}

View Network::copy(int row) const {
  const ParameterRow& r = table_[row];
  if (compute_ == DType::kF32 || !r.multiplied) return {};
  return copies_.view(compute_, r.shape, r.offset * size_bytes(compute_));
}

View Network::operand(int row) const {
  INK_CHECK(table_[row].multiplied, "not an operand of a GEMM");
  return compute_ == DType::kF32 ? master(row) : copy(row);
}

void Network::refresh_copies() {
  for (int row = 0; row < table_.count(); ++row) {
    if (const View to = copy(row)) backend_->cast(master(row), to);
  }
}

void Network::initialise(uint64_t seed) {
  const double residual_scale = 1.0 / std::sqrt(2.0 * static_cast<double>(config_.layers));
  std::vector<float> values;
  for (int row = 0; row < table_.count(); ++row) {
    const ParameterRow& r = table_[row];
    values.assign(r.shape.count(), r.initialisation == Initialisation::kOne ? 1.0f : 0.0f);
    if (r.initialisation == Initialisation::kNormal ||
        r.initialisation == Initialisation::kNormalResidual) {
      const double scale = config_.initializer_range *
                           (r.initialisation == Initialisation::kNormal ? 1.0 : residual_scale);
      const Random random(seed, RandomStream::kInitialisation, row);
      backend_->runtime().pool().parallel_for(
          r.shape.count(), 1024, [&](int64_t begin, int64_t end, int) {
            for (int64_t i = begin; i < end; ++i)
              values[i] = static_cast<float>(scale * random.normal(i));
          });
    }
    backend_->copy_from_host(values.data(), master(row));
  }
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

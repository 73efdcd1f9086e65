#include "formats/safetensors.h"
#include "model/network.h"
#include "model/weights.h"

namespace inkstone {

namespace {

// Of each row float32 numbers in the table's shape, which stay where they are until the end.
template <typename RowValues>
void save(const ParameterTable& table, RowValues&& values, const std::filesystem::path& path) {
  std::vector<TensorToStore> tensors;
  for (int row = 0; row < table.count(); ++row) {
    const ParameterRow& r = table[row];
    const bool is_on_top = row == table.output() && row != table.wte();
    TensorToStore tensor{.name = (is_on_top ? "" : "transformer.") + r.name,
                         .dtype = DType::kF32,
                         .shape = {},
                         .data = values(row)};
    for (int i = 0; i < r.shape.rank(); ++i) tensor.shape.push_back(r.shape[i]);
    tensors.push_back(std::move(tensor));
  }
  write_safetensors(path, tensors, {{"format", "pt"}});
}

}  // namespace

void save_weights(const Network& network, const std::filesystem::path& path) {
  Backend& backend = network.backend();
  backend.synchronize();
  std::vector<std::vector<float>> copies;  // of memory that the host cannot read
  save(
      network.table(),
      [&](int row) -> const float* {
        const View values = network.master(row);
        if (backend.shares_host_memory()) return values.as<float>();
        copies.emplace_back(values.count());
        backend.copy_to_host(values, copies.back().data());
        return copies.back().data();
      },
      path);
}

void save_weights(const Weights& weights, const std::filesystem::path& path) {
  INK_CHECK(weights.source() != nullptr, "weights with files");
  std::vector<std::vector<float>> values;
  save(
      weights.table(),
      [&](int row) -> const float* {
        const ParameterRow& r = weights.table()[row];
        auto& out = values.emplace_back(static_cast<size_t>(r.shape.count()));
        read_tensor(weights.source()->get(row), r, out);
        return out.data();
      },
      path);
}

}  // namespace inkstone

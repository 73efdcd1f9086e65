// Writing model.safetensors.
#include "formats/safetensors.h"
#include "model/network.h"
#include "model/weights.h"
#include "tensor/blocks.h"

namespace inkstone {

namespace {

TensorToStore as_stored(const ParameterTable& table, int row) {
  const ParameterRow& r = table[row];
  const bool is_on_top = row == table.output() && row != table.wte();
  TensorToStore tensor{.name = (is_on_top ? "" : "transformer.") + r.name,
                       .dtype = DType::kF32,
                       .shape = {},
                       .data = nullptr};
  for (int i = 0; i < r.shape.rank(); ++i) tensor.shape.push_back(r.shape[i]);
  return tensor;
}

// Of each row float32 numbers in the table's shape, which stay where they are until the end.
template <typename RowValues>
void save(const ParameterTable& table, RowValues&& values, const std::filesystem::path& path) {
  std::vector<TensorToStore> tensors;
  for (int row = 0; row < table.count(); ++row) {
    tensors.push_back(as_stored(table, row));
    tensors.back().data = values(row);
  }
  write_safetensors(path, tensors, {{"format", "pt"}});
}

DType float_type(WeightType type) {
  if (type == WeightType::kF16) return DType::kF16;
  return type == WeightType::kBF16 ? DType::kBF16 : DType::kF32;
}

// A row's numbers in a type of floats.
std::vector<std::byte> encoded(const Weight& stored, const ParameterRow& row, WeightType type) {
  const int64_t count = row.shape.count();
  std::vector<float> values(static_cast<size_t>(count));
  read_tensor(stored, row, values);
  check_fits(values, type, row.name);
  std::vector<std::byte> bytes(static_cast<size_t>(row_bytes(type, count)));
  encode_row(type, values.data(), count, nullptr, bytes.data());
  return bytes;
}

}  // namespace

void save_tensors(const ParameterTable& table, const TensorSource& source,
                  const std::filesystem::path& path) {
  std::vector<TensorToStore> tensors;
  std::vector<std::vector<std::byte>> made(static_cast<size_t>(table.count()));
  for (int row = 0; row < table.count(); ++row) {
    const Weight stored = source.get(row);
    const WeightType own = source.type(row), type = is_float(own) ? own : WeightType::kF32;
    tensors.push_back(as_stored(table, row));
    tensors.back().dtype = float_type(type);
    tensors.back().data = stored.data;
    if (stored.type == type && stored.layout == table_layout(table[row])) continue;
    made[static_cast<size_t>(row)] = encoded(stored, table[row], type);
    tensors.back().data = made[static_cast<size_t>(row)].data();
    source.release(row);
  }
  write_safetensors(path, tensors, {{"format", "pt"}});
}

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

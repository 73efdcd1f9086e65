#include "model/model_source.h"

#include <cmath>

#include "base/error.h"
#include "formats/gguf.h"
#include "model/gguf_model.h"
#include "tensor/blocks.h"

namespace inkstone {

OpenedModel open_model(const std::filesystem::path& folder_or_file,
                       const std::function<void(const Message&)>& on_message) {
  return is_gguf(folder_or_file) ? open_gguf_model(folder_or_file)
                                 : open_hf_model(folder_or_file, on_message);
}

ModelConfig load_config(const std::filesystem::path& folder_or_file) {
  return is_gguf(folder_or_file) ? gguf_config(GgufFile(folder_or_file).content())
                                 : load_hf_config(folder_or_file);
}

WeightLayout table_layout(const ParameterRow& row) {
  return row.maps > 0 ? WeightLayout::kInOut : WeightLayout::kOutIn;
}

void check_fits(std::span<const float> values, WeightType type, const std::string& tensor) {
  constexpr float kLargestHalf = 65504;
  const bool has_halves = type != WeightType::kF32 && type != WeightType::kBF16;
  for (const float x : values) {
    if (!std::isfinite(x))
      fail(ErrorCode::kInvalidData, "tensor '{}' has a weight that is not finite", tensor);
    if (has_halves && std::fabs(x) > kLargestHalf) {
      fail(ErrorCode::kInvalidData, "tensor '{}' has a weight of {}, which {} cannot hold", tensor,
           x, name(type));
    }
  }
}

void read_tensor(const Weight& stored, const ParameterRow& row, std::span<float> out) {
  const int64_t count = row.shape.count();
  INK_CHECK(static_cast<int64_t>(out.size()) == count, "one number per element");
  if (stored.layout == table_layout(row))
    return decode_row(stored.type, stored.data, count, out.data());
  // [out, in] in the file, [in, out] in the table.
  INK_CHECK(stored.layout == WeightLayout::kOutIn, "layout of a stored tensor");
  std::vector<float> values(static_cast<size_t>(stored.in));
  const int64_t bytes = row_bytes(stored.type, stored.in);
  for (int64_t n = 0; n < stored.out; ++n) {
    decode_row(stored.type, static_cast<const std::byte*>(stored.data) + n * bytes, stored.in,
               values.data());
    for (int64_t k = 0; k < stored.in; ++k)
      out[static_cast<size_t>(k * stored.out + n)] = values[static_cast<size_t>(k)];
  }
}

}  // namespace inkstone

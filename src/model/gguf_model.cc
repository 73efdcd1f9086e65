#include "model/gguf_model.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "base/thread_pool.h"
#include "base/utf8.h"
#include "tensor/blocks.h"

namespace inkstone {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kArchitecture = "gpt2";
constexpr const char* kEmbedding = "token_embd.weight";
constexpr const char* kOutput = "output.weight";

// Keys and their limits, which are the program's.
struct GgufSize {
  const char* key;
  int64_t highest;
};
constexpr GgufSize kLayers = {"gpt2.block_count", 1000};
constexpr GgufSize kContext = {"gpt2.context_length", 1 << 20};
constexpr GgufSize kWidth = {"gpt2.embedding_length", 65536};
constexpr GgufSize kInner = {"gpt2.feed_forward_length", 4 * 65536};
constexpr GgufSize kHeads = {"gpt2.attention.head_count", 1024};
constexpr int64_t kMostTokens = 10'000'000;
constexpr const char* kEpsilon = "gpt2.attention.layer_norm_epsilon";

struct NamePair {
  std::string_view parameter, gguf;
};
constexpr NamePair kWholeNames[] = {{"wte.weight", kEmbedding},
                                    {"wpe.weight", "position_embd.weight"},
                                    {"ln_f.weight", "output_norm.weight"},
                                    {"ln_f.bias", "output_norm.bias"},
                                    {"lm_head.weight", kOutput}};
// Between "h.3." and ".weight" or ".bias".
constexpr NamePair kLayerNames[] = {{"ln_1", "attn_norm"},          {"attn.c_attn", "attn_qkv"},
                                    {"attn.c_proj", "attn_output"}, {"ln_2", "ffn_norm"},
                                    {"mlp.c_fc", "ffn_up"},         {"mlp.c_proj", "ffn_down"}};

std::optional<int64_t> get_size(const Gguf& gguf, const GgufSize& size) {
  return gguf.get_integer(size.key, 1, size.highest);
}
int64_t required_size(const Gguf& gguf, const GgufSize& size) {
  return required(get_size(gguf, size), size.key);
}

void require_whole_gpt2(const Gguf& gguf) {
  constexpr const char *kKey = "general.architecture", *kParts = "split.count";
  const std::string_view architecture = required(gguf.get_string(kKey), kKey);
  if (architecture != kArchitecture) {
    fail(ErrorCode::kUnsupported, "'{}' is '{}', only 'gpt2' is supported", kKey,
         shown_text(architecture));
  }
  const int64_t parts = gguf.get_integer(kParts, 0, UINT16_MAX).value_or(1);
  if (parts > 1) {
    fail(ErrorCode::kUnsupported,
         "this is one of {} parts of a model: llama-gguf-split --merge makes one file of them",
         parts);
  }
}

// A float32 in the file: the shortest decimal that stands for it, so that 1e-5 is 1e-5 again.
double read_epsilon(const Gguf& gguf) {
  const double stored = required(gguf.get_number(kEpsilon), kEpsilon);
  if (!(stored > 0 && stored < 1)) {
    fail(ErrorCode::kInvalidData, "'{}' is {}, expected above 0 and below 1", kEpsilon, stored);
  }
  const std::string text = fmt::format("{}", static_cast<float>(stored));
  double value = stored;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

int64_t vocabulary_of(const Gguf& gguf) {
  const GgufTensor& embedding = gguf.tensor(kEmbedding);
  if (embedding.shape.size() == 2 && embedding.shape[0] >= 1 && embedding.shape[0] <= kMostTokens)
    return embedding.shape[0];
  fail(ErrorCode::kInvalidData, "tensor '{}' has shape [{}], expected 1 to {} rows", kEmbedding,
       fmt::join(embedding.shape, ", "), kMostTokens);
}

bool has_own_output(const Gguf& gguf) {
  const GgufTensor* output = gguf.find_tensor(kOutput);
  if (output == nullptr) return false;
  const GgufTensor& embedding = gguf.tensor(kEmbedding);
  return output->type_number != embedding.type_number || output->shape != embedding.shape ||
         !std::ranges::equal(output->bytes, embedding.bytes);
}

// Sizes in the order of the file's tensors, row-major: matrices of layers are [out, in].
std::vector<int64_t> stored_shape(const ParameterRow& row) {
  std::vector<int64_t> shape;
  for (int i = 0; i < row.shape.rank(); ++i) shape.push_back(row.shape[i]);
  if (row.maps > 0) std::ranges::reverse(shape);
  return shape;
}

const GgufTensor& gguf_row(const Gguf& gguf, const ParameterRow& row) {
  const std::string name = gguf_tensor_name(row.name);
  const std::vector<int64_t> shape = stored_shape(row);
  const GgufTensor* tensor = gguf.find_tensor(name);
  if (tensor == nullptr) {
    fail(ErrorCode::kInvalidData, "tensor '{}' is missing, the metadata imply it with shape [{}]",
         name, fmt::join(shape, ", "));
  }
  if (tensor->shape != shape) {
    fail(ErrorCode::kInvalidData, "tensor '{}' has shape [{}], the metadata imply [{}]", name,
         fmt::join(tensor->shape, ", "), fmt::join(shape, ", "));
  }
  return *tensor;
}

// A copy of the embedding as output layer is known; what else has no place would change the
// numbers.
void refuse_extra(const Gguf& gguf, const ParameterTable& table, int64_t layers) {
  std::set<std::string, std::less<>> known = {kOutput};
  for (const ParameterRow& row : table.rows()) known.insert(gguf_tensor_name(row.name));
  for (const GgufTensor& tensor : gguf.tensors()) {
    if (known.contains(tensor.name)) continue;
    fail(ErrorCode::kInvalidData,
         "tensor '{}' has no place in the model that the metadata describe ({} layers)",
         shown_text(tensor.name), layers);
  }
}

// The tensors of a file as they lie in it.
class GgufSource final : public TensorSource {
 public:
  GgufSource(std::unique_ptr<const GgufFile> file, const ModelConfig& config)
      : file_(std::move(file)) {
    const ParameterTable table(config);
    for (const ParameterRow& row : table.rows()) {
      const GgufTensor& tensor = gguf_row(file_->content(), row);
      weights_.push_back({.type = weight_type(tensor),
                          .layout = WeightLayout::kOutIn,
                          .in = tensor.shape.back(),
                          .out = tensor.shape.size() == 1 ? 1 : tensor.shape[0],
                          .data = tensor.bytes.data()});
    }
    refuse_extra(file_->content(), table, config.layers);
  }
  Weight get(int row) const override { return weights_[static_cast<size_t>(row)]; }
  void release(int /*row*/) const override { file_->release(); }

 private:
  std::unique_ptr<const GgufFile> file_;
  std::vector<Weight> weights_;
};

// The layer of whose queries, keys and values a row is the weight or bias; nullopt: it is neither.
std::optional<int64_t> layer_of_queries(const ParameterTable& table, const ModelConfig& config,
                                        int row) {
  for (int64_t l = 0; l < config.layers; ++l) {
    if (row == table.layer(l).attn_weight || row == table.layer(l).attn_bias) return l;
  }
  return std::nullopt;
}

// [rows, columns] as [columns, rows], by tiles that stay in the cache.
std::vector<float> transposed_copy(const std::vector<float>& from, int64_t rows, int64_t columns) {
  constexpr int64_t kTile = 32;
  std::vector<float> to(from.size());
  for (int64_t r = 0; r < rows; r += kTile) {
    for (int64_t c = 0; c < columns; c += kTile) {
      for (int64_t i = r; i < std::min(r + kTile, rows); ++i) {
        for (int64_t j = c; j < std::min(c + kTile, columns); ++j)
          to[static_cast<size_t>(j * rows + i)] = from[static_cast<size_t>(i * columns + j)];
      }
    }
  }
  return to;
}

// Writes one row of the table.
class RowWriter {
 public:
  RowWriter(const ModelConfig& config, const TensorSource& source, int row, WeightType type,
            const GgufConversion& conversion)
      : config_(config), source_(source), row_(row), type_(type), conversion_(conversion) {}

  void operator()(const GgufSink& sink) const {
    const ParameterTable table(config_);
    const Weight stored = source_.get(row_);
    const auto layer = config_.scale_attention_by_inverse_layer
                           ? layer_of_queries(table, config_, row_)
                           : std::nullopt;
    if (stored.type == type_ && stored.layout == WeightLayout::kOutIn && !layer) {
      values(table[row_], stored, layer);  // damaged ones are not passed on
      const auto bytes = static_cast<size_t>(stored.out * row_bytes(type_, stored.in));
      sink({static_cast<const std::byte*>(stored.data), bytes});
    } else {
      write(values(table[row_], stored, layer), stored.in, sink);
    }
    source_.release(row_);
    if (conversion_.on_written) conversion_.on_written(row_);
  }

 private:
  // In the file's order, with the queries scaled.
  std::vector<float> values(const ParameterRow& row, const Weight& stored,
                            std::optional<int64_t> layer) const {
    std::vector<float> values(static_cast<size_t>(row.shape.count()));
    read_tensor(stored, row, values);
    check_fits(values, type_, row.name);
    if (row.maps > 0) values = transposed_copy(values, row.shape[0], row.shape[1]);
    // Queries are the first C of 3C outputs: rows of the weight, elements of the bias.
    if (layer) {
      for (size_t i = 0; i < values.size() / 3; ++i) values[i] /= static_cast<float>(*layer + 1);
    }
    return values;
  }

  // Of rows of `in` numbers.
  void write(const std::vector<float>& values, int64_t in, const GgufSink& sink) const {
    const auto count = static_cast<int64_t>(values.size()) / in, bytes = row_bytes(type_, in);
    const std::vector<float> none;
    const auto& importance = conversion_.importance.empty()
                                 ? none
                                 : conversion_.importance[static_cast<size_t>(row_)];
    std::vector<std::byte> encoded(static_cast<size_t>(count * bytes));
    conversion_.pool.parallel_for(count, 8, [&](int64_t begin, int64_t end, int) {
      for (int64_t n = begin; n < end; ++n) {
        encode_row(type_, values.data() + n * in, in,
                   importance.empty() ? nullptr : importance.data(), encoded.data() + n * bytes);
      }
    });
    sink(encoded);
  }

  const ModelConfig& config_;
  const TensorSource& source_;
  int row_;
  WeightType type_;
  const GgufConversion& conversion_;
};

void write_zeros(int64_t count, const GgufSink& sink) {
  const std::vector<float> zeros(static_cast<size_t>(count));
  sink(std::as_bytes(std::span(zeros)));
}

int row_named(const ParameterTable& table, std::string_view name) {
  const auto at = std::ranges::find(table.rows(), name, &ParameterRow::name);
  return at == table.rows().end() ? kNoRow : static_cast<int>(at - table.rows().begin());
}

}  // namespace

ModelConfig gguf_config(const Gguf& gguf) {
  require_whole_gpt2(gguf);
  ModelConfig config;
  config.layers = required_size(gguf, kLayers);
  config.heads = required_size(gguf, kHeads);
  config.width = required_size(gguf, kWidth);
  config.context = required_size(gguf, kContext);
  config.vocab_size = vocabulary_of(gguf);
  config.inner = get_size(gguf, kInner).value_or(0);
  if (config.inner == 4 * config.width) config.inner = 0;  // the same, said
  config.layer_norm_epsilon = read_epsilon(gguf);
  config.tied_output = !has_own_output(gguf);
  config.biases = std::ranges::any_of(
      gguf.tensors(), [](const GgufTensor& tensor) { return tensor.name.ends_with(".bias"); });
  if (config.width % config.heads != 0) {
    fail(ErrorCode::kInvalidData, "'{}' is {}, expected a multiple of '{}', {}", kWidth.key,
         config.width, kHeads.key, config.heads);
  }
  return config;
}

ModelConfig gguf_config(const GgufFile& file) {
  return with_context(message("reading '{}'", file.path().string()),
                      [&] { return gguf_config(file.content()); });
}

OpenedModel open_gguf_model(const fs::path& path) {
  auto file = std::make_unique<const GgufFile>(path);
  OpenedModel model;
  model.name = fmt::format("'{}'", path.string());
  with_context(message("loading {}", model.name), [&] {
    model.config = gguf_config(file->content());
    model.source = std::make_unique<GgufSource>(std::move(file), model.config);
  });
  return model;
}

std::string gguf_tensor_name(std::string_view parameter) {
  for (const auto& [name, gguf] : kWholeNames) {
    if (parameter == name) return std::string(gguf);
  }
  INK_CHECK(parameter.starts_with("h."), "the name of a parameter");
  const size_t number_end = parameter.find('.', 2), kind = parameter.rfind('.');
  INK_CHECK(number_end < kind, "the name of a parameter");
  const std::string_view part = parameter.substr(number_end + 1, kind - number_end - 1);
  const auto* at = std::ranges::find(kLayerNames, part, &NamePair::parameter);
  INK_CHECK(at != std::end(kLayerNames), "the name of a parameter");
  return fmt::format("blk.{}.{}{}", parameter.substr(2, number_end - 2), at->gguf,
                     parameter.substr(kind));
}

std::vector<GgufEntry> gguf_model_metadata(const ModelConfig& config, std::string_view name,
                                           const QuantizePreset& preset) {
  if (config.activation != Activation::kGeluTanh) {
    fail(ErrorCode::kUnsupported,
         "the activation '{}' cannot be written to a GGUF file: llama.cpp has 'gelu_new' alone for "
         "a GPT-2",
         activation_name(config.activation));
  }
  if (config.prefix_lm) {
    fail(ErrorCode::kUnsupported,
         "a model that was trained with --prefix-lm cannot be written to a GGUF file: other "
         "programs would not let it see a prompt whole, and it would write worse than it can");
  }
  const auto size = [](const GgufSize& key, int64_t value) {
    return gguf_u32(key.key, static_cast<uint32_t>(value));
  };
  std::vector<GgufEntry> entries = {
      gguf_string("general.architecture", kArchitecture),
      gguf_string("general.type", "model"),
      gguf_string("general.name", name),
      size(kLayers, config.layers),
      size(kContext, config.context),
      size(kWidth, config.width),
      size(kInner, config.inner_width()),
      size(kHeads, config.heads),
      gguf_f32(kEpsilon, static_cast<float>(config.layer_norm_epsilon)),
      gguf_u32("general.file_type", preset.file_type)};
  if (!is_float(preset.type)) entries.push_back(gguf_u32("general.quantization_version", 2));
  return entries;
}

std::vector<GgufTensorToWrite> gguf_model_tensors(const ModelConfig& config,
                                                  const TensorSource& source,
                                                  const GgufConversion& conversion) {
  ModelConfig with_biases = config;
  with_biases.biases = true;
  const ParameterTable table(config), whole(with_biases);
  std::vector<GgufTensorToWrite> tensors;
  for (const ParameterRow& r : whole.rows()) {
    const int row = row_named(table, r.name);
    const WeightType type = row == kNoRow ? WeightType::kF32 : conversion.type_of(table, row);
    GgufTensorToWrite tensor{.name = gguf_tensor_name(r.name),
                             .type = type,
                             .shape = stored_shape(r),
                             .write = RowWriter(config, source, row, type, conversion)};
    if (row == kNoRow) {
      tensor.write = [count = r.shape.count()](const GgufSink& sink) { write_zeros(count, sink); };
    }
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

}  // namespace inkstone

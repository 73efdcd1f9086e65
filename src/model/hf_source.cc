// Models in Hugging Face folders.
#include "model/model_source.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "formats/hf_config.h"
#include "formats/safetensors.h"

namespace inkstone {
namespace fs = std::filesystem;
namespace {

// The tensors of one model, which may be spread over several files.
class StoredWeights {
 public:
  explicit StoredWeights(const fs::path& folder) {
    const fs::path single = folder / "model.safetensors",
                   index = folder / "model.safetensors.index.json";
    if (fs::exists(single) || !fs::exists(index)) {
      open(single);
    } else {
      for (const std::string& name : shard_names(index)) open(folder / name);
    }
  }

  const StoredTensor* find(const std::string& name) const {
    const auto at = tensors_.find(name);
    return at == tensors_.end() ? nullptr : at->second;
  }
  const std::map<std::string, const StoredTensor*>& all() const { return tensors_; }
  std::string files_text() const { return files_text_; }
  void release() const {
    for (const auto& file : files_) file->release();
  }

 private:
  static std::set<std::string> shard_names(const fs::path& index) {
    return with_context(message("reading '{}'", index.string()), [&] {
      const Json json = read_json(index);
      if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object()) {
        fail(ErrorCode::kInvalidData, "'weight_map' is missing or not an object");
      }
      std::set<std::string> names;
      for (const auto& [tensor, file] : json["weight_map"].items()) {
        if (!file.is_string() || fs::path(file.get<std::string>()).has_parent_path()) {
          fail(ErrorCode::kInvalidData, "tensor '{}' is not in a file of the same folder", tensor);
        }
        names.insert(file.get<std::string>());
      }
      return names;
    });
  }

  void open(const fs::path& path) {
    files_.push_back(std::make_unique<SafetensorsFile>(path));
    files_text_ += (files_text_.empty() ? "'" : ", '") + path.string() + "'";
    for (const auto& [name, tensor] : files_.back()->tensors()) {
      if (!tensors_.emplace(plain_name(name), &tensor).second) {
        fail(ErrorCode::kInvalidData, "'{}': tensor '{}' is there twice", path.string(), name);
      }
    }
  }

  // Names as openai-community/gpt2 has them: without the prefixes that wrappers add.
  static std::string plain_name(std::string_view name) {
    for (const std::string_view prefix : {"module.", "_orig_mod.", "transformer."}) {
      if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
    }
    return std::string(name);
  }

  std::vector<std::unique_ptr<SafetensorsFile>> files_;
  std::map<std::string, const StoredTensor*> tensors_;
  std::string files_text_;
};

bool is_mask(std::string_view name) {
  return name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias");
}

const StoredTensor& checked_tensor(const StoredWeights& stored, const ParameterRow& row) {
  const StoredTensor* tensor = stored.find(row.name);
  if (tensor == nullptr) {
    fail(ErrorCode::kMismatch, "tensor '{}' is missing, config.json implies it with shape {}",
         row.name, to_string(row.shape));
  }
  bool same = static_cast<int>(tensor->shape.size()) == row.shape.rank();
  for (int i = 0; same && i < row.shape.rank(); ++i) same = tensor->shape[i] == row.shape[i];
  if (!same) {
    fail(ErrorCode::kMismatch, "tensor '{}' has shape [{}], config.json implies {}", row.name,
         fmt::join(tensor->shape, ", "), to_string(row.shape));
  }
  return *tensor;
}

// Part of GPT-2 itself by its name: if it has no place, file and config.json do not belong
// together.
bool is_of_the_network(std::string_view name) {
  constexpr std::array kParts = {"h.", "wte.", "wpe.", "ln_f.", "lm_head."};
  return std::ranges::any_of(kParts, [&](const char* part) { return name.starts_with(part); });
}

// config.json does not say it: a file of nanoGPT's without biases has none at all.
bool has_biases(const StoredWeights& stored) {
  return std::ranges::any_of(stored.all(), [](const auto& entry) {
    return entry.first.ends_with(".bias") && !is_mask(entry.first) &&
           is_of_the_network(entry.first);
  });
}

// Every stored tensor is a parameter, a mask, or the output layer tied to the embedding, or belongs
// to something built on top. Returns the last.
std::vector<std::string> find_extra(const StoredWeights& stored, const ParameterTable& table,
                                    int64_t layers) {
  std::set<std::string_view> known;
  for (const ParameterRow& row : table.rows()) known.insert(row.name);
  std::vector<std::string> extra;
  for (const auto& [name, tensor] : stored.all()) {
    if (known.contains(name) || is_mask(name) || name == "lm_head.weight") continue;
    if (is_of_the_network(name)) {
      fail(ErrorCode::kMismatch,
           "tensor '{}' has no place in the model that config.json describes ({} layers)", name,
           layers);
    }
    extra.push_back(name);
  }
  return extra;
}

Message left_out_text(const std::vector<std::string>& extra) {
  constexpr size_t kMostNamed = 6;
  const auto end = extra.begin() + static_cast<int64_t>(std::min(extra.size(), kMostNamed));
  const std::string named = fmt::format("'{}'", fmt::join(extra.begin(), end, "', '"));
  if (extra.size() <= kMostNamed) return message("left out what is not part of GPT-2: {}", named);
  return message("left out what is not part of GPT-2: {} and {} tensors more", named,
                 extra.size() - kMostNamed);
}

void check_tied_output(const StoredWeights& stored) {
  const StoredTensor* head = stored.find("lm_head.weight");
  const StoredTensor* embedding = stored.find("wte.weight");
  if (head == nullptr || embedding == nullptr) return;
  if (head->dtype != embedding->dtype || head->bytes.size() != embedding->bytes.size() ||
      !std::equal(head->bytes.begin(), head->bytes.end(), embedding->bytes.begin())) {
    fail(ErrorCode::kMismatch,
         "'lm_head.weight' differs from 'wte.weight', and config.json says that they are tied: "
         "'tie_word_embeddings' false there makes it an output layer of its own");
  }
}

// Files copied from GPT-2 name its 50256 beside a smaller vocabulary.
void check_special_ids(const fs::path& folder, const HfConfigFiles& files,
                       const ModelConfig& config,
                       const std::function<void(const Message&)>& on_message) {
  with_context(message("reading '{}'", folder.string()), [&] {
    for (const TokenId id : special_ids_of(files).end) {
      if (id < config.vocab_size || !on_message) continue;
      on_message(
          message("'{}': eos_token_id {} lies beyond the vocabulary of {} ids and is not "
                  "used",
                  folder.string(), id, config.vocab_size));
    }
  });
}

// The tensors of a Hugging Face folder, as they lie in the mapped files.
class HfSource final : public TensorSource {
 public:
  HfSource(std::unique_ptr<StoredWeights> stored, const ModelConfig& config)
      : stored_(std::move(stored)), table_(config), converted_(table_.count()) {
    for (int row = 0; row < table_.count(); ++row) {
      with_context(message("tensor '{}'", table_[row].name), [&] { add(row); });
    }
  }
  Weight get(int row) const override { return weights_[static_cast<size_t>(row)]; }
  void release(int /*row*/) const override { stored_->release(); }

 private:
  void add(int row) {
    const StoredTensor& tensor = checked_tensor(*stored_, table_[row]);
    const Shape& shape = table_[row].shape;
    Weight weight{.type = WeightType::kF32, .layout = table_layout(table_[row])};
    const bool in_first = weight.layout == WeightLayout::kInOut;
    weight.in = shape.rank() == 1 ? shape[0] : shape[in_first ? 0 : 1];
    weight.out = shape.rank() == 1 ? 1 : shape[in_first ? 1 : 0];
    const auto at = reinterpret_cast<uintptr_t>(tensor.bytes.data());
    if (tensor.dtype == DType::kF32 && at % 4 == 0) {
      weight.data = tensor.bytes.data();
    } else if ((tensor.dtype == DType::kF16 || tensor.dtype == DType::kBF16) && at % 2 == 0) {
      weight.type = tensor.dtype == DType::kF16 ? WeightType::kF16 : WeightType::kBF16;
      weight.data = tensor.bytes.data();
    } else {
      auto& values = converted_[static_cast<size_t>(row)];
      values.resize(static_cast<size_t>(shape.count()));
      copy_as_f32(tensor, values);
      weight.data = values.data();
    }
    weights_.push_back(weight);
  }

  std::unique_ptr<StoredWeights> stored_;
  ParameterTable table_;
  std::vector<std::vector<float>> converted_;  // of types that are no weights', or misaligned
  std::vector<Weight> weights_;
};

}  // namespace

ModelConfig load_hf_config(const fs::path& folder) {
  ModelConfig config = read_hf_config(folder / "config.json");
  const bool has_weights = fs::exists(folder / "model.safetensors") ||
                           fs::exists(folder / "model.safetensors.index.json");
  if (has_weights) config.biases = has_biases(StoredWeights(folder));
  return config;
}

OpenedModel open_hf_model(const fs::path& folder,
                          const std::function<void(const Message&)>& on_message) {
  OpenedModel model;
  model.config = read_hf_config(folder / "config.json");
  model.files = read_hf_config_files(folder);
  check_special_ids(folder, model.files, model.config, on_message);
  auto stored = std::make_unique<StoredWeights>(folder);
  model.config.biases = has_biases(*stored);
  model.name = stored->files_text();
  with_context(message("loading {}", model.name), [&] {
    const ParameterTable table(model.config);
    // Before anything is allocated.
    for (const ParameterRow& row : table.rows()) checked_tensor(*stored, row);
    const auto extra = find_extra(*stored, table, model.config.layers);
    if (model.config.tied_output) check_tied_output(*stored);
    if (!extra.empty() && on_message)
      on_message(message("{}: {}", model.name, left_out_text(extra)));
    model.source = std::make_unique<HfSource>(std::move(stored), model.config);
  });
  return model;
}

}  // namespace inkstone

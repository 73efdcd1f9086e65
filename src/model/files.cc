// Networks in files: Hugging Face folders.
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
#include "model/network.h"

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

void read_row(const StoredTensor& tensor, View to, Backend& backend) {
  if (tensor.dtype == DType::kF32 && reinterpret_cast<uintptr_t>(tensor.bytes.data()) % 4 == 0) {
    backend.copy_from_host(tensor.bytes.data(), to);
    return;
  }
  std::vector<float> values(to.count());
  copy_as_f32(tensor, values);
  backend.copy_from_host(values.data(), to);
}

}  // namespace

ModelConfig load_config(const fs::path& folder) {
  ModelConfig config = read_hf_config(folder / "config.json");
  const bool has_weights = fs::exists(folder / "model.safetensors") ||
                           fs::exists(folder / "model.safetensors.index.json");
  if (has_weights) config.biases = has_biases(StoredWeights(folder));
  return config;
}

std::unique_ptr<Network> load_network(Backend& backend, const fs::path& folder, DType compute,
                                      const std::function<void(const Message&)>& on_message) {
  ModelConfig config = read_hf_config(folder / "config.json");
  HfConfigFiles files = read_hf_config_files(folder);
  check_special_ids(folder, files, config, on_message);
  const StoredWeights stored(folder);
  config.biases = has_biases(stored);
  return with_context(message("loading {}", stored.files_text()), [&] {
    const ParameterTable table(config);
    // Before anything is allocated.
    for (const ParameterRow& row : table.rows()) checked_tensor(stored, row);
    const auto extra = find_extra(stored, table, config.layers);
    if (config.tied_output) check_tied_output(stored);
    if (!extra.empty() && on_message) {
      on_message(message("{}: {}", stored.files_text(), left_out_text(extra)));
    }
    auto network = std::make_unique<Network>(backend, config, compute);
    network->set_files(std::move(files));
    for (int row = 0; row < table.count(); ++row) {
      with_context(message("tensor '{}'", table[row].name), [&] {
        read_row(checked_tensor(stored, table[row]), network->master(row), backend);
      });
    }
    network->refresh_copies();
    return network;
  });
}

void save_weights(const Network& network, const fs::path& path) {
  Backend& backend = network.backend();
  std::vector<std::vector<float>> copies;  // of memory that the host cannot read
  std::vector<TensorToStore> tensors;
  for (int row = 0; row < network.table().count(); ++row) {
    const ParameterRow& r = network.table()[row];
    const View values = network.master(row);
    if (!backend.shares_host_memory()) {
      copies.emplace_back(r.shape.count());
      backend.copy_to_host(values, copies.back().data());
    }
    const bool is_on_top = row == network.table().output() && !network.config().tied_output;
    TensorToStore tensor{.name = (is_on_top ? "" : "transformer.") + r.name,
                         .dtype = DType::kF32,
                         .shape = {},
                         .data = backend.shares_host_memory() ? values.data : copies.back().data()};
    for (int i = 0; i < r.shape.rank(); ++i) tensor.shape.push_back(r.shape[i]);
    tensors.push_back(std::move(tensor));
  }
  write_safetensors(path, tensors, {{"format", "pt"}});
}

}  // namespace inkstone

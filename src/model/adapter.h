// LoRA adapters: low-rank changes to the matrices of a model (Hu et al. 2021), in folders of PEFT's
// format: adapter_config.json and adapter_model.safetensors. docs/adapters.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "inkstone/message.h"
#include "model/model_source.h"
#include "model/parameters.h"

namespace inkstone {

enum class AdapterBias {
  kNone,
  kAll,       // every bias of the model was trained
  kLoraOnly,  // those beside the adapted matrices were
};

// adapter_config.json, by PEFT's names where they differ.
struct AdapterConfig {
  int64_t rank = 8;         // r
  double alpha = 8;         // lora_alpha
  bool use_rslora = false;  // s = alpha / sqrt(rank) instead of alpha / rank
  bool use_dora = false;    // with magnitudes (Liu et al. 2024)
  double dropout = 0;       // lora_dropout: of what A is multiplied with, in training alone
  // target_modules as a list: the adapted matrices are those whose name without ".weight" is one of
  // these or ends with a dot and one of these: "c_proj" is attention's and the MLP's. Empty: see
  // target_pattern.
  std::vector<std::string> targets = {};
  // target_modules as a string: a regular expression or "all-linear"; "": there is a list.
  std::string target_pattern = {};
  std::vector<int64_t> layers = {};  // layers_to_transform; empty: all
  AdapterBias bias = AdapterBias::kNone;
  std::string base_model = {};                    // base_model_name_or_path: a path or a name
  std::vector<std::string> modules_to_save = {};  // trained as a whole

  // s of a module with this rank: alpha / rank, or alpha / sqrt(rank).
  double scale(int64_t module_rank) const;
};

// The change of one matrix, all numbers float32:
//   W[in, out] += s (B A)^T;
// with magnitudes m, n the Euclidean norms of the columns of that sum (in numbers each):
//   W[in, out] = (W + s (B A)^T) m / n.
// Of wte and wpe, which PEFT adapts too, `in` is the number of rows that are looked up; lm_head has
// in = C, out = V.
struct AdapterModule {
  std::string name;  // of the row of the parameter table, without ".weight": "h.3.attn.c_attn"
  int64_t in = 0, out = 0, rank = 0;
  double scale = 0;              // s
  std::vector<float> a;          // [rank, in]
  std::vector<float> b;          // [out, rank]
  std::vector<float> magnitude;  // m [out]; empty: no DoRA
};

// A parameter that the adapter brings whole: a trained bias, or a part of modules_to_save.
struct AdapterTensor {
  std::string name;  // of the row of the parameter table: "h.3.attn.c_attn.bias", "wte.weight"
  std::vector<int64_t> shape;
  std::vector<float> values;
};

struct Adapter {
  AdapterConfig config;
  std::vector<AdapterModule> modules;  // in the order of the parameter table's rows
  std::vector<AdapterTensor> whole;
};

// True for a folder with an adapter and without a model.
bool is_adapter(const std::filesystem::path& folder);

// The row of a name; kNoRow: there is none.
int named_row(const ParameterTable& table, std::string_view name);

// Whether an output layer that is tied to the token embedding takes a whole one that the adapter
// brings: PEFT saves embeddings of a vocabulary that grew beside an adapter. One of modules_to_save
// leaves the output layer as it was, and so does a module of wte.
bool output_follows(const AdapterConfig& config);

// The rows of the matrices that a configuration's list of targets names, in the table's order.
// Throws kUsage, naming it, for a target that is no matrix of the model, and when there is a
// target_pattern instead.
std::vector<int> adapted_rows(const ParameterTable& table, const AdapterConfig& config);

// A module for a row: its name, its sizes, the configuration's rank and s. No numbers yet.
AdapterModule adapter_module(const ParameterRow& row, const AdapterConfig& config);

// Reads adapter_config.json. Throws kInvalidData for values of a wrong type or out of range, and
// kUnsupported, naming it, for what would change the numbers and is not implemented (another
// peft_type, trained token rows, bias in B, replicated layers, an initialisation that changes the
// model, ...). Errors name the file.
AdapterConfig read_adapter_config(const std::filesystem::path& folder);

// Reads an adapter and checks it against the model that it is for: throws as
// read_adapter_config, kNotFound without its files, kInvalidData for half a pair, a number that is
// not finite and a damaged file, kMismatch for a tensor that has no place in the model or another
// shape than the model implies, and for modules that are not those that the targets name. Numbers
// may be stored as F32, F16, BF16 or F64. wte and lm_head may have another number of rows than the
// model when both are there (a vocabulary that grew). Errors name the file.
Adapter read_adapter(const std::filesystem::path& folder, const ModelConfig& model);

// The same without a folder, of the texts of both files.
Adapter parse_adapter(std::string_view config_json, std::string_view safetensors,
                      const ModelConfig& model);

// Writes the two files into `folder`, which must be there, as PEFT's PeftModel.from_pretrained
// reads them; each is whole or absent. Modules with another rank or scale than the configuration's
// get patterns of their own there.
void write_adapter(const std::filesystem::path& folder, const Adapter& adapter);

}  // namespace inkstone

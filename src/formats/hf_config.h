// Hugging Face's config.json of a GPT-2.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "inkstone/model_config.h"
#include "inkstone/tokenizer.h"

namespace inkstone {

// Reads config.json. Unknown keys are ignored; a value that would change the numbers and is not
// implemented (an activation that is not one of ours, cross attention, another model_type,
// quantised weights, ...) throws kUnsupported and is named. Sizes outside the program's limits and
// values of the wrong type throw kInvalidData. Missing keys take the defaults of Transformers'
// GPT2Config, n_positions first that of n_ctx, its old name; hidden_size, max_position_embeddings,
// num_attention_heads and num_hidden_layers are understood too. Whether there are biases no
// config.json says: `biases` is true. "inkstone_prefix_lm" is a key of our own. Errors name the
// file.
ModelConfig read_hf_config(const std::filesystem::path& path);

// The same for the text of a config.json.
ModelConfig parse_hf_config(std::string_view json);

// config.json and generation_config.json of a model as they were read; "" where there is none.
// What Inkstone makes no use of comes back out of every save.
struct HfConfigFiles {
  std::string config = {}, generation = {};
};
HfConfigFiles read_hf_config_files(const std::filesystem::path& folder);

// The special ids that the two files name: of each, what generation_config.json says, else what
// config.json says, as Transformers' generate(). Ids below 0, which some write for "none", are left
// out. Whether a vocabulary has the ids is the caller's to check: files copied from GPT-2 often
// name its 50256.
struct HfSpecialIds {
  std::vector<TokenId> end;      // eos_token_id: a number or a list
  std::optional<TokenId> begin;  // bos_token_id
};
// Throws kInvalidData, naming the file, when one is not JSON or an id is of the wrong type.
HfSpecialIds special_ids_of(const HfConfigFiles& files);

// What a save says besides the shape. Values given here replace those of `files`.
struct HfConfigExtras {
  // bos_token_id and eos_token_id where `files` names none; null when there is none at all.
  std::optional<TokenId> end_of_text = {};
  // attn_pdrop, embd_pdrop, resid_pdrop: what training used. Else those of `files`, else GPT-2's
  // 0.1.
  std::optional<double> dropout = {};
  const char* torch_dtype = "float32";  // of the weights beside them; or "float16", "bfloat16"
  HfConfigFiles files = {};
};

// Writes config.json and generation_config.json into `folder`, which must be there, as
// GPT2LMHeadModel.from_pretrained reads them. Of `files` every key stays, and if no value changes
// every byte: the vocabulary, the tied output layer and the type of the weights are those of the
// model that is saved.
void write_hf_config(const std::filesystem::path& folder, const ModelConfig& config,
                     const HfConfigExtras& extras);

}  // namespace inkstone

// Hugging Face's config.json of a GPT-2.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

#include "inkstone/model_config.h"
#include "inkstone/tokenizer.h"

namespace inkstone {

// Reads config.json. Unknown keys are ignored; a value that would change the numbers and is not
// implemented (another activation than gelu_new / gelu_pytorch_tanh, cross attention, an n_inner
// other than 4 n_embd, untied embeddings, another model_type, quantised weights, ...) throws
// kUnsupported and is named. Sizes outside the program's limits and values of the wrong type throw
// kInvalidData. Missing keys take the defaults of Transformers' GPT2Config, n_positions first that
// of n_ctx, its old name; hidden_size, max_position_embeddings, num_attention_heads and
// num_hidden_layers are understood too. Errors name the file.
ModelConfig read_hf_config(const std::filesystem::path& path);

// The same for the text of a config.json.
ModelConfig parse_hf_config(std::string_view json);

struct HfConfigExtras {
  std::optional<TokenId> end_of_text;  // bos_token_id and eos_token_id; null when there is none
  double dropout = 0.1;                // attn_pdrop, embd_pdrop, resid_pdrop: what training used
};

// Writes config.json and generation_config.json into `folder`, which must be there, as
// GPT2LMHeadModel.from_pretrained reads them.
void write_hf_config(const std::filesystem::path& folder, const ModelConfig& config,
                     const HfConfigExtras& extras);

}  // namespace inkstone

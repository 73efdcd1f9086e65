// Hugging Face's config.json of a GPT-2.
#pragma once

#include <filesystem>
#include <optional>

#include "inkstone/model_config.h"
#include "inkstone/tokenizer.h"

namespace inkstone {

// Reads config.json. Unknown keys are ignored; a value that would change the numbers and is not
// implemented (another activation than gelu_new / gelu_pytorch_tanh, cross attention, an n_inner other
// than 4 n_embd, untied embeddings, another model_type) throws kUnsupported and is named. Missing keys
// take Transformers' GPT2Config defaults.
ModelConfig read_hf_config(const std::filesystem::path& path);

struct HfConfigExtras {
  std::optional<TokenId> end_of_text;  // bos_token_id and eos_token_id
  double dropout = 0.1;                // attn_pdrop, embd_pdrop, resid_pdrop: what training used
};

// Writes config.json and generation_config.json into `folder`, as GPT2LMHeadModel.from_pretrained reads them.
void write_hf_config(const std::filesystem::path& folder, const ModelConfig& config,
                     const HfConfigExtras& extras);

}  // namespace inkstone

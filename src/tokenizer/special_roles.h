// Which tokens begin and end a text, as the files beside a vocabulary say.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "inkstone/tokenizer.h"

namespace inkstone {

// How conversations are written, docs/formats.md.
inline constexpr const char* kTurnTemplateFile = "turn_template.json";

// The files beside a vocabulary as they were read; "" where there is none. Tokenizer::save writes
// the same bytes.
struct TokenizerFiles {
  std::string tokenizer = {};  // tokenizer.json
  std::string config = {};     // tokenizer_config.json
  std::string map = {};        // special_tokens_map.json
  std::string turns = {};      // turn_template.json
};

// What files say, which a vocabulary need not bear out.
struct SpecialRoles {
  // bos_token, eos_token and mask_token, as the vocabulary writes them.
  std::optional<std::string> begin, end, mask;
  // Of the model beside it: bos_token_id, eos_token_id.
  std::optional<TokenId> begin_id;
  std::vector<TokenId> end_ids;
};

// The roles that tokenizer_config.json names, else special_tokens_map.json: a string, or an object
// with "content". Throws kInvalidData, naming the file, on what is not JSON or of another type.
SpecialRoles read_special_roles(const TokenizerFiles& files);

// special_tokens_map.json, or tokenizer_config.json, with these roles in place of its own: the same
// bytes when none is given.
std::string with_special_roles(const std::string& file, const std::optional<std::string>& begin,
                               const std::optional<std::string>& end);

// The same file with this mask token; "" stays "".
std::string with_mask_role(const std::string& file, const std::string& mask);

}  // namespace inkstone

// A tokenizer made ready for use.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "inkstone/tokenizer.h"
#include "tokenizer/bpe.h"
#include "tokenizer/encoder.h"
#include "tokenizer/special_tokens.h"
#include "tokenizer/tokenizer_spec.h"
#include "tokenizer/vocabulary.h"

namespace inkstone {

// The text of a byte's token in a character vocabulary: "<0x0A>".
std::string byte_token_text(uint8_t byte);

// The ids that begin and end a text.
struct RoleIds {
  std::optional<TokenId> begin, end, mask;
  std::vector<TokenId> end_marks;  // `end` first
  // Texts of `begin` and `end` where tokenizer_config.json and special_tokens_map.json do not name
  // them: a save puts them in.
  std::optional<std::string> unnamed_begin, unnamed_end;
};

struct Tokenizer::Impl {
  // Throws kInvalidData when the spec contradicts itself: an id that is negative, too large or used
  // twice, more than half of the ids unused, a token that is not written in the byte alphabet, a
  // byte without a token, a merge of tokens that are not there. A kBpe without merges whose
  // ordinary tokens are the 256 bytes becomes kByte.
  explicit Impl(TokenizerSpec spec);
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // A tokenizer of a spec.
  static Tokenizer make(TokenizerSpec spec) {
    return Tokenizer(std::make_shared<const Impl>(std::move(spec)));
  }

  // Appends the ids of `text`. Throws kInvalidData as Tokenizer::encode.
  void encode(std::string_view text, SpecialTokens special, EncodeScratch& scratch,
              std::vector<TokenId>& ids) const;

  std::vector<Merge> merges() const;

  TokenizerType type;
  bool ignore_merges;
  PreTokenizerSpec pre_tokenizer;
  bool is_nfc;
  Vocabulary vocabulary;
  SpecialTokenTable special_tokens;
  std::vector<bool> is_byte_token;         // of kChar, by id: written <0xNN>; empty otherwise
  std::unique_ptr<const Encoder> encoder;  // holds a reference to `vocabulary`
  RoleIds roles;
  TokenizerFiles files;
};

// Texts of the vocabulary by id, as the files write them; empty where no token has the id.
std::vector<std::string> token_texts(const Tokenizer::Impl& tokenizer);

// The text of tokenizer.json: as it was read, where it was.
std::string tokenizer_json_text(const Tokenizer::Impl& tokenizer);

// The merges as "A B", of the texts: older versions of tokenizers read no other form.
std::vector<std::string> merge_lines(const Tokenizer::Impl& tokenizer,
                                     const std::vector<std::string>& texts);

// Writes the files of Tokenizer::save. turns: nullptr, or the template of turns.
void save_tokenizer(const Tokenizer::Impl& tokenizer, const TurnTemplate* turns,
                    const std::filesystem::path& folder);

}  // namespace inkstone
